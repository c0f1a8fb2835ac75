"""A Worker's version or settings, as Cloudflare prints them: what is deployed, by version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bindtrace.propagation.manifest import Manifest
from bindtrace.propagation.platforms import cloudflare_deployed, read_manifest

ID = "3b1f8d9e-7a52-4a3c-9a53-4d7f1f6e2a10"
BINDINGS: list[dict[str, Any]] = [
    {
        "type": "service",
        "name": "LEDGER",
        "service": "ledger",
        "environment": "production",
        "entrypoint": "Api",
    },
    {"type": "durable_object_namespace", "name": "CARTS", "class_name": "Cart", "script_name": "carts"},
    {"type": "durable_object_namespace", "name": "LOCKS", "class_name": "Lock", "namespace_id": "1"},
    {"type": "queue", "name": "MAIL", "queue_name": "mails"},
    {"type": "dispatch_namespace", "name": "TENANTS", "namespace": "tenants"},
    {"type": "kv_namespace", "name": "KV", "namespace_id": "2"},
    {"type": "secret_text", "name": "KEY"},
]
VERSION = {
    "id": ID,
    "number": 7,
    "resources": {"bindings": BINDINGS, "script_runtime": {"usage_model": "standard"}},
}
SETTINGS = {"success": True, "result": {"bindings": BINDINGS[:1], "tail_consumers": [{"service": "tail"}]}}


def read(said: Any, name: str = "checkout.version.json") -> Manifest:
    return cloudflare_deployed.read(Path(name), json.dumps(said, indent=1))


def test_a_version_grants_what_it_binds_and_is_of_that_deployment() -> None:
    manifest = read(VERSION)

    assert (manifest.platform, manifest.deployment, manifest.problems) == ("cloudflare", ID, ())
    assert [s.service for s in manifest.services] == ["checkout"]
    assert [(g.caller, g.callee, g.binding, g.kind, g.callee_scope) for g in manifest.grants] == [
        ("checkout", "ledger", "LEDGER", "call", None),
        ("checkout", "carts", "CARTS", "call", None),
        ("checkout", "mails", "MAIL", "message", None),
        ("checkout", "*", "TENANTS", "call", "tenants"),
    ]
    assert (manifest.grants[0].entrypoint, manifest.grants[0].line) == ("Api", 7)


def test_settings_are_of_no_version_and_have_tails() -> None:
    manifest = read(SETTINGS, "checkout.settings.json")

    assert manifest.deployment is None
    assert [(g.callee, g.traced) for g in manifest.grants] == [("ledger", True), ("tail", False)]


@pytest.mark.parametrize(
    ("said", "name", "code"),
    [
        (VERSION, "the version.json", "INVALID_NAME"),
        ({"bindings": [{"type": "service", "name": "L"}]}, "a.json", "INVALID_BINDING"),
        ({"bindings": {"type": "service"}}, "a.json", "BAD_SHAPE"),
    ],
)
def test_what_leads_to_nothing_is_a_fatal_problem(said: Any, name: str, code: str) -> None:
    manifest = read(said, name)

    assert [(p.code, p.fatal) for p in manifest.problems] == [(code, True)]
    assert manifest.grants == ()


def test_any_value_is_read_without_raising() -> None:
    for value in (
        None,
        7,
        "x",
        [],
        {},
        [None],
        [{}],
        {"bindings": 7},
        {"resources": []},
        {"result": {"bindings": [7]}},
    ):
        assert isinstance(read(value), Manifest)
        assert isinstance(read({"bindings": value, "tail_consumers": value, "id": value}), Manifest)


@pytest.mark.parametrize("said", [VERSION, SETTINGS])
def test_its_files_are_known_by_content(tmp_path: Path, said: Any) -> None:
    (tmp_path / "checkout.json").write_text(json.dumps(said))

    assert read_manifest(tmp_path / "checkout.json").platform == "cloudflare"
