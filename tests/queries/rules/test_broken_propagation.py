"""broken-propagation: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

import uuid

import duckdb
from drawing import CLIENT, SERVER, S, span, trace_id
from judging import found, subjects

RULE = "broken-propagation"


def _callee(**more: object) -> S:
    return span(
        "inventory", SERVER, 3, trace=2,
        claimed_chain=trace_id(1), claimed_hop=1, claimed_caller="catalog", **more,
    )  # fmt: skip


def test_flags_a_call_that_only_the_header_could_join(shop: duckdb.DuckDBPyConnection) -> None:
    shop.execute("insert into trace_links values (?, ?, 1)", [uuid.UUID(int=1), uuid.UUID(int=2)])

    (row,) = found(
        shop, RULE, span("catalog", CLIENT, 1, claimed_chain=trace_id(1), claimed_hop=1), _callee()
    )

    assert (row["caller"], row["callee"], row["severity"], row["grade"]) == (
        "catalog", "inventory", "low", "inferred",
    )  # fmt: skip
    assert "send traceparent" in row["fix"]


def test_flags_a_root_that_carries_a_claim_though_the_callers_half_is_missing(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    assert subjects(found(shop, RULE, _callee())) == [("catalog", "inventory")]


def test_passes_a_call_with_both_headers(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(
        shop, RULE, span("catalog", CLIENT, 1), span("inventory", SERVER, 2, 1, claimed_caller="catalog")
    )


def test_trap_a_lost_parent_span_is_not_a_lost_header(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, span("inventory", SERVER, 2, 99, claimed_caller="catalog"))


def test_trap_a_first_call_without_header_is_an_entry(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, span("storefront", SERVER, 1))


def test_trap_a_handshake_that_was_refused_had_no_request_to_propagate(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    assert not found(
        shop, RULE,
        span("inventory", SERVER, 2, component="proxy", claimed_caller="catalog", authz_decision="deny",
             authz_reason="peer_cert_expired"),
    )  # fmt: skip
