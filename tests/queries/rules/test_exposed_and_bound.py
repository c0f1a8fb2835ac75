"""exposed-and-bound: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
from drawing import CLIENT, SERVER, S, calls_over_days, span
from judging import found
from shop_policy import EDGE, INVENTORY

RULE = "exposed-and-bound"


def _calls(callee: str = "inventory", *, days: float = 20) -> Iterator[S]:
    return calls_over_days("orders", callee, days=days, server_host=INVENTORY)


def test_flags_an_open_service_that_only_bindings_call(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(shop, RULE, *_calls())

    assert (row["caller"], row["callee"], row["severity"]) == (None, "inventory", "low")
    assert row["source"] == {"file": "vercel.json", "line": 40}
    assert (
        "open to the outside (/inventory/(.*)), and in 20 days all of its 60 calls came from inside"
        in row["message"]
    )


def test_passes_a_service_that_visitors_use(shop: duckdb.DuckDBPyConnection) -> None:
    visit = (
        span("edge", SERVER, 1, trace=1000, server_host=EDGE, url_path="/inventory/7"),
        span("edge", CLIENT, 2, 1, trace=1000),
        span("inventory", SERVER, 3, 2, trace=1000),
    )

    assert not found(shop, RULE, *_calls(), *visit)


def test_passes_a_service_that_is_not_open(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_calls("ledger-api"))


def test_trap_a_call_by_nobody_knows_whom_may_be_a_visitors(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_calls(), span("inventory", SERVER, 3, trace=1000))


def test_trap_a_week_is_too_short(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_calls(days=7))
