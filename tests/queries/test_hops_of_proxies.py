"""Sidecars, gateways and edges: when a proxy folds into a call, and when it is a service."""

from __future__ import annotations

import duckdb
from drawing import CLIENT, INTERNAL, SERVER, draw, span
from folding import evidence, hops, told

from bindtrace.queries.catalog import run_report
from bindtrace.queries.query import Query

Con = duckdb.DuckDBPyConnection


def test_sidecars_of_both_sides_fold_into_one_hop(con: Con) -> None:
    draw(
        con,
        span("web", SERVER, 1),
        span("web", CLIENT, 2, 1),
        span("web", CLIENT, 3, 2, component="proxy"),
        span("api", SERVER, 4, 3, component="proxy"),
        span("api", CLIENT, 5, 4, component="proxy"),
        span("api", SERVER, 6, 5),
    )

    assert hops(con) == [(None, "web"), ("web", "api")]
    assert evidence(con, "web", "api") == [2, 3, 4, 5, 6]


def test_proxies_that_are_the_only_witnesses_are_the_services(con: Con) -> None:
    draw(
        con,
        span("gateway", CLIENT, 1, component="proxy"),
        span("page", SERVER, 2, 1, component="proxy"),
        span("page", CLIENT, 3, 2, component="proxy"),
        span("reviews", SERVER, 4, 3, component="proxy"),
    )

    assert hops(con) == [("gateway", "page"), ("page", "reviews")]


def test_a_sidecars_last_leg_to_its_own_application_is_not_a_hop(con: Con) -> None:
    draw(
        con,
        span("api", SERVER, 1, component="proxy"),
        span("api", CLIENT, 2, 1, component="proxy", network_peer_address="127.0.0.1"),
    )

    assert hops(con) == [(None, "api")]
    assert evidence(con, None, "api") == [1, 2]


def test_a_gateways_call_to_a_service_without_telemetry_is_a_hop(con: Con) -> None:
    draw(
        con,
        span("gateway", SERVER, 1, component="proxy"),
        span(
            "gateway",
            CLIENT,
            2,
            1,
            component="proxy",
            network_peer_address="10.0.0.9",
            server_host="api.internal",
        ),
    )

    assert ("gateway", "api.internal", "external") in hops(con, "caller", "callee", "kind")


def test_a_declared_edge_is_folded_into_the_call_it_carries(shop: Con) -> None:
    draw(
        shop,
        span("orders", SERVER, 1),
        span("orders", CLIENT, 2, 1, server_host="shop.example"),
        span("edge", SERVER, 3, 2),
        span("edge", INTERNAL, 4, 3),
        span("edge", CLIENT, 5, 4),
        span("inventory", SERVER, 6, 5),
    )

    assert ("orders", "inventory", "public", "confirmed") in hops(
        shop, "caller", "callee", "road", "confidence"
    )
    assert evidence(shop, "orders", "inventory") == [2, 3, 5, 6]


def test_an_edge_that_answers_by_itself_is_the_callee(shop: Con) -> None:
    draw(shop, span("orders", CLIENT, 1, server_host="shop.example"), span("edge", SERVER, 2, 1))

    assert hops(shop) == [("orders", "edge")]


def test_tries_that_a_proxy_made_below_one_client_span_are_one_call(con: Con) -> None:
    draw(
        con,
        span("web", CLIENT, 1, ms=30),
        span("web", CLIENT, 2, 1, component="proxy", ms=5), span("api", SERVER, 3, 2, error=True, ms=4),
        span("web", CLIENT, 4, 1, component="proxy", at_ms=10, ms=5), span("api", SERVER, 5, 4, at_ms=11, ms=4),
        span("api", CLIENT, 6, 3, at_ms=1, ms=1), span("db", SERVER, 7, 6, at_ms=1, ms=1),
    )  # fmt: skip

    assert told(con, "caller", "callee", "attempts") == [("api", "db", 1), ("web", "api", 2)]
    assert [row["signature"] for row in run_report(con, "chains", Query())] == [["web", "api", "db"]]


def test_a_gateway_that_sent_traceparent_twice_is_not_skipped(con: Con) -> None:
    """@fastify/http-proxy under undici's instrumentation: the callee took the header that the gateway had received."""
    draw(
        con,
        span("web", CLIENT, 1, ms=50),
        span("gateway", SERVER, 2, 1, at_ms=1, ms=48),
        span("gateway", CLIENT, 3, 2, at_ms=2, ms=40, server_host="api.internal"),
        span("api", SERVER, 4, 1, at_ms=5, ms=30),
    )

    assert told(con, "caller", "callee", "grade", "marks") == [
        ("gateway", "api", "inferred", ["duplicate-traceparent"]),
        ("web", "gateway", "claimed", []),
    ]


def test_a_clock_that_is_off_does_not_hide_which_of_two_services_was_the_gateway(con: Con) -> None:
    draw(
        con,
        span("web", CLIENT, 1, ms=50),
        span("gateway", SERVER, 2, 1, at_ms=1, ms=40),
        span("gateway", CLIENT, 3, 2, at_ms=2, ms=30, server_host="api.internal"),
        span("api", SERVER, 4, 1, at_ms=9000, ms=20),
    )

    assert told(con, "caller", "callee") == [("gateway", "api"), ("web", "gateway")]


def test_two_callees_of_one_request_of_which_neither_waited_have_no_caller_that_can_be_named(
    con: Con,
) -> None:
    draw(con, span("web", CLIENT, 1, ms=50), span("gateway", SERVER, 2, 1), span("api", SERVER, 4, 1))

    assert told(con, "caller", "callee", "marks") == [
        ("web", None, ["duplicate-traceparent"]),
        (None, "api", ["duplicate-traceparent"]),
        (None, "gateway", ["duplicate-traceparent"]),
    ]
