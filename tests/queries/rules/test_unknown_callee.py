"""unknown-callee: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

import duckdb
import pytest
from drawing import CLIENT, NOON, SERVER, draw, span
from judging import found, subjects
from shop_policy import LEDGER

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.query import Query

RULE = "unknown-callee"


@pytest.mark.parametrize(
    "host", ["127.0.0.1:7777", "10.1.2.3", "warehouse", "warehouse.internal:8080", "[fd00::1]:80"]
)
def test_flags_a_call_to_an_internal_host_that_nobody_declared(
    shop: duckdb.DuckDBPyConnection, host: str
) -> None:
    rows = found(shop, RULE, span("inventory", CLIENT, 1, server_host=host))

    assert subjects(rows) == [("inventory", host)]
    assert f"declare {host}" in rows[0]["fix"]


def test_passes_a_declared_host(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, span("inventory", CLIENT, 1, server_host=LEDGER))


def test_passes_an_undeclared_host_whose_service_sends_spans(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(
        shop, RULE, span("inventory", CLIENT, 1, server_host="10.1.2.3"), span("billing", SERVER, 2, 1)
    )


def test_trap_a_host_on_the_internet_is_no_internal_callee(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, span("inventory", CLIENT, 1, server_host="api.stripe.com"))


def test_trap_a_database_on_an_internal_host_is_a_database(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, span("inventory", CLIENT, 1, server_host="10.0.0.5", db_system="postgresql"))


def test_trap_without_a_manifest_every_host_is_undeclared_and_none_is_flagged(
    con: duckdb.DuckDBPyConnection,
) -> None:
    assert not found(con, RULE, span("inventory", CLIENT, 1, server_host="10.1.2.3"))


@pytest.mark.parametrize(("settled", "expected"), [(False, []), (True, [("inventory", "10.1.2.3")])])
def test_trap_the_callees_own_spans_of_a_moment_ago_may_still_come(
    shop: duckdb.DuckDBPyConnection, settled: bool, expected: list[tuple[str, str]]
) -> None:
    draw(shop, span("inventory", CLIENT, 1, server_host="10.1.2.3", at_ms=(now_unix_nano() - NOON) / 1e6))
    analyse(shop)

    rows = run_report(shop, "findings", Query(filters={"rule": RULE}, settled=settled))

    assert subjects(rows) == expected
