"""trace-spoof: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from dataclasses import replace

import duckdb
from drawing import CLIENT, SERVER, S, span
from judging import found, subjects
from shop_policy import EDGE, INVENTORY

RULE = "trace-spoof"


MINUTE_MS = 60_000


def _visit(at_ms: float, **entry: object) -> tuple[S, ...]:
    """A visitor at the edge who names a parent that nobody sent."""
    return (
        span("edge", SERVER, 11, 99, server_host=EDGE, url_path="/", at_ms=at_ms),
        span("edge", CLIENT, 12, 11, at_ms=at_ms),
        span("storefront", SERVER, 13, 12, at_ms=at_ms, **entry),
    )


INSIDE = (span("orders", CLIENT, 1, server_host=INVENTORY), span("inventory", SERVER, 2, 1))


def test_flags_a_visitor_who_claims_to_be_a_service_of_ours(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(shop, RULE, *_visit(0, claimed_caller="billing"))

    assert (row["caller"], row["callee"], row["severity"]) == (None, "storefront", "medium")
    assert "Service-Binding header that says billing" in row["message"]


def test_flags_a_claim_that_came_from_an_address_out_there(shop: duckdb.DuckDBPyConnection) -> None:
    rows = found(
        shop,
        RULE,
        span("ledger-api", SERVER, 1, claimed_caller="billing", client_address="93.184.216.34",
             network_peer_address="93.184.216.34"),
    )  # fmt: skip

    assert subjects(rows) == [(None, "ledger")]


def test_flags_a_visitor_who_continues_a_trace_that_was_over(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(shop, RULE, *INSIDE, *_visit(10 * MINUTE_MS))

    assert "had begun inside and was over" in row["message"]


def test_passes_a_visitor_who_begins_a_trace(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(
        shop,
        RULE,
        span("edge", SERVER, 1, server_host=EDGE, url_path="/"),
        span("edge", CLIENT, 2, 1),
        span("storefront", SERVER, 3, 2),
    )


def test_trap_an_internal_call_by_the_edge_whose_first_half_was_lost(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *INSIDE, *_visit(5))


def test_trap_a_partner_who_sends_a_traceparent_of_its_own(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_visit(0))


def test_trap_a_claim_behind_a_proxy_that_passes_the_visitors_address_on(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    assert not found(
        shop,
        RULE,
        span("ledger-api", SERVER, 1, claimed_caller="billing", client_address="93.184.216.34",
             network_peer_address="10.0.0.7"),
    )  # fmt: skip


def test_trap_a_visitor_whose_browser_keeps_one_trace_comes_back_with_it(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    again = [
        replace(one, id=one.id + 20, parent=one.parent and one.parent + 20) for one in _visit(10 * MINUTE_MS)
    ]

    assert not found(shop, RULE, *_visit(0), *again)
