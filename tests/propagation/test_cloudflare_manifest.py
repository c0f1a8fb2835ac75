"""wrangler configurations: bindings, environments and exposure, in TOML and JSONC, with lines and problems."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support import FIXTURES, fixture

from bindtrace.propagation.manifest import Manifest
from bindtrace.propagation.platforms import cloudflare, read_manifest
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


def read(config: Any, name: str = "wrangler.jsonc") -> Manifest:
    text = config if isinstance(config, str) else json.dumps(config, indent=1)
    return cloudflare.read(Path(name), text)


def worker(**more: Any) -> Manifest:
    return read({"name": "checkout", "workers_dev": False} | more)


def codes(manifest: Manifest) -> list[tuple[str, bool]]:
    return [(problem.code, problem.fatal) for problem in manifest.problems]


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
    ("written", "custom", "hosts", "met", "not_met"),
    [
        ("example.com/*", False, ["example.com"], ["/", "/a/b"], []),
        ("https://Example.com/API*", False, ["example.com"], ["/API", "/API/x"], ["/api", "/"]),
        ("*example.com/a", False, ["example.com", "*.example.com"], ["/a"], ["/a/", "/"]),
        ("*.example.com/*.png", False, ["*.example.com"], ["/x/y.png"], ["/x.jpg"]),
        ("example.com", False, ["example.com"], ["/"], ["/x"]),
        ("shop.example.com", True, ["shop.example.com"], ["/", "/x"], []),
        ("*/*", False, [None], ["/", "/x"], []),
        ("b\u00fccher.example/*", False, ["b\u00fccher.example"], ["/"], []),
    ],
)
def test_a_route_is_hosts_and_a_pattern_of_whole_paths(
    written: str, custom: bool, hosts: list[str | None], met: list[str], not_met: list[str]
) -> None:
    manifest = worker(route={"pattern": written, "custom_domain": custom})

    assert [e.host for e in manifest.exposures] == hosts
    pattern = re.compile(manifest.exposures[0].pattern)
    assert all(pattern.match(path) for path in met)
    assert not any(pattern.match(path) for path in not_met)


@pytest.mark.parametrize(
    ("more", "code", "fatal", "said"),
    [
        ({"services": [{"binding": "L"}]}, "INVALID_BINDING", True, "no `service`"),
        ({"services": [{"service": "ledger"}]}, "INVALID_BINDING", True, "no `binding`"),
        ({"services": [{"binding": "L", "service": 7}]}, "INVALID_BINDING", True, "7 as `service`"),
        ({"services": ["ledger"]}, "INVALID_BINDING", True, "'ledger'"),
        ({"services": {"binding": "L"}}, "INVALID_BINDING", True, "not a list"),
        ({"services": [{"binding": "L", "service": "l", "entryPoint": "E"}]}, "UNKNOWN_KEY", False, "entryPoint"),
        ({"services": [{"binding": "L", "service": "l", "environment": "e"}]}, "DEPRECATED_KEY", False, "environment"),
        ({"service": [{"binding": "L", "service": "l"}]}, "UNKNOWN_KEY", False, "`service`"),
        ({"routes": ["/path/only"]}, "INVALID_ROUTE", True, "/path/only"),
        ({"route": {"pattern": "a.example/x", "custom_domain": True}}, "INVALID_ROUTE", True, "a.example/x"),
        ({"routes": [7]}, "INVALID_ROUTE", True, "7"),
        ({"queues": {"consumers": [{}]}}, "INVALID_BINDING", True, "names no queue"),
        ({"env": {"x": True}}, "INVALID_ENVIRONMENT", True, "env.x"),
        ({"env": {"x": {"name": "a b"}}}, "INVALID_NAME", True, "'a b'"),
        ({"name": None}, "INVALID_NAME", True, "no `name`"),
        ({"name": "a/b"}, "INVALID_NAME", True, "'a/b'"),
    ],
)  # fmt: skip
def test_a_mistake_is_a_problem_that_grants_nothing_wrong(
    more: dict[str, Any], code: str, fatal: bool, said: str
) -> None:
    manifest = worker(**more)

    problem = next(p for p in manifest.problems if p.code == code)
    assert (problem.fatal, said in problem.message) == (fatal, True)
    assert problem.line > 0
    assert problem.fix
    assert not fatal or manifest.grants == ()


def test_a_route_without_the_strict_flag_lets_fetch_go_past_workers() -> None:
    flag = "global_fetch_strictly_public"

    assert codes(worker(routes=["a.example/*"])) == [("FETCH_PAST_WORKERS", False)]
    assert codes(worker(routes=["a.example/*"], compatibility_flags=[flag])) == []
    assert codes(worker(compatibility_flags=[])) == []


def test_any_value_is_read_without_raising() -> None:
    odd: tuple[Any, ...] = (None, 7, [], "x", {}, [None], [7], [[]], {"x": None}, True)
    keys = (
        "name", "env", "services", "routes", "route", "workers_dev", "preview_urls", "durable_objects", "queues",
        "tail_consumers", "dispatch_namespaces", "previews", "compatibility_flags", "account_id", "legacy_env",
    )  # fmt: skip
    for value in odd:
        assert isinstance(read(value), Manifest)
        for key in keys:
            assert isinstance(worker(**{key: value}), Manifest)
            assert isinstance(worker(env={"e": {key: value}}), Manifest)


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
