"""Declared ranges, egress addresses and browsers: what they make of the road of a call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import duckdb
import pytest
from drawing import CLIENT, SERVER, draw, span
from shop_policy import EDGE, settings, vercel

from bindtrace.propagation.manifest import AddressRange, DeclaredService, RangeKind
from bindtrace.queries.analyse import analyse
from bindtrace.queries.policy import install_policy

Con = duckdb.DuckDBPyConnection


def ranges(con: Con, *rows: tuple[str, RangeKind, str | None]) -> None:
    declared = tuple(AddressRange(cidr, kind, service, "bindtrace.toml", 9) for cidr, kind, service in rows)
    install_policy(con, [vercel(), replace(settings(), ranges=declared)])


def called(con: Con, callee: dict[str, Any] | None = None, **client: Any) -> tuple[str, str | None]:
    """Road and confidence of one call from orders to inventory."""
    draw(con, span("orders", CLIENT, 1, **client), span("inventory", SERVER, 2, 1, **(callee or {})))
    analyse(con)
    (row,) = con.execute("select road, confidence from hops").fetchall()
    return row


@pytest.mark.parametrize("address", ["52.1.2.3", "2600:1f18::7", "64:ff9b::52.1.2.3"])
def test_a_public_address_that_is_declared_internal_is_inside(con: Con, address: str) -> None:
    ranges(con, ("52.0.0.0/8", "internal", None), ("2600:1f18::/32", "internal", None))

    assert called(con, server_host=f"[{address}]" if ":" in address else address) == ("private", None)


def test_without_the_declaration_the_same_address_is_public(shop: Con) -> None:
    assert called(shop, server_host="52.1.2.3", network_peer_address="52.1.2.3") == ("public", "suspected")


def test_the_narrowest_range_counts(con: Con) -> None:
    ranges(con, ("10.0.0.0/8", "internal", None), ("10.9.0.0/16", "public", None))

    assert called(con, server_host="10.9.1.1", network_peer_address="10.9.1.1")[0] == "public"


def test_name_and_declared_public_address_are_probable(con: Con) -> None:
    ranges(con, ("10.9.0.0/16", "public", None))

    assert called(con, server_host=EDGE, network_peer_address="10.9.1.1") == ("public", "probable")


def test_a_public_name_with_an_address_declared_internal_stays_inside(con: Con) -> None:
    ranges(con, ("52.0.0.0/8", "internal", None))

    assert called(con, server_host=EDGE, network_peer_address="52.1.2.3")[0] == "private"


def test_a_callee_that_sees_its_callers_own_egress_address_was_reached_from_outside(con: Con) -> None:
    ranges(con, ("198.51.100.7/32", "egress", "orders"))

    # behind a load balancer of a private address the name shows nothing
    found = called(con, {"client_address": "198.51.100.7"}, network_peer_address="10.0.0.9")

    assert found == ("public", "suspected")


def test_egress_and_public_name_confirm(con: Con) -> None:
    ranges(con, ("198.51.100.7/32", "egress", None))

    assert called(con, {"client_address": "198.51.100.7"}, server_host=EDGE) == ("public", "confirmed")


def test_trap_a_forwarded_browsers_address_is_no_egress_of_the_caller(shop: Con) -> None:
    found = called(shop, {"client_address": "93.184.216.34"}, network_peer_address="10.0.0.9")

    assert found == ("private", None)


@pytest.mark.parametrize("declared", [True, False])
def test_a_browser_calls_from_outside(con: Con, declared: bool) -> None:
    app = DeclaredService("bindtrace", "", "web", None, "bindtrace.toml", 3, outside=True)
    install_policy(con, [vercel(), replace(settings(), services=(app,) if declared else ())])
    browser = {} if declared else {"telemetry.sdk.language": "webjs"}
    draw(
        con,
        span("web", CLIENT, 1, server_host=EDGE, url_path="/", resource=browser),
        span("storefront", SERVER, 2, 1),
        span("web", CLIENT, 3, server_host=EDGE, url_path="/ledger", resource=browser),
        span("ledger-api", SERVER, 4, 3),
    )
    analyse(con)

    assert con.execute("select callee, road, verdict from hops order by callee").fetchall() == [
        ("ledger", "public", "denied"),
        ("storefront", "public", "allowed"),
    ]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("10.0.0.7", True), ("10.0.0.7:80", True), ("[2600::7]:8080", True), ("::1", True), ("cafe.bad", False),
        ("ledger.internal:80", False), ("abc:80", False), ("", False), (None, False),
    ],
)  # fmt: skip
def test_an_address_is_told_from_a_name(con: Con, host: str | None, expected: bool) -> None:
    assert con.execute("select host_is_address(?)", [host]).fetchone() == (expected,)
