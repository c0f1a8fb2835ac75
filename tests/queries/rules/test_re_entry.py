"""re-entry: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

import uuid
from dataclasses import replace

import duckdb
from drawing import CLIENT, SERVER, S, span, trace_id
from judging import found
from shop_policy import EDGE, INVENTORY, settings, vercel

from bindtrace.propagation.manifest import DeclaredService
from bindtrace.queries.policy import install_policy

RULE = "re-entry"


def _round(callee: str = "storefront") -> tuple[S, ...]:
    return (
        span(callee, SERVER, 1),
        span(callee, CLIENT, 2, 1),
        span("orders", SERVER, 3, 2),
        span("orders", CLIENT, 4, 3, server_host=EDGE),
        span("edge", SERVER, 5, 4),
        span("edge", CLIENT, 6, 5),
        span(callee, SERVER, 7, 6),
    )


def test_flags_a_chain_that_came_back_to_a_service_that_it_had_passed(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    (row,) = found(shop, RULE, *_round())

    assert (row["caller"], row["callee"], row["severity"], row["confidence"]) == (
        "orders", "storefront", "low", "confirmed",
    )  # fmt: skip
    assert "storefront → orders → storefront left at orders by the public edge edge" in row["message"]


def test_flags_a_chain_that_came_back_as_a_trace_of_its_own(shop: duckdb.DuckDBPyConnection) -> None:
    shop.execute("insert into trace_links values (?, ?, 1)", [uuid.UUID(int=1), uuid.UUID(int=2)])
    claims = {"claimed_chain": trace_id(1), "claimed_hop": 2}

    (row,) = found(
        shop,
        RULE,
        span("storefront", SERVER, 1),
        span("storefront", CLIENT, 2, 1),
        span("orders", SERVER, 3, 2),
        span("orders", CLIENT, 4, 3, server_host=EDGE, **claims),
        span("edge", SERVER, 5, trace=2),
        span("edge", CLIENT, 6, 5, trace=2),
        span("inventory", SERVER, 7, 6, trace=2, claimed_caller="orders", **claims),
    )

    assert (row["callee"], row["severity"]) == ("inventory", "low")
    assert "as a trace of its own" in row["message"]


def test_passes_a_call_by_the_edge_that_goes_on(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(
        shop,
        RULE,
        span("orders", CLIENT, 4, server_host=EDGE),
        span("edge", SERVER, 5, 4),
        span("edge", CLIENT, 6, 5),
        span("inventory", SERVER, 7, 6),
    )


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
