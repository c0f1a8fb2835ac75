"""Calls in an App Mesh, seen by its Envoys only and judged by its virtual nodes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from drawing import CLIENT, SERVER, draw, span

from bindtrace.propagation.platforms import appmesh
from bindtrace.propagation.platforms.linking import linked
from bindtrace.queries.analyse import analyse
from bindtrace.queries.policy import install_policy

Con = duckdb.DuckDBPyConnection


def node(name: str, *backends: str) -> dict[str, Any]:
    spec = {
        "listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}],
        "backends": [{"virtualService": {"virtualServiceName": f"{b}.shop.local"}} for b in backends],
    }
    return {"meshName": "shop", "virtualNodeName": name, "spec": spec}


def service(name: str) -> dict[str, Any]:
    provider = {"virtualNode": {"virtualNodeName": name}}
    return {"meshName": "shop", "virtualServiceName": f"{name}.shop.local", "spec": {"provider": provider}}


@pytest.fixture
def mesh(con: Con) -> Con:
    things = [
        node("checkout", "ledger"),
        node("ledger"),
        node("mailer"),
        service("ledger"),
        service("mailer"),
    ]
    install_policy(con, linked([appmesh.read(Path("shop.json"), json.dumps(things, indent=1))]))
    return con


def hops(con: Con, *spans: Any) -> list[tuple[Any, ...]]:
    draw(con, *spans)
    analyse(con)
    columns = "caller, callee, kind, road, verdict, grant_line"
    return con.execute(f"select {columns} from hops where caller is not null order by all").fetchall()


def egress(name: str, to: str, **more: Any) -> Any:
    """As Envoy names itself to a Zipkin tracer, and the cluster that it sent the call to."""
    cluster = f"cds_egress_shop_{to}"
    return span(f"mesh/shop/virtualNode/{name}", CLIENT, 1, component="proxy", proxy_cluster=cluster, **more)


def test_envoys_are_their_nodes_and_a_backend_is_a_grant(mesh: Con) -> None:
    ingress = span("mesh/shop/virtualNode/ledger", SERVER, 2, 1, component="proxy")

    called = egress("checkout", "ledger_http_8080", server_host="ledger.shop.local")
    assert hops(mesh, called, ingress) == [("checkout", "ledger", "call", "binding", "allowed", 15)]


def test_a_cluster_names_the_callee_where_its_own_envoy_is_silent(mesh: Con) -> None:
    ((caller, callee, kind, _, verdict, _),) = hops(mesh, egress("checkout", "mailer_http_8080"))

    assert (caller, callee, kind, verdict) == ("checkout", "mailer", "call", "denied")


def test_what_the_mesh_lets_out_to_anywhere_is_no_service(mesh: Con) -> None:
    ((_, callee, kind, _, verdict, _),) = hops(mesh, egress("checkout", "mesh-allow-all"))

    assert (callee, kind, verdict) == ("cds_egress_shop_mesh-allow-all", "external", "unknown")
