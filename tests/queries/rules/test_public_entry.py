"""public-entry: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

import duckdb
from drawing import CLIENT, SERVER, S, span
from judging import found
from shop_policy import EDGE

RULE = "public-entry"


def _visit(callee: str, path: str) -> tuple[S, ...]:
    return (
        span("edge", SERVER, 1, server_host=EDGE, url_path=path),
        span("edge", CLIENT, 2, 1),
        span(callee, SERVER, 3, 2, url_path=path),
    )


def test_flags_a_visitor_whom_the_edge_let_through_to_an_internal_service(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    (row,) = found(shop, RULE, *_visit("ledger-api", "/ledger/export"))

    assert (row["caller"], row["callee"], row["severity"], row["confidence"]) == (
        None,
        "ledger",
        "high",
        "confirmed",
    )
    assert row["fix"].startswith("remove the route /ledger/export to ledger from edge")


def test_flags_a_direct_visitor_with_a_global_address(shop: duckdb.DuckDBPyConnection) -> None:
    assert found(shop, RULE, span("ledger-api", SERVER, 1, client_address="93.184.216.34"))


def test_passes_a_path_that_a_rewrite_declares(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_visit("inventory", "/inventory/7"))


def test_flags_a_path_of_a_public_service_that_no_rewrite_of_its_own_declares(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    assert found(shop, RULE, *_visit("inventory", "/admin"))


def test_trap_a_missing_parent_alone_never_fires(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, span("ledger-api", SERVER, 1), span("ledger-api", SERVER, 2, 99))


def test_trap_an_internal_caller_through_the_edge_is_another_rules(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(
        shop,
        RULE,
        span("orders", CLIENT, 10, server_host=EDGE),
        span("edge", SERVER, 1, 10),
        span("edge", CLIENT, 2, 1),
        span("ledger-api", SERVER, 3, 2),
    )
