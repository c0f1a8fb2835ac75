"""`bindtrace policy suggest`: what it writes reads back as a policy of just the calls that were seen."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from drawn_shop import write_shop
from suggesting import call, run
from support import fixture

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.platforms import read_manifest, read_manifests
from bindtrace.queries.least_privilege import KEYS, needed_of, suggested

SEEN = {
    ("storefront", "orders"),
    ("orders", "inventory"),
    ("storefront", "catalog"),
    ("storefront", "ledger"),
}
VERCEL = """\
{
  "services": {
    "storefront": {
      "root": "apps/storefront",
      "bindings": [
        { "type": "service", "service": "orders", "format": "url", "env": "ORDERS_URL" },
        { "type": "service", "service": "billing", "format": "url", "env": "LEDGER_URL" }
      ]
    },
    "catalog": { "root": "catalog", "bindings": [{ "service": "inventory", "format": "url", "env": "I" }] },
    "orders": { "root": "orders" },
    "inventory": { "root": "inventory" },
    "billing": { "root": "billing" },
    "ledger": { "root": "ledger" }
  }
}
"""
VERCEL_TOML = """\
[services.storefront]
root = "apps/storefront"

[[services.storefront.bindings]]
service = "billing"
format = "url"
env = "BILLING_URL"

[services.catalog]
root = "catalog"
[services.orders]
root = "orders"
[services.inventory]
root = "inventory"
[services.billing]
root = "billing"
[services.ledger]
root = "ledger"

[[rewrites]]
source = "/(.*)"
destination = { service = "storefront" }
"""
OURS = 'scope = "shop"\n\n[[grants]]\ncaller = "web"\ncallee = "ledger"\n'
WORKER = """\
name = "gateway"
main = "src/index.ts"
compatibility_date = "2026-08-01"
services = [
  { binding = "USERS", service = "users" }, # who they are
  { binding = "OLD", service = "old" },
]

[env.staging]
vars = { A = "b" }
"""


def edited(
    path: Path, text: str, *calls: dict[str, Any], keep: bool = False
) -> set[tuple[str, str, str | None]]:
    """The grants of the manifest after the suggestion for these calls."""
    path.write_text(text)
    others = [_worker(path, one["callee"]) for one in calls] if path.name.startswith("wrangler") else []
    manifests = [read_manifest(file) for file in (path, *others)]
    needed, unsure = needed_of(calls, "claimed")
    used = None if keep else [*needed, *(one.needed for one in unsure)]
    one, *_ = suggested({str(f): f.read_text() for f in (path, *others)}, manifests, needed, used)[0]
    path.write_text(one.after)
    return {(grant.caller, grant.callee, grant.binding) for grant in read_manifest(path).grants}


def _worker(beside: Path, name: str) -> Path:
    """The configuration of another Worker, as a repository of several has it."""
    path = beside.with_name(f"{name}.wrangler.toml")
    path.write_text(f'name = "{name}"\ncompatibility_date = "2026-08-01"\n')
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text"), [("vercel.json", VERCEL), ("vercel.toml", VERCEL_TOML), ("bindtrace.toml", OURS)]
)
def test_the_patch_makes_a_policy_of_just_the_calls_that_were_seen(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    db = write_shop(tmp_path / "shop.duckdb")

    result = run("--db", db, "--manifest", tmp_path / name)
    (tmp_path / "one.patch").write_text(result.stdout)
    subprocess.run(["patch", "-p1", "-d", "/", "-i", tmp_path / "one.patch"], check=True, capture_output=True)
    again = run("--db", db, "--manifest", tmp_path / name)

    assert {(grant.caller, grant.callee) for grant in read_manifest(tmp_path / name).grants} == SEEN
    assert again.stdout == ""
    assert (result.exit_code, again.exit_code) == (0, 0)


def test_the_names_of_bindings_are_those_of_telemetry_and_never_taken_twice(tmp_path: Path) -> None:
    grants = edited(
        tmp_path / "vercel.json", VERCEL,
        call("storefront", "ledger"), call("storefront", "billing"), call("storefront", "catalog", binding="CAT"),
    )  # fmt: skip

    assert grants == {
        ("storefront", "billing", "LEDGER_URL"),
        ("storefront", "ledger", "LEDGER_URL_2"),
        ("storefront", "catalog", "CAT"),
    }


def test_unused_grants_stay_where_they_are_to_stay(tmp_path: Path) -> None:
    grants = edited(tmp_path / "vercel.json", VERCEL, call("storefront", "orders"), keep=True)

    assert len(grants) == 3


def test_a_call_that_is_not_sure_is_not_granted_and_loses_no_grant(tmp_path: Path) -> None:
    calls = [
        call("storefront", "orders", grade="contradicted"),
        call("storefront", "ledger", grade="inferred"),
    ]

    assert edited(tmp_path / "vercel.json", VERCEL, *calls) == {("storefront", "orders", "ORDERS_URL")}
    assert [left.why for left in needed_of(calls, "claimed")[1]] == [
        "only inferred; --min-grade inferred takes it",
        "two witnesses disagree on who called",
    ]


def test_a_worker_gets_its_bindings_and_keeps_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "wrangler.toml"

    grants = edited(
        path,
        WORKER,
        call("gateway", "users"),
        call("gateway", "risk-engine"),
        call("gateway-staging", "users-staging"),
    )

    assert grants == {
        ("gateway", "users", "USERS"),
        ("gateway", "risk-engine", "RISK_ENGINE"),
        ("gateway-staging", "users-staging", "USERS_STAGING"),
    }
    assert "# who they are" in path.read_text()


@pytest.mark.parametrize(
    "name",
    [
        "0maru-workers-service-bindings-hono-turborepo-sample/workers__gateway__wrangler.toml",
        "templates/microfrontend-template__wrangler.jsonc",
        "workers-sdk/fixtures__workers-with-assets-and-service-bindings__workerA__wrangler.jsonc",
        "workers-sdk/packages__vite-plugin-cloudflare__playground__multi-worker__worker-a__wrangler.jsonc",
    ],
)
def test_configurations_of_real_workers_can_be_edited(name: str, tmp_path: Path) -> None:
    text = fixture(f"wrangler/{name}").read_text()
    worker = read_manifest(fixture(f"wrangler/{name}")).services[0].service
    path = tmp_path / f"wrangler{Path(name).suffix}"

    calls = {(grant[0], grant[1]) for grant in edited(path, text, call(worker, "new-one"), keep=True)}
    alone = edited(path, text, call(worker, "new-one"))

    assert (worker, "new-one") in calls
    assert {callee for caller, callee, _ in alone if caller == worker} - {"tail-a"} == {
        "new-one"
    }  # no trace shows tails


def test_what_no_manifest_can_take_is_said(tmp_path: Path) -> None:
    path = tmp_path / "vercel.json"
    path.write_text(VERCEL)
    needed, _ = needed_of([call("stranger", "ledger")], "claimed")

    _, left = suggested({str(path): VERCEL}, read_manifests([path]), needed, None)

    assert [one.why for one in left] == ["no manifest given here declares stranger"]


def test_our_own_file_takes_what_the_platforms_cannot(tmp_path: Path) -> None:
    (tmp_path / "vercel.json").write_text(VERCEL)
    (tmp_path / "bindtrace.toml").write_text(OURS)
    paths = [tmp_path / "bindtrace.toml", tmp_path / "vercel.json"]
    needed, _ = needed_of(
        [call("storefront", "ledger"), call("cron", "ledger"), call("web", "ledger")], "claimed"
    )

    texts = {str(path): path.read_text() for path in paths}
    edits, left = suggested(texts, read_manifests(paths), needed, needed)

    assert [
        (Path(one.manifest.file).name, e.caller) for one in edits for e in one.edits if e.change == "add"
    ] == [
        ("vercel.json", "storefront"),
        ("bindtrace.toml", "cron"),
    ]
    assert left == []


def test_a_worker_gets_no_binding_to_what_is_no_worker(tmp_path: Path) -> None:
    path = tmp_path / "wrangler.toml"
    path.write_text(WORKER)
    needed, _ = needed_of([call("gateway", "postgres-api")], "claimed")

    (one,), left = suggested({str(path): WORKER}, [read_manifest(path)], needed, None)

    assert one.after == WORKER
    assert [it.why for it in left] == ["no manifest given here declares postgres-api"]


def test_a_list_that_cannot_be_edited_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrangler.toml"
    path.write_text('name = "a"\ncompatibility_date = "2026-08-01"\nenv = { staging = { name = "b" } }\n')
    needed, _ = needed_of([call("b", "a")], "claimed")

    with pytest.raises(Refusal, match="cannot be edited"):
        suggested({str(path): path.read_text()}, read_manifests([path]), needed, None)


@pytest.mark.slow
def test_json_has_all_keys(tmp_path: Path) -> None:
    (tmp_path / "vercel.json").write_text(VERCEL)
    db = write_shop(tmp_path / "shop.duckdb")

    rows = json.loads(run("--db", db, "--manifest", tmp_path / "vercel.json", "-f", "json").stdout)

    assert {tuple(row) for row in rows} == {KEYS}
    ledger = next(row for row in rows if row["callee"] == "ledger")
    assert (ledger["why"], ledger["grade"]) == ("undeclared until now: was it meant?", "claimed")


@pytest.mark.slow
def test_the_file_itself_is_never_written(tmp_path: Path) -> None:
    (tmp_path / "vercel.json").write_text(VERCEL)

    run("--db", write_shop(tmp_path / "shop.duckdb"), "--manifest", tmp_path / "vercel.json")

    assert (tmp_path / "vercel.json").read_text() == VERCEL
