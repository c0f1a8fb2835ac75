"""public-route: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest
from drawing import CLIENT, SERVER, S, span
from judging import found, subjects
from shop_policy import EDGE, INVENTORY, settings, vercel

from bindtrace.propagation.manifest import DeclaredService, Grant
from bindtrace.queries.policy import install_policy

RULE = "public-route"


def _through_the_edge() -> tuple[S, ...]:
    return (
        span("orders", CLIENT, 1, server_host=EDGE, url_scheme="https", ms=30),
        span("edge", SERVER, 2, 1),
        span("edge", CLIENT, 3, 2),
        span("inventory", SERVER, 4, 3),
    )


def test_flags_an_internal_call_through_the_edge_and_names_the_variable(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    (row,) = found(shop, RULE, *_through_the_edge())

    assert (row["caller"], row["callee"], row["severity"], row["confidence"]) == (
        "orders", "inventory", "medium", "confirmed",
    )  # fmt: skip
    assert row["fix"].startswith("call the address in INVENTORY_URL instead of shop.example")


def test_says_how_much_slower_the_public_way_was(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(
        shop,
        RULE,
        *_through_the_edge(),
        span("orders", CLIENT, 11, server_host=INVENTORY, ms=5),
        span("inventory", SERVER, 12, 11),
    )

    assert "25.0 ms slower than inside (median 30.0 against 5.0 ms)" in row["message"]


def test_plaintext_on_the_public_road_is_worse(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(
        shop,
        RULE,
        span("orders", CLIENT, 1, server_host=EDGE, url_scheme="http"),
        span("inventory", SERVER, 2, 1),
    )

    assert row["severity"] == "high"


def test_passes_a_call_by_the_binding(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(
        shop, RULE, span("orders", CLIENT, 1, server_host=INVENTORY), span("inventory", SERVER, 2, 1)
    )


def test_trap_a_visitor_that_comes_by_the_edge_is_no_internal_caller(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(
        shop,
        RULE,
        span("edge", SERVER, 1, server_host=EDGE, url_path="/"),
        span("edge", CLIENT, 2, 1),
        span("storefront", SERVER, 3, 2),
    )


def test_trap_split_horizon_a_public_name_with_a_private_address(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(
        shop,
        RULE,
        span("orders", CLIENT, 1, server_host=EDGE, network_peer_address="10.0.0.7"),
        span("inventory", SERVER, 2, 1),
    )


def test_a_sidecar_that_makes_the_peer_loopback_hides_nothing(shop: duckdb.DuckDBPyConnection) -> None:
    rows = found(
        shop,
        RULE,
        span("orders", CLIENT, 1, server_host=EDGE, network_peer_address="127.0.0.1"),
        span("inventory", SERVER, 2, 1),
    )

    assert subjects(rows) == [("orders", "inventory")]


def test_trap_somebody_elses_public_host_is_not_ours(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, span("orders", CLIENT, 1, server_host="api.stripe.com"))


def test_flags_a_credential_that_travelled_outside_as_worse(shop: duckdb.DuckDBPyConnection) -> None:
    token = {
        "verified_caller": "spiffe://shop/project/p/env/prod/service/orders/deployment/d",
        "authz_reason": "ok",
    }

    (row,) = found(
        shop, RULE, span("orders", CLIENT, 1, server_host=EDGE), span("inventory", SERVER, 2, 1, **token)
    )

    assert (row["severity"], row["grade"]) == ("high", "verified")


def test_flags_an_address_alone_as_less(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(
        shop, RULE, span("orders", CLIENT, 1, server_host="52.1.2.3:80"), span("inventory", SERVER, 2, 1)
    )

    assert (row["severity"], row["confidence"]) == ("low", "suspected")


def test_names_the_variable_that_other_calls_used_where_no_manifest_does(
    con: duckdb.DuckDBPyConnection,
) -> None:
    install_policy(con, [settings()])

    (row,) = found(
        con,
        RULE,
        span("orders", CLIENT, 1, server_host=EDGE),
        span("inventory", SERVER, 2, 1),
        span("orders", CLIENT, 11, server_host=INVENTORY, binding_name="STOCK_URL"),
        span("inventory", SERVER, 12, 11),
    )

    assert row["fix"].startswith("call the address in STOCK_URL instead of shop.example")


@pytest.mark.parametrize("change", ["declared public", "granted by the public name", "browser"])
def test_trap_who_has_no_other_way(con: duckdb.DuckDBPyConnection, change: str) -> None:
    public = DeclaredService("bindtrace", "", "ledger", "public", "b.toml", 1)
    related = Grant("vercel", "", None, "orders", "ledger", None, "vercel.json", 9, road="public")
    install_policy(
        con,
        [
            replace(vercel(), grants=(related,) if change == "granted by the public name" else ()),
            replace(settings(), services=(public,) if change == "declared public" else ()),
        ],
    )
    browser = {"telemetry.sdk.language": "webjs"} if change == "browser" else {}

    assert not found(
        con,
        RULE,
        span("orders", CLIENT, 1, server_host=EDGE, resource=browser),
        span("ledger-api", SERVER, 2, 1),
    )
