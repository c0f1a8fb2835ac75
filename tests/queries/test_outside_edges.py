"""Every edge that outside manifests declare is allowed, and every other call between their services is denied."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import permutations
from pathlib import Path
from typing import Any

import duckdb
import pytest
from drawing import CLIENT, SERVER, S, draw, span
from support import FIXTURES, fixture

from bindtrace.propagation.manifest import Manifest
from bindtrace.propagation.platforms import read_manifest, vercel
from bindtrace.propagation.platforms.linking import linked
from bindtrace.queries.analyse import analyse
from bindtrace.queries.policy import install_policy

Edges = set[tuple[str, str]]
CASES = "vercel-bindings/binding-validation-cases.json"


def expected(name: str, key: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(fixture(name).read_text())[key]
    return listed


def cases_with_edges() -> list[dict[str, Any]]:
    path = FIXTURES / CASES
    cases = json.loads(path.read_text())["cases"] if path.exists() else []
    return [case for case in cases if "edges" in case]


def allowed(con: duckdb.DuckDBPyConnection, manifests: Iterable[Manifest]) -> Edges:
    """What is allowed when each service calls each other one. Everything else is denied, and nothing unknown."""
    policy = linked(manifests)
    install_policy(con, policy)
    seen = {s.service for m in policy for s in m.services} | {g.callee for m in policy for g in m.grants}
    spans: list[S] = []
    for trace, (caller, callee) in enumerate(permutations(sorted(seen), 2), 1):
        spans += [span(caller, CLIENT, 1, trace=trace), span(callee, SERVER, 2, 1, trace=trace)]
    draw(con, *spans)
    analyse(con)
    judged = con.execute("select caller, callee, verdict from hops where caller is not null").fetchall()
    assert len(judged) == len(spans) // 2
    assert {verdict for *_, verdict in judged} <= {"allowed", "denied"}
    return {(caller, callee) for caller, callee, verdict in judged if verdict == "allowed"}


@pytest.mark.parametrize("case", cases_with_edges(), ids=lambda case: case["name"])
def test_vercels_own_cases(con: duckdb.DuckDBPyConnection, case: dict[str, Any]) -> None:
    manifest = vercel.read(Path("vercel.json"), json.dumps(case["config"]))

    assert allowed(con, [manifest]) == {tuple(edge) for edge in case["edges"]}


def test_vercels_examples(con: duckdb.DuckDBPyConnection) -> None:
    bound = fixture("vercel-bindings/examples/services-nextjs-fastapi-bindings.vercel.json")

    assert allowed(con, [read_manifest(bound)]) == {("frontend", "backend")}


@pytest.mark.slow
def test_wrangler_configurations(con: duckdb.DuckDBPyConnection) -> None:
    workers = expected("wrangler/observed-bindings.json", "workers")
    manifests = [read_manifest(fixture(f"wrangler/{worker['file']}")) for worker in workers]
    bound = {(worker["worker"], binding["service"]) for worker in workers for binding in worker["bindings"]}

    assert allowed(con, manifests) == bound


def test_an_app_mesh(con: duckdb.DuckDBPyConnection) -> None:
    nodes = [
        node
        for node in expected("aws-app-mesh/observed-backends.json", "virtualNodes")
        if node["namespace"] == "yelb"
    ]
    manifests = [read_manifest(fixture(f"aws-app-mesh/{node['file']}")) for node in nodes]
    # The walkthrough leaves one ARN to be filled in; what it leads to, nobody can know.
    backends = {
        (node["virtualNode"], backend["virtualService"])
        for node in nodes
        for backend in node["backends"]
        if "<" not in backend["virtualService"]
    }

    assert allowed(con, manifests) == backends
