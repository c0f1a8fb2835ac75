"""Calls between Workers, judged by their wrangler configurations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from drawing import CLIENT, SERVER, draw, span
from judging import found

from bindtrace.propagation.platforms import cloudflare, cloudflare_deployed
from bindtrace.propagation.platforms.linking import linked
from bindtrace.queries.analyse import analyse
from bindtrace.queries.policy import install_policy

Con = duckdb.DuckDBPyConnection
BOUND = {"services": [{"binding": "LEDGER", "service": "ledger"}]}
CHECKOUT = {"name": "checkout", "workers_dev": False} | BOUND
LEDGER = {
    "name": "ledger",
    "routes": [{"pattern": "ledger.shop.example", "custom_domain": True}],
    "workers_dev": True,
    "env": {"staging": {"workers_dev": False}},
}


@pytest.fixture
def workers(con: Con) -> Con:
    def config(of: dict[str, Any]) -> str:
        return json.dumps(of, indent=1)

    install_policy(
        con,
        linked(
            [
                cloudflare.read(Path("checkout/wrangler.json"), config(CHECKOUT)),
                cloudflare.read(Path("ledger/wrangler.json"), config(LEDGER)),
            ]
        ),
    )
    return con


def hops(con: Con, columns: str, *spans: Any) -> list[tuple[Any, ...]]:
    draw(con, *spans)
    analyse(con)
    return con.execute(f"select {columns} from hops where caller is not null order by all").fetchall()


@pytest.mark.parametrize("host", ["ledger.acme.workers.dev", "ledger.shop.example"])
def test_a_worker_reached_by_its_public_host_is_named_and_its_binding_told(workers: Con, host: str) -> None:
    # Cloudflare neither sends nor takes trace context by public roads: the callee's span is in another trace.
    (row,) = found(workers, "public-route", span("checkout", CLIENT, 1, server_host=host, url_scheme="https"))

    assert (row["caller"], row["callee"]) == ("checkout", "ledger")
    assert "LEDGER" in row["fix"]
    assert (row["source"]["file"], row["source"]["line"]) == ("checkout/wrangler.json", 5)


def test_a_worker_of_another_name_under_workers_dev_is_nobody_of_ours(workers: Con) -> None:
    client = span("checkout", CLIENT, 1, server_host="other.acme.workers.dev", url_scheme="https")

    assert hops(workers, "callee, kind, road", client) == [("other.acme.workers.dev", "external", "public")]


def test_a_bound_worker_is_allowed_by_the_line_of_its_binding(workers: Con) -> None:
    spans = (span("checkout", CLIENT, 1), span("ledger", SERVER, 2, 1))

    assert hops(workers, "callee, verdict, reason, binding, grant_line", *spans) == [
        ("ledger", "allowed", "declared", "LEDGER", 5)
    ]


@pytest.mark.parametrize("host", ["anything.example", "ledger.acme.workers.dev", "ledger.shop.example"])
def test_the_host_of_a_bound_request_means_nothing(workers: Con, host: str) -> None:
    spans = (
        span("checkout", CLIENT, 1, server_host=host, url_scheme="https"),
        span("ledger", SERVER, 2, 1, server_host=host),
    )

    assert hops(workers, "callee, road, confidence", *spans) == [("ledger", "binding", None)]


def test_a_parent_that_is_no_worker_shows_no_binding(workers: Con) -> None:
    spans = (
        span("backend", CLIENT, 1, server_host="ledger.shop.example", url_scheme="https"),
        span("ledger", SERVER, 2, 1),
    )

    assert hops(workers, "caller, road", *spans) == [("backend", "public")]


def test_an_environment_is_known_by_the_workers_name(workers: Con) -> None:
    spans = (span("ledger-staging", CLIENT, 1), span("ledger", SERVER, 2, 1))

    assert hops(workers, "caller, caller_env, callee, callee_env, verdict", *spans) == [
        ("ledger-staging", "staging", "ledger", None, "denied")
    ]


def test_a_version_is_the_policy_of_its_own_calls_and_of_no_other_worker(con: Con) -> None:
    wrangler = cloudflare.read(Path("wrangler.json"), json.dumps({"name": "checkout"} | BOUND))
    front = {"name": "front", "services": [{"binding": "CHECKOUT", "service": "checkout"}]}
    before = {"id": "v1", "resources": {"bindings": []}}
    kept = cloudflare_deployed.read(Path("checkout.v1.json"), json.dumps(before))
    install_policy(con, [wrangler, cloudflare.read(Path("front/wrangler.json"), json.dumps(front)), kept])

    of_version = hops(
        con,
        "trace_id, caller, callee, verdict",
        span("front", CLIENT, 1),
        span("checkout", SERVER, 2, 1, deployment="v1"),
        span("checkout", CLIENT, 3, 2, deployment="v1"),
        span("ledger", SERVER, 4, 3),
        span("checkout", CLIENT, 5, trace=2),
        span("ledger", SERVER, 6, 5, trace=2),
    )

    assert [row[1:] for row in of_version] == [
        ("checkout", "ledger", "denied"),
        ("front", "checkout", "allowed"),
        ("checkout", "ledger", "allowed"),
    ]
