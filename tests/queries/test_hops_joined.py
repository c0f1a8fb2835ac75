"""Calls left in two traces: what joins their halves, and what must not."""

from __future__ import annotations

import json
import uuid
from typing import Any

import duckdb
import pytest
from drawing import CLIENT, CONSUMER, PRODUCER, SERVER, draw, span, trace_id
from folding import hops, told

from bindtrace.queries.analyse import analyse, rebuild
from bindtrace.queries.catalog import run_report
from bindtrace.queries.query import Query

Con = duckdb.DuckDBPyConnection


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


def _span_link(to_trace: int, to_span: int) -> str:
    return json.dumps([{"trace_id": trace_id(to_trace), "span_id": f"{to_span:016x}"}])


def test_a_span_link_joins_a_message_to_its_producer_in_whatever_order_they_come(con: Con) -> None:
    draw(con, span("mail", CONSUMER, 9, trace=2, links=_span_link(1, 2)))
    analyse(con)
    draw(con, span("web", SERVER, 1), span("web", PRODUCER, 2, 1))

    assert told(con, "caller", "callee", "kind", "pairing", "grade") == [
        ("web", "mail", "message", "link", "claimed"),
        (None, "web", "call", "none", "inferred"),
    ]


def test_a_trace_that_an_edge_restarted_is_still_one_chain(shop: Con) -> None:
    draw(
        shop,
        span("orders", SERVER, 1), span("orders", CLIENT, 2, 1, server_host="shop.example"),
        span("edge", SERVER, 3, trace=2, links=_span_link(1, 2)), span("edge", CLIENT, 4, 3, trace=2),
        span("inventory", SERVER, 5, 4, trace=2),
    )  # fmt: skip

    assert ("orders", "inventory", "public", "confirmed", "link") in told(
        shop, "caller", "callee", "road", "confidence", "pairing"
    )


def test_the_trace_that_a_restarting_proxy_notes_on_its_span_is_read_as_a_link(shop: Con) -> None:
    came = f"00-{trace_id(1)}-{2:016x}-01"
    draw(
        shop,
        span("inventory", SERVER, 3, trace=2, component="proxy", authz_reason="not_applicable_public",
             edge_traceparent=came),
    )  # fmt: skip
    analyse(shop)
    draw(shop, span("orders", SERVER, 1), span("orders", CLIENT, 2, 1, server_host="shop.example"))

    assert ("orders", "inventory", "public", "confirmed", "link") in told(
        shop, "caller", "callee", "road", "confidence", "pairing"
    )


@pytest.mark.parametrize("came", ["", "00-zz", f"00-{'0' * 32}-{'0' * 16}-01", "a,b", "00-" + "a" * 60])
def test_what_a_client_sent_in_place_of_a_trace_joins_nothing(shop: Con, came: str) -> None:
    draw(
        shop,
        span("orders", SERVER, 1), span("orders", CLIENT, 2, 1, server_host="shop.example"),
        span("inventory", SERVER, 3, trace=2, authz_reason="not_applicable_public", edge_traceparent=came),
    )  # fmt: skip

    assert (None, "inventory", "none") in told(shop, "caller", "callee", "pairing")


def test_a_request_id_that_just_one_call_on_either_side_carries_joins_them_as_inferred(con: Con) -> None:
    draw(con, span("web", SERVER, 1, request_id="r-1"), span("web", CLIENT, 2, 1, server_host="api.internal"))
    draw(con, span("api", SERVER, 3, trace=2, request_id="r-1"))

    assert told(con, "caller", "callee", "pairing", "grade") == [
        ("web", "api", "request-id", "inferred"),
        (None, "web", "none", "inferred"),
    ]


def test_a_request_id_that_fits_two_calls_joins_none(con: Con) -> None:
    draw(
        con,
        span("web", SERVER, 1, request_id="r-1"),
        span("web", CLIENT, 2, 1, server_host="api.internal"),
        span("web", CLIENT, 3, 1, server_host="api.internal"),
        span("api", SERVER, 4, trace=2, request_id="r-1"),
    )

    assert {row[0] for row in told(con, "pairing")} == {"none"}


def test_a_ray_id_joins_a_worker_and_its_origin_with_and_without_the_place_behind_it(con: Con) -> None:
    draw(
        con,
        span("web", SERVER, 1, request_id="230b030023ae2822"),
        span("web", CLIENT, 2, 1, server_host="api.internal"),
        span("api", SERVER, 3, trace=2, request_id="230b030023ae2822-SJC"),
    )

    assert told(con, "caller", "callee", "pairing")[0] == ("web", "api", "request-id")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["caller first", "callee first"])
def test_a_proof_joins_the_call_it_was_made_for_whichever_half_comes_last(
    con: Con, order: tuple[int, int]
) -> None:
    halves = [
        (span("web", SERVER, 1), span("web", CLIENT, 2, 1, server_host="10.0.0.1", proof_sha256="a1" * 16)),
        (span("api", SERVER, 3, trace=2, proof_sha256="a1" * 16),),
    ]
    for place in order:
        draw(con, *halves[place])
        analyse(con)

    expected = [("web", "api", "proof", "inferred"), (None, "web", "none", "inferred")]
    assert told(con, "caller", "callee", "pairing", "grade") == expected
    grown = con.execute("from hops order by all").fetchall()
    rebuild(con)
    assert con.execute("from hops order by all").fetchall() == grown


def test_a_proof_that_two_calls_show_joins_none(con: Con) -> None:
    draw(
        con,
        span("web", SERVER, 1),
        span("web", CLIENT, 2, 1, server_host="10.0.0.1", proof_sha256="a1" * 16),
        span("web", CLIENT, 4, 1, server_host="10.0.0.1", proof_sha256="a1" * 16),
        span("api", SERVER, 3, trace=2, proof_sha256="a1" * 16),
    )

    assert {row[0] for row in told(con, "pairing")} == {"none"}
