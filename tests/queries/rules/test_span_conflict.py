"""span-conflict: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

import duckdb
from drawing import CLIENT, SERVER, S, span
from judging import found

RULE = "span-conflict"


def _twice(trace: int, name: str) -> tuple[S, ...]:
    return (
        span("orders", CLIENT, 1, trace=trace),
        span("inventory", SERVER, 2, 1, trace=trace),
        span("inventory", SERVER, 2, 1, trace=trace, name=name),
    )


def test_flags_one_id_with_two_contents(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(shop, RULE, *_twice(1, "another"))

    assert (row["caller"], row["callee"], row["count"], row["severity"]) == ("orders", "inventory", 1, "low")
    assert "1 of 1 calls to inventory" in row["message"]


def test_passes_a_span_that_was_sent_twice_unchanged(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_twice(1, "span 2"))


def test_trap_client_and_server_that_share_an_id_are_two_spans(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, span("orders", CLIENT, 1), span("inventory", SERVER, 1))
