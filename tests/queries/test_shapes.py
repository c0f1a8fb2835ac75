"""What is decided once for calls that are alike, and what tells two calls apart."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from drawing import CLIENT, SERVER, draw, span

from bindtrace.propagation.conditions import test as shows
from bindtrace.propagation.manifest import Exposure, Manifest
from bindtrace.propagation.matching import Matcher
from bindtrace.propagation.policies import Clause, Policy
from bindtrace.queries.analyse import analyse
from bindtrace.queries.policy import install_policy

Con = duckdb.DuckDBPyConnection
OPENED = Manifest(
    "vercel.json", "vercel", "", "1",
    exposures=(Exposure("vercel", "", "ledger", "/book/*", "^/book/.*$", "vercel.json", 3),),
)  # fmt: skip


def asks(field: str, text: str) -> Manifest:
    policy = Policy(
        "istio", "shop", "ledger", "allow", 2, shows("callee_name", Matcher("exact", "ledger")),
        (Clause(shows(field, Matcher("exact", text)), 8),), "mesh.yaml", 8,
    )  # fmt: skip
    return Manifest("mesh.yaml", "istio", "shop", "m1", policies=(policy,))


def each_differs(con: Con, calls: int = 5, **callee: str) -> None:
    """Calls whose callee's columns differ in their number."""
    for number in range(1, calls + 1):
        numbered = {name: text.format(number) for name, text in callee.items()}
        draw(
            con,
            span("storefront", CLIENT, 1, trace=number),
            span("ledger", SERVER, 2, 1, trace=number, **numbered),
        )
    analyse(con, keep_steps=True)


def shapes(con: Con) -> int:
    return one(con, "select count(*) from shapes")


def one(con: Con, question: str) -> Any:
    (row,) = con.execute(question).fetchall()
    return row[0]


@pytest.mark.parametrize(
    "differing",
    [
        {"network_peer_address": "10.0.0.{}"},
        {"network_peer_address": "198.51.100.{}"},
        {"client_address": "198.51.100.{}"},
        {"http_method": "M{}"},
        {"url_path": "/book/{}"},
    ],
)
def test_what_decides_nothing_is_decided_once(con: Con, differing: dict[str, str]) -> None:
    each_differs(con, **differing)

    assert (shapes(con), one(con, "select count(*) from hops")) == (1, 5)


def test_how_a_caller_was_called_itself_decides_nothing(con: Con) -> None:
    for number, host in enumerate(("one.internal", "two.internal"), 1):
        draw(
            con,
            span("storefront", SERVER, 1, trace=number, server_host=host),
            span("storefront", CLIENT, 2, 1, trace=number),
            span("ledger", SERVER, 3, 2, trace=number),
        )
    analyse(con, keep_steps=True)

    assert one(con, "select count(*) from shapes where caller_trait is not null") == 1


def test_addresses_that_are_classed_differently_are_told_apart(con: Con) -> None:
    each_differs(con, calls=2, network_peer_address="{}0.0.0.1")

    assert shapes(con) == 2


def test_each_call_keeps_its_own_method_and_status(con: Con) -> None:
    for number, (method, status) in enumerate((("GET", 200), ("PUT", 503)), 1):
        draw(
            con,
            span("storefront", CLIENT, 1, trace=number),
            span("ledger", SERVER, 2, 1, trace=number, http_method=method, http_status=status),
        )
    analyse(con, keep_steps=True)

    hops = con.execute("select http_method, http_status, error, outcome from hops order by all").fetchall()
    assert hops == [("GET", 200, False, "passed"), ("PUT", 503, True, "passed")]
    assert shapes(con) == 1


@pytest.mark.parametrize(
    ("field", "text", "differing"),
    [
        ("source_address", "10.0.0.1", {"network_peer_address": "10.0.0.{}"}),
        ("method", "GET", {"http_method": "M{}"}),
        ("path", "/book/1", {"url_path": "/book/{}"}),
    ],
)
def test_what_a_policy_asks_for_tells_calls_apart(
    con: Con, field: str, text: str, differing: dict[str, str]
) -> None:
    install_policy(con, [asks(field, text)])

    each_differs(con, **differing)

    assert shapes(con) == 5


def test_an_entrys_path_tells_calls_apart_where_a_manifest_opens_paths(con: Con) -> None:
    install_policy(con, [OPENED])
    for number in range(1, 4):
        draw(con, span("ledger", SERVER, 2, trace=number, url_path=f"/book/{number}"))
    analyse(con, keep_steps=True)

    assert shapes(con) == 3


def test_an_entrys_path_tells_nothing_where_none_is_opened(con: Con) -> None:
    for number in range(1, 4):
        draw(con, span("ledger", SERVER, 2, trace=number, url_path=f"/book/{number}"))
    analyse(con, keep_steps=True)

    assert shapes(con) == 1
