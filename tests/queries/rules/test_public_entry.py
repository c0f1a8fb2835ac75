"""public-entry: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import duckdb
import pytest
from drawing import CLIENT, SERVER, S, span
from judging import found
from shop_policy import EDGE, settings, vercel

from bindtrace.propagation.manifest import Probe
from bindtrace.queries.policy import install_policy

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


def _probed(con: duckdb.DuckDBPyConnection, **more: Any) -> None:
    probe = Probe("lb", ("35.191.0.0/16",), None, ("^/healthz$",), "bindtrace.toml", 9)
    install_policy(con, [vercel(), replace(settings(), probes=(replace(probe, **more),))])


def test_trap_a_load_balancers_health_check_is_no_visitor(con: duckdb.DuckDBPyConnection) -> None:
    _probed(con)

    assert not found(
        con, RULE, span("ledger-api", SERVER, 1, client_address="35.191.3.4", url_path="/healthz")
    )


@pytest.mark.parametrize(
    ("address", "path", "more"),
    [
        ("35.191.3.4", "/admin", {}),
        ("93.184.216.34", "/healthz", {}),
        ("35.191.3.4", "/healthz", {"user_agent": "GoogleHC/"}),
    ],
)
def test_flags_what_is_only_in_part_a_probe(
    con: duckdb.DuckDBPyConnection, address: str, path: str, more: dict[str, Any]
) -> None:
    _probed(con, **more)

    assert found(con, RULE, span("ledger-api", SERVER, 1, client_address=address, url_path=path))


def test_flags_a_browser_that_reached_what_is_not_open(shop: duckdb.DuckDBPyConnection) -> None:
    browser = {"telemetry.sdk.language": "webjs"}

    (row,) = found(
        shop,
        RULE,
        span("web", CLIENT, 1, server_host=EDGE, url_path="/ledger", resource=browser),
        span("ledger-api", SERVER, 2, 1),
    )

    assert (row["caller"], row["callee"]) == ("web", "ledger")
