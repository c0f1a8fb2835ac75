"""re-entry: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from dataclasses import replace

import duckdb
from drawing import CLIENT, SERVER, S, span
from judging import found
from shop_policy import EDGE, INVENTORY, settings, vercel

from bindtrace.propagation.manifest import DeclaredService
from bindtrace.queries.policy import install_policy

RULE = "re-entry"


def _round(callee: str = "inventory") -> tuple[S, ...]:
    return (
        span("storefront", SERVER, 1),
        span("storefront", CLIENT, 2, 1),
        span("orders", SERVER, 3, 2),
        span("orders", CLIENT, 4, 3, server_host=EDGE),
        span("edge", SERVER, 5, 4),
        span("edge", CLIENT, 6, 5),
        span(callee, SERVER, 7, 6),
    )


def test_flags_a_chain_that_left_by_the_edge_and_came_back(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(shop, RULE, *_round())

    assert (row["caller"], row["callee"], row["severity"], row["confidence"]) == (
        "orders", "inventory", "low", "confirmed",
    )  # fmt: skip
    assert "storefront → orders → inventory left at orders by the public edge edge" in row["message"]


def test_passes_a_chain_that_stays_inside(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(
        shop, RULE, span("orders", CLIENT, 1, server_host=INVENTORY), span("inventory", SERVER, 2, 1)
    )


def test_trap_a_visitor_who_comes_in_by_the_edge_left_nothing(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(
        shop,
        RULE,
        span("edge", SERVER, 1, server_host=EDGE, url_path="/"),
        span("edge", CLIENT, 2, 1),
        span("storefront", SERVER, 3, 2),
    )


def test_trap_a_service_that_is_public_on_purpose_and_has_no_binding(con: duckdb.DuckDBPyConnection) -> None:
    public = DeclaredService("bindtrace", "", "ledger", "public", "b.toml", 1)
    install_policy(con, [vercel(), replace(settings(), services=(public,))])

    assert not found(con, RULE, *_round("ledger-api"))
