"""From spans to hops: what folds into one call, and who calls whom."""

from __future__ import annotations

import duckdb
from drawing import CLIENT, CONSUMER, INTERNAL, PRODUCER, SERVER, draw, span
from folding import evidence, hops

from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.query import Query

Con = duckdb.DuckDBPyConnection


def test_a_client_span_and_the_server_span_below_it_are_one_hop(con: Con) -> None:
    draw(con, span("web", SERVER, 1), span("web", CLIENT, 2, 1), span("api", SERVER, 3, 2))

    assert hops(con, "caller", "callee", "pairing") == [(None, "web", "none"), ("web", "api", "parent")]
    assert evidence(con, "web", "api") == [2, 3]


def test_a_server_span_right_below_another_services_server_span_is_paired_by_remote_ancestor(
    con: Con,
) -> None:
    draw(con, span("web", SERVER, 1), span("api", SERVER, 3, 1))

    assert ("web", "api", "remote-ancestor", None) in hops(
        con, "caller", "callee", "pairing", "caller_span_id"
    )


def test_nested_server_spans_of_one_process_are_not_a_call(con: Con) -> None:
    draw(con, span("web", SERVER, 1), span("web", SERVER, 2, 1, remote=False), span("web", INTERNAL, 3, 2))

    assert hops(con) == [(None, "web")]


def test_a_service_that_calls_itself_is_a_hop(con: Con) -> None:
    draw(con, span("web", SERVER, 1), span("web", CLIENT, 2, 1), span("web", SERVER, 3, 2))

    assert ("web", "web") in hops(con)


def test_a_root_that_served_nobody_begins_a_chain_without_an_entry(con: Con) -> None:
    draw(con, span("job", INTERNAL, 1), span("job", CLIENT, 2, 1), span("api", SERVER, 3, 2))

    assert hops(con) == [("job", "api")]
    assert run_report(con, "chains", Query())[0]["signature"] == ["job", "api"]


def test_nested_client_spans_are_one_call(con: Con) -> None:
    draw(
        con,
        span("web", CLIENT, 1),
        span("web", CLIENT, 2, 1, server_host="api.example.com"),
    )

    assert len(hops(con)) == 1


def test_the_inner_client_span_that_reached_the_callee_speaks_for_the_call(con: Con) -> None:
    draw(con, span("web", CLIENT, 1), span("web", CLIENT, 2, 1), span("api", SERVER, 3, 2))

    assert hops(con, "caller", "callee", "caller_span_id") == [("web", "api", f"{2:016x}")]
    assert evidence(con, "web", "api") == [1, 2, 3]


def test_a_database_is_a_named_leaf_and_not_a_service(con: Con) -> None:
    draw(con, span("web", CLIENT, 1, db_system="postgresql", db_name="shop"))

    assert hops(con, "caller", "callee", "kind") == [("web", "shop", "database")]


def test_a_producer_and_its_consumer_are_a_message(con: Con) -> None:
    draw(con, span("web", PRODUCER, 1, messaging_system="kafka"), span("mail", CONSUMER, 2, 1))

    assert hops(con, "caller", "callee", "kind") == [("web", "mail", "message")]


def test_a_callee_without_telemetry_is_named_by_its_declared_host(shop: Con) -> None:
    draw(shop, span("orders", CLIENT, 1, server_host="inventory.internal:8080"))

    assert hops(shop, "callee", "kind", "road", "verdict") == [("inventory", "call", "binding", "allowed")]


def test_a_resource_without_a_name_never_takes_its_neighbours(con: Con) -> None:
    draw(
        con,
        span(None, CLIENT, 1, resource={"host.name": "a"}),
        span(None, SERVER, 2, 1, resource={"host.name": "b"}),
        span("api", SERVER, 3),
    )

    assert hops(con) == [(None, "api"), ("unknown_service", "unknown_service")]


def test_telemetry_names_are_mapped_to_manifest_names_in_spans_and_in_claims(shop: Con) -> None:
    draw(shop, span("billing", CLIENT, 1), span("ledger-api", SERVER, 2, 1, claimed_callee="ledger-api"))

    assert hops(shop, "caller", "callee", "verdict") == [("billing", "ledger", "allowed")]


def test_a_chain_that_begins_with_a_call_to_nobody_known_says_so(con: Con) -> None:
    draw(con, span("job", INTERNAL, 1), span("job", CLIENT, 2, 1))

    analyse(con)

    assert con.execute("select callee, path from hops").fetchall() == [(None, ["job", "(unseen)"])]
