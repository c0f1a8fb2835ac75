"""wrangler configurations: bindings, environments and exposure, in TOML and JSONC; each with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from reading_wrangler import read, worker
from support import FIXTURES, fixture

from bindtrace.propagation.platforms import read_manifest
from bindtrace.propagation.platforms.linking import linked

OBSERVED = "wrangler/observed-bindings.json"
WHOLE = """\
name = "checkout"
account_id = "acc"
compatibility_date = "2026-08-01"
compatibility_flags = ["global_fetch_strictly_public"]
workers_dev = false
routes = [
  "shop.example/checkout/*",
  { pattern = "pay.shop.example", custom_domain = true },
  { pattern = "*.eu.shop.example/*", zone_name = "shop.example" },
]
services = [
  { binding = "LEDGER", service = "ledger", entrypoint = "LedgerApi", props = { caller = "checkout" } },
]

[[durable_objects.bindings]]
name = "CARTS"
class_name = "Cart"
script_name = "carts"

[[durable_objects.bindings]]
name = "LOCKS"
class_name = "Lock"

[[queues.producers]]
binding = "MAIL"
queue = "mails"

[[queues.consumers]]
queue = "orders"

[[dispatch_namespaces]]
binding = "TENANTS"
namespace = "tenants"

[env.staging]
workers_dev = true
preview_urls = true

[[env.staging.services]]
binding = "LEDGER"
service = "ledger-staging"

[env.load]
name = "checkout-under-load"
"""


def observed() -> list[dict[str, Any]]:
    path = FIXTURES / OBSERVED
    return json.loads(path.read_text())["workers"] if path.exists() else []


@pytest.mark.parametrize("expected", observed(), ids=lambda worker: worker["worker"])
def test_outside_files_say_what_was_read_off_them(expected: dict[str, Any]) -> None:
    path = fixture(f"wrangler/{expected['file']}")
    manifest = read_manifest(path)
    lines = path.read_text().splitlines()

    assert [service.service for service in manifest.services] == [expected["worker"]]
    bound = [grant for grant in manifest.grants if grant.traced]
    assert [(g.caller, g.binding, g.callee, g.entrypoint) for g in bound] == [
        (expected["worker"], b["binding"], b["service"], b.get("entrypoint")) for b in expected["bindings"]
    ]
    assert [e.source for e in manifest.exposures if e.kind == "route"] == expected["publicRoutes"]
    # Nothing said and no routes: wrangler deploys to workers.dev.
    open_by_default = expected["workersDev"] or (
        expected["workersDev"] is None and not expected["publicRoutes"]
    )
    assert [e.host for e in manifest.exposures if e.kind == "default-domain"] == (
        [f"{expected['worker']}.*.workers.dev"] if open_by_default else []
    )
    for grant in bound:
        assert any(str(grant.binding) in line for line in lines[grant.line - 1 : grant.line + 1])
    assert [p for p in manifest.problems if p.fatal] == []


def test_all_of_the_outside_files_are_read() -> None:
    fixture(OBSERVED)
    files = {path.name for path in (FIXTURES / "wrangler").rglob("*wrangler*.*") if path.is_file()}

    assert {Path(worker["file"]).name for worker in observed()} == files


def test_tail_consumers_are_granted_and_never_traced() -> None:
    path = fixture("wrangler/workers-sdk/fixtures__dev-registry__wrangler.worker-entrypoint.jsonc")
    manifest = read_manifest(path)

    assert [(g.callee, g.kind, g.line) for g in manifest.grants if not g.traced] == [
        ("exported-handler-with-assets", "message", 35)
    ]
    assert [(a.name, a.service, a.line) for a in manifest.aliases] == [
        ("test-queue", "worker-entrypoint", 41)
    ]


def test_everything_that_leads_from_a_worker_is_granted_with_its_line() -> None:
    manifest = read(WHOLE, "wrangler.toml")

    assert [(g.caller, g.callee, g.binding, g.kind, g.line) for g in manifest.grants] == [
        ("checkout", "ledger", "LEDGER", "call", 12),
        ("checkout", "carts", "CARTS", "call", 15),
        ("checkout", "mails", "MAIL", "message", 24),
        ("checkout", "*", "TENANTS", "call", 31),
        ("checkout-staging", "ledger-staging", "LEDGER", "call", 39),
    ]
    assert [g.callee_scope for g in manifest.grants if g.callee == "*"] == ["tenants"]
    assert manifest.grants[0].entrypoint == "LedgerApi"
    assert {g.scope for g in manifest.grants} == {manifest.scope} == {"acc"}
    assert {g.environment for g in manifest.grants} == {None}
    assert [(s.service, s.environment, s.line) for s in manifest.services] == [
        ("checkout", None, 1),
        ("checkout-staging", "staging", 35),
        ("checkout-under-load", "load", 43),
    ]


def test_routes_domains_and_switches_are_exposure_and_hosts() -> None:
    manifest = read(WHOLE, "wrangler.toml")
    own = [e for e in manifest.exposures if e.service == "checkout"]

    assert [(e.kind, e.host, e.pattern, e.line) for e in own] == [
        ("route", "shop.example", "^/checkout/.*$", 7),
        ("domain", "pay.shop.example", "^/.*$", 8),
        ("route", "*.eu.shop.example", "^/.*$", 9),
    ]
    assert [(h.host, h.service, h.road) for h in manifest.hosts if h.environment is None] == [
        ("shop.example", None, "public"),
        ("pay.shop.example", "checkout", "public"),
        ("*.eu.shop.example", "checkout", "public"),
    ]
    # Of several environments with one host, it names the first.
    assert {h.host for h in manifest.hosts if h.environment} == {"checkout-staging.*.workers.dev"}
    # Environments inherit routes and switches, and say them otherwise where they do.
    staging = [e for e in manifest.exposures if e.environment == "staging" and e.kind != "route"]
    assert [(e.kind, e.host, e.line) for e in staging] == [
        ("domain", "pay.shop.example", 8),
        ("default-domain", "checkout-staging.*.workers.dev", 36),
        ("preview", "*-checkout-staging.*.workers.dev", 37),
    ]
    assert "default-domain" not in {e.kind for e in manifest.exposures if e.environment == "load"}


def test_an_environment_does_not_inherit_bindings_and_the_file_says_which_are_missing() -> None:
    manifest = read(WHOLE, "wrangler.toml")

    assert [g for g in manifest.grants if g.caller == "checkout-under-load"] == []
    missing = [p for p in manifest.problems if p.code == "NOT_INHERITED"]
    assert [(p.line, p.fatal) for p in missing] == [(35, False), (43, False)]
    assert missing[0].message.startswith(
        "checkout-staging has no `durable_objects`, `queues`, `dispatch_namespaces`: environments"
    )
    assert "`services`" in missing[1].message


def test_a_message_is_granted_to_the_worker_that_consumes_the_queue() -> None:
    consumer = read({"name": "mailer", "account_id": "acc", "queues": {"consumers": [{"queue": "mails"}]}})

    both = linked([read(WHOLE, "wrangler.toml"), consumer])
    alone = linked([read(WHOLE, "wrangler.toml")])

    assert [(g.callee, g.binding) for g in both[0].grants if g.kind == "message"] == [("mailer", "MAIL")]
    assert [g.callee for g in alone[0].grants if g.kind == "message"] == ["mails"]


def test_workers_of_another_account_do_not_consume_this_ones_queue() -> None:
    other = read({"name": "mailer", "account_id": "other", "queues": {"consumers": [{"queue": "mails"}]}})

    ours, _ = linked([read(WHOLE, "wrangler.toml"), other])

    assert [g.callee for g in ours.grants if g.kind == "message"] == ["mails"]


def test_a_preview_block_binds_previews_only() -> None:
    manifest = worker(previews={"services": [{"binding": "LEDGER", "service": "ledger-preview"}]})

    assert [(g.caller, g.environment, g.callee) for g in manifest.grants] == [
        ("checkout", "preview", "ledger-preview")
    ]
    assert [s.service for s in manifest.services] == ["checkout"]


def test_service_environments_share_one_worker_and_their_grants_say_which() -> None:
    manifest = worker(
        legacy_env=False, env={"staging": {"services": [{"binding": "L", "service": "ledger"}]}}
    )

    assert [(g.caller, g.environment) for g in manifest.grants] == [("checkout", "staging")]
    assert [(s.service, s.environment) for s in manifest.services] == [
        ("checkout", None),
        ("checkout", "staging"),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("wrangler.json", '{"name": "a", "services": {}}'),
        ("api.wrangler.jsonc", '{"name": "a"}'),
        ("prod.toml", 'name = "a"\ncompatibility_date = "2026-01-01"\n[services.x]\n'),
        ("worker.json", '{"name": "a", "compatibility_date": "2026-01-01", "services": {}, "rewrites": []}'),
    ],
)
def test_its_files_are_known_by_name_or_content(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    assert read_manifest(tmp_path / name).platform == "cloudflare"
