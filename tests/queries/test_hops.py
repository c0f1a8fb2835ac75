"""What is one call, and what is none: the names of these tests are the specification of a hop."""

from __future__ import annotations

import random
import uuid
from typing import Any

import duckdb
import pytest
from drawing import CLIENT, CONSUMER, INTERNAL, PRODUCER, SERVER, draw, span, trace_id
from shop_policy import settings, vercel

from bindtrace.queries.analyse import analyse, rebuild
from bindtrace.queries.catalog import run_report
from bindtrace.queries.policy import install_policy
from bindtrace.queries.query import Query

Con = duckdb.DuckDBPyConnection


def hops(con: Con, *columns: str) -> list[tuple[Any, ...]]:
    analyse(con)
    wanted = columns or ("caller", "callee")
    rows = run_report(con, "hops", Query())
    found = (tuple(row[column] for column in wanted) for row in rows)
    return sorted(found, key=lambda row: ["" if value is None else str(value) for value in row])


def evidence(con: Con, caller: str | None, callee: str) -> list[int]:
    (row,) = [
        row for row in run_report(con, "hops", Query()) if (row["caller"], row["callee"]) == (caller, callee)
    ]
    return [int(one, 16) for one in row["evidence"]]


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


def test_an_orphan_with_a_claimed_caller_is_a_half_that_says_so(shop: Con) -> None:
    draw(
        shop,
        span("ledger-api", SERVER, 2, 99, claimed_caller="billing", claimed_chain=trace_id(1), claimed_hop=2),
    )

    assert hops(shop, "caller", "callee", "pairing", "grade", "caller_span_id") == [
        ("billing", "ledger", "none", "claimed", None)
    ]


def _broken_call() -> tuple[Any, Any]:
    caller = (
        span("web", SERVER, 1),
        span("web", CLIENT, 2, 1, claimed_chain=trace_id(1), claimed_hop=1, claimed_callee="api"),
    )
    callee = (
        span("api", SERVER, 3, trace=7, claimed_chain=trace_id(1), claimed_hop=1, claimed_caller="web"),
        span("api", CLIENT, 4, 3, trace=7),
        span("db", SERVER, 5, 4, trace=7),
    )
    return caller, callee


def _link(con: Con, load: int) -> None:
    con.execute("insert into trace_links values (?, ?, ?)", [uuid.UUID(int=1), uuid.UUID(int=7), load])


def test_the_binding_header_joins_the_halves_of_a_broken_call_in_whatever_order_they_come(con: Con) -> None:
    caller, callee = _broken_call()
    draw(con, *callee)
    _link(con, 1)
    analyse(con)
    draw(con, *caller)

    assert ("web", "api", "binding-header", "inferred") in hops(con, "caller", "callee", "pairing", "grade")
    assert [row["signature"] for row in run_report(con, "chains", Query())] == [["web", "api", "db"]]
    assert len(run_report(con, "chain", Query(filters={"trace_id": trace_id(7)}))) == 1


def test_a_chain_is_all_of_its_traces_and_nothing_of_a_chain_that_only_shares_its_key(con: Con) -> None:
    caller, callee = _broken_call()
    stranger = span(
        "other", SERVER, 6, trace=9, claimed_chain=trace_id(1), claimed_hop=5, claimed_caller="nobody"
    )
    draw(con, *caller, *callee, stranger)
    _link(con, 1)
    con.execute("insert into trace_links values (?, ?, ?)", [uuid.UUID(int=1), uuid.UUID(int=9), 1])
    analyse(con)

    def traces(asked: int) -> set[str]:
        def below(rows: list[dict[str, Any]]) -> set[str]:
            return {one for row in rows for one in ({row["trace_id"]} | below(row["children"]))}

        return below(run_report(con, "chain", Query(filters={"trace_id": trace_id(asked)})))

    assert traces(1) == traces(7) == {trace_id(1), trace_id(7)}
    assert traces(9) == {trace_id(9)}


def test_two_halves_with_another_hop_number_stay_halves(con: Con) -> None:
    draw(
        con,
        span("web", CLIENT, 2, claimed_chain=trace_id(1), claimed_hop=1),
        span("api", SERVER, 3, trace=7, claimed_chain=trace_id(1), claimed_hop=2, claimed_caller="web"),
    )
    _link(con, 1)

    assert {row[0] for row in hops(con, "pairing")} == {"none"}


def test_a_claim_that_the_callers_own_spans_contradict_is_graded_so(shop: Con) -> None:
    draw(shop, span("billing", CLIENT, 1), span("ledger-api", SERVER, 2, 1, claimed_caller="orders"))

    assert hops(shop, "caller", "callee", "grade") == [("billing", "ledger", "contradicted")]


def test_a_public_name_that_resolved_to_a_private_address_stays_inside(shop: Con) -> None:
    draw(
        shop,
        span("orders", CLIENT, 1, server_host="shop.example", network_peer_address="10.1.2.3"),
        span("inventory", SERVER, 2, 1),
    )

    assert hops(shop, "road") == [("private",)]


def test_a_public_name_alone_is_only_suspected(shop: Con) -> None:
    draw(shop, span("orders", CLIENT, 1, server_host="eu.shop.example"), span("inventory", SERVER, 2, 1))

    assert hops(shop, "road", "confidence") == [("public", "suspected")]


def test_a_public_name_with_a_public_address_is_probable(shop: Con) -> None:
    draw(
        shop,
        span("orders", CLIENT, 1, server_host="shop.example", network_peer_address="93.184.216.34"),
        span("inventory", SERVER, 2, 1),
    )

    assert hops(shop, "road", "confidence") == [("public", "probable")]


def test_without_any_manifest_no_call_is_undeclared(con: Con) -> None:
    draw(con, span("web", CLIENT, 1), span("api", SERVER, 2, 1))

    assert hops(con, "verdict", "reason") == [("unknown", "no_manifest")]


def test_plaintext_unknown_and_mtls_never_look_alike(con: Con) -> None:
    draw(
        con,
        span("a", CLIENT, 1, url_scheme="http"), span("b", SERVER, 2, 1),
        span("a", CLIENT, 3), span("b", SERVER, 4, 3),
        span("a", CLIENT, 5, url_scheme="https"), span("b", SERVER, 6, 5),
        span("a", CLIENT, 7), span("b", SERVER, 8, 7, peer_cert_sha256="ab"),
    )  # fmt: skip

    assert hops(con, "protection") == [("mtls",), ("plaintext",), ("tls",), ("unknown",)]


def test_a_span_sent_twice_counts_once(con: Con) -> None:
    draw(con, span("web", CLIENT, 1), span("api", SERVER, 2, 1))
    draw(con, span("web", CLIENT, 1), span("api", SERVER, 2, 1))

    assert hops(con) == [("web", "api")]


def test_a_late_span_reopens_its_trace(con: Con) -> None:
    draw(con, span("web", SERVER, 1), span("web", CLIENT, 2, 1, server_host="api.internal"))
    assert hops(con) == [(None, "web"), ("web", "api.internal")]

    draw(con, span("api", SERVER, 3, 2))

    assert hops(con) == [(None, "web"), ("web", "api")]


@pytest.mark.slow
def test_a_chain_of_two_hundred_services_is_kept_whole(con: Con) -> None:
    draw(con, *(span(f"s{place}", SERVER, place + 1, place or None) for place in range(200)))

    rows = hops(con)

    assert len(rows) == 200
    assert len(run_report(con, "chains", Query())[0]["signature"]) == 200


def test_a_span_that_is_its_own_parent_is_a_root(con: Con) -> None:
    draw(con, span("web", SERVER, 1, 1))

    assert hops(con) == [(None, "web")]


@pytest.mark.slow
def test_incremental_runs_and_a_rebuild_give_the_same_hops(con: Con) -> None:
    """Random traces cut into random loads."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    spans = [
        span(
            dice.choice("abcd"),
            dice.choice([SERVER, CLIENT, INTERNAL, PRODUCER, CONSUMER]),
            place,
            dice.choice([None, *range(1, place)]) if place > 1 else None,
            trace=dice.randrange(1, 6),
            at_ms=dice.random() * 100,
            component=dice.choice([None, None, "proxy"]),
        )
        for place in range(1, 120)
    ]
    dice.shuffle(spans)
    while spans:
        cut = dice.randrange(1, 30)
        draw(con, *spans[:cut])
        spans = spans[cut:]
        analyse(con)
    incremental = con.execute("from hops order by all").fetchall()

    rebuild(con)

    assert incremental
    assert con.execute("from hops order by all").fetchall() == incremental


def test_a_new_policy_judges_the_stored_hops_anew(con: Con) -> None:
    draw(con, span("orders", CLIENT, 1), span("ledger-api", SERVER, 2, 1))
    assert hops(con, "verdict") == [("unknown",)]

    install_policy(con, [vercel(), settings()])

    assert hops(con, "verdict") == [("denied",)]


def test_a_chain_that_begins_with_a_call_to_nobody_known_says_so(con: Con) -> None:
    draw(con, span("job", INTERNAL, 1), span("job", CLIENT, 2, 1))

    analyse(con)

    assert con.execute("select callee, path from hops").fetchall() == [(None, ["job", "unknown"])]
