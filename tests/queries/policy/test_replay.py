"""Replay: a stored call is judged as the collector would judge it by these manifests, and nothing stored changes."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from answering import answering
from call_graphs import graph
from click.testing import CliRunner, Result
from drawing import CLIENT, SERVER, draw, span
from drawn_shop import UNDECLARED_ID, faulty_spans, good_spans, write_shop
from graph_rows import store
from shop_policy import settings, vercel
from support import fixture

from bindtrace.collector.reading import read_pieces
from bindtrace.collector.storing import store as store_pieces
from bindtrace.propagation.command import bindtrace
from bindtrace.propagation.manifest import DeclaredService, Exposure, Grant, Manifest
from bindtrace.propagation.platforms import read_manifests
from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.policy import install_policy
from bindtrace.queries.query import Query
from bindtrace.queries.rejudging import rejudge
from bindtrace.queries.replaying import KEYS, replay

WITH_PATHS = Query(filters={"with_paths": "true"})
POLICY = """
{{
  "services": {{
    "storefront": {{ "root": "a", "bindings": [
      {{ "service": "orders", "format": "url", "env": "ORDERS_URL" }},
      {{ "service": "{callee}", "format": "url", "env": "OTHER_URL" }}
    ] }},
    "catalog": {{ "root": "a" }},
    "orders": {{ "root": "a", "bindings": [ {{ "service": "inventory", "format": "url", "env": "INVENTORY_URL" }} ] }},
    "inventory": {{ "root": "a" }},
    "billing": {{ "root": "a" }},
    "ledger": {{ "root": "a" }}
  }}
}}
"""


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(bindtrace, ["policy", "replay", *map(str, words)])


def judged(con: duckdb.DuckDBPyConnection, manifests: list[Manifest]) -> list[tuple[Any, Any]]:
    """What is stored of each distinct call, and what a replay says of it."""
    calls = run_report(con, "calls", WITH_PATHS)
    return [
        (
            (call["verdict"], call["reason"], call["file"], call["line"]),
            (one.verdict, one.reason, one.file, one.line),
        )
        for call, one in zip(calls, rejudge(calls, manifests), strict=True)
    ]


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "vercel.json"
    path.write_text(POLICY.format(callee="ledger"))
    return path


def test_the_same_policy_changes_nothing_in_a_shop(shop: duckdb.DuckDBPyConnection) -> None:
    entry = span("storefront", SERVER, 1, trace=9, client_address="8.8.8.8", url_path="/x")
    hidden = span("ledger-api", SERVER, 2, trace=10, client_address="8.8.8.8", url_path="/x")
    draw(shop, *good_spans(), *faulty_spans(), entry, hidden)
    analyse(shop)

    found = judged(shop, [vercel(), settings()])

    assert len(found) >= 8
    assert [before for before, after in found if before != after] == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_same_policy_changes_nothing_in_random_call_graphs(
    con: duckdb.DuckDBPyConnection, seed: int
) -> None:
    store(con, [one for number in range(60) for one in graph(seed * 1000 + number, number).spans], 1)
    analyse(con)
    manifest = _random_policy(run_report(con, "edges", Query()), random.Random(seed))
    install_policy(con, [manifest])
    analyse(con)

    found = judged(con, [manifest])

    assert len({before for before, _ in found}) > 10
    assert [(before, after) for before, after in found if before != after] == []


MESH = """\
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ledger, namespace: shop}
spec:
  action: ALLOW
  rules:
  - from: [{source: {principals: ["cluster.local/ns/shop/sa/web"]}}]
    to: [{operation: {methods: ["GET"], paths: ["/v1/*"]}}]
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict, namespace: shop}
spec: {mtls: {mode: STRICT}}
"""


@pytest.mark.slow
def test_the_same_policy_of_a_mesh_changes_nothing(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text(MESH)
    mesh = list(read_manifests([tmp_path / "mesh.yaml"]))
    install_policy(con, mesh)
    requests = [("GET", "/v1/a"), ("POST", "/v1/a"), ("GET", "/v2"), (None, None)]
    peers = ["spiffe://cluster.local/ns/shop/sa/web", "spiffe://cluster.local/ns/shop/sa/cron", None]
    number = 0
    for method, path in requests:
        for peer in peers:
            for scheme in ("http", "https"):
                number += 1
                asked = {"http_method": method, "url_path": path, "url_scheme": scheme, "trace": number}
                draw(
                    con,
                    span("web.shop", CLIENT, 1, **asked),
                    span("ledger.shop", SERVER, 2, 1, peer_id=peer if scheme == "https" else None, **asked),
                )
    analyse(con)

    found = judged(con, mesh)

    assert {before[0] for before, _ in found} == {"allowed", "denied", "unknown"}
    assert [(before, after) for before, after in found if before != after] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "nezha/otlp/trainticket-2023-01-29-10_20_trace.otlp.json",
        "hotrod-jaeger-es/otlp/jaeger-span-2023-01-24.otlp.json",
        "kiali-istio-trace/otlp/responseTrace.otlp.json",
        "captured/envoy-denied-spans.json",
    ],
)
def test_the_same_policy_changes_nothing_in_recordings_of_others(
    con: duckdb.DuckDBPyConnection, name: str
) -> None:
    store_pieces(con, read_pieces(str(fixture(name))))
    manifest = _random_policy(run_report(con, "edges", Query()), random.Random(7))
    install_policy(con, [manifest])
    analyse(con)

    found = judged(con, [manifest])

    assert found
    assert [(before, after) for before, after in found if before != after] == []


def _random_policy(edges: list[dict[str, Any]], chance: random.Random) -> Manifest:
    origin = ("vercel", "")
    names = sorted({edge[side] for edge in edges for side in ("caller", "callee")} - {None})
    grants = [
        Grant(*origin, None, edge["caller"], edge["callee"], "URL", "vercel.json", line)
        for line, edge in enumerate(edges, 100)
        if edge["caller"] and edge["callee"] and chance.random() < 0.5
    ]
    return Manifest(
        "vercel.json", *origin, "1",
        services=tuple(
            DeclaredService(*origin, name, None, "vercel.json", line)
            for line, name in enumerate(names, 1)
            if chance.random() < 0.8
        ),
        grants=tuple(grants),
        exposures=(Exposure(*origin, names[0], "/(.*)", "^/(.*)$", "vercel.json", 90),),
    )  # fmt: skip


def test_another_policy_breaks_passes_and_says_by_which_line(tmp_path: Path, policy: Path) -> None:
    result = run("--db", write_shop(tmp_path / "shop.duckdb"), "--manifest", policy, "-f", "json")
    rows = {(row["change"], row["caller"], row["callee"]): row for row in json.loads(result.stdout)}

    assert result.exit_code == 1
    assert set(rows) == {("breaks", "storefront", "catalog"), ("passes", "storefront", "ledger")}
    broken, passes = rows["breaks", "storefront", "catalog"], rows["passes", "storefront", "ledger"]
    assert (broken["line"], broken["line_before"], broken["reason"]) == (4, 20, "undeclared")
    assert (passes["line"], passes["calls"], passes["example_trace_id"]) == (6, 1, UNDECLARED_ID)
    assert tuple(broken) == KEYS


@pytest.mark.slow
def test_what_breaks_nothing_passes(tmp_path: Path, policy: Path) -> None:
    policy.write_text(POLICY.format(callee="catalog"))

    result = run("--db", write_shop(tmp_path / "shop.duckdb"), "--manifest", policy)

    assert result.exit_code == 0
    assert result.stdout == ""
    assert "stay as they are" in result.stderr


@pytest.mark.slow
def test_the_stored_policy_and_verdicts_stay(tmp_path: Path, policy: Path) -> None:
    db = write_shop(tmp_path / "shop.duckdb")
    asked = ["hops", "--db", str(db), "-f", "json"]
    before = CliRunner().invoke(bindtrace, asked).stdout

    run("--db", db, "--manifest", policy)

    assert CliRunner().invoke(bindtrace, asked).stdout == before
    assert (
        CliRunner().invoke(bindtrace, ["grants", "--db", str(db), "-f", "csv"]).stdout.count("vercel.json")
        == 5
    )


@pytest.mark.slow
def test_a_collector_answers_as_its_file(tmp_path: Path, policy: Path) -> None:
    db = write_shop(tmp_path / "shop.duckdb")
    from_file = run("--db", db, "--manifest", policy, "-f", "json", "--all")

    with answering(db) as url:
        from_collector = run("--url", url, "--manifest", policy, "-f", "json", "--all")

    assert from_collector.stdout == from_file.stdout
    assert from_collector.exit_code == from_file.exit_code == 1


def test_a_receivers_refusal_of_a_credential_stays_refused(shop: duckdb.DuckDBPyConnection) -> None:
    draw(shop, *good_spans())
    analyse(shop)
    call = run_report(shop, "calls", WITH_PATHS)[0] | {"verdict": "denied", "reason": "signature_invalid"}

    assert [row["change"] for row in replay([call], [vercel(), settings()])] == ["same"]


def test_a_grant_of_another_environment_lets_nothing_through(shop: duckdb.DuckDBPyConnection) -> None:
    draw(shop, *good_spans())
    analyse(shop)
    calls = run_report(shop, "calls", WITH_PATHS)

    narrowed = replace(vercel(), grants=tuple(replace(g, environment="preview") for g in vercel().grants))

    assert {row["change"] for row in replay(calls, [narrowed, settings()]) if row["caller"]} == {"breaks"}


@pytest.mark.slow
def test_no_calls_and_no_manifest_are_told(tmp_path: Path, policy: Path) -> None:
    db = write_shop(tmp_path / "shop.duckdb")

    nothing = run("--db", db, "--manifest", policy, "--callee", "nobody")
    unread = run("--db", db, "--manifest", tmp_path / "absent.json")

    assert (nothing.exit_code, unread.exit_code) == (0, 2)
    assert "no calls" in nothing.stderr
    assert "absent.json" in unread.output
