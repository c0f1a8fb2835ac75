"""What broken, repeated and restarted telemetry means: each oddity has a defined result and a mark."""

from __future__ import annotations

import json
import uuid
from typing import Any

import duckdb
import pytest
from drawing import CLIENT, CONSUMER, NOON, PRODUCER, SERVER, draw, span, trace_id

from bindtrace.queries.analyse import analyse, rebuild
from bindtrace.queries.catalog import run_report
from bindtrace.queries.query import Query

Con = duckdb.DuckDBPyConnection


def told(con: Con, *columns: str) -> list[tuple[Any, ...]]:
    """The stored hops of one run, by column of the table."""
    analyse(con)
    return sorted(con.execute(f"select {', '.join(columns)} from hops").fetchall(), key=str)


def test_zipkins_shared_span_id_is_the_two_spans_it_means(con: Con) -> None:
    draw(
        con,
        span("web", SERVER, 1),
        span("web", CLIENT, 2, 1),
        span("api", SERVER, 2, 1),
        span("api", CLIENT, 3, 2),
    )
    draw(con, span("db", SERVER, 4, 3))

    assert told(con, "caller", "callee", "pairing", "evidence") == [
        ("api", "db", "parent", [3, 4]),
        ("web", "api", "shared-id", [2]),
        (None, "web", "none", [1]),
    ]
    assert ("web", "api", ["shared-id"]) in told(con, "caller", "callee", "marks")


def test_two_services_with_one_span_id_stay_two_and_neither_takes_the_others_name(con: Con) -> None:
    draw(con, span("web", SERVER, 1), span("api", SERVER, 2, 1), span("ads", SERVER, 2, 1))

    assert {row[0] for row in told(con, "callee")} == {"web", "api", "ads"}


def test_copies_with_other_content_keep_the_first_and_say_so(con: Con) -> None:
    draw(con, span("web", CLIENT, 1), span("api", SERVER, 2, 1))
    draw(con, span("api", SERVER, 2, 1, ms=99))

    assert told(con, "caller", "callee", "marks") == [("web", "api", ["conflicting-copies"])]


def test_a_circle_of_parents_begins_with_its_earliest_span(con: Con) -> None:
    draw(
        con,
        span("a", SERVER, 1, 3, at_ms=5), span("b", SERVER, 2, 1, at_ms=0), span("c", SERVER, 3, 2, at_ms=9),
        span("d", SERVER, 4, 3, at_ms=10),
    )  # fmt: skip

    assert told(con, "caller", "callee", "marks") == [
        ("b", "c", []),
        ("c", "a", []),
        ("c", "d", []),
        (None, "b", ["parent-cycle"]),
    ]


def test_two_circles_in_one_trace_are_both_opened(con: Con) -> None:
    draw(con, span("a", SERVER, 1, 2), span("b", SERVER, 2, 1, at_ms=1))
    draw(con, span("c", SERVER, 3, 4), span("d", SERVER, 4, 3, at_ms=1))

    assert told(con, "caller", "callee") == [("a", "b"), ("c", "d"), (None, "a"), (None, "c")]


def test_several_roots_of_one_trace_are_several_chains(con: Con) -> None:
    draw(con, span("web", SERVER, 1), span("job", SERVER, 2), span("api", SERVER, 3, 2))
    analyse(con)

    assert sorted(row["signature"] for row in run_report(con, "chains", Query())) == [["job", "api"], ["web"]]


def test_spans_of_one_trace_hours_apart_are_one_chain(con: Con) -> None:
    draw(con, span("web", CLIENT, 1), span("api", SERVER, 2, 1, at_ms=5 * 3600e3))

    assert told(con, "caller", "callee") == [("web", "api")]


def test_tries_that_say_so_are_one_call_with_its_last_result(con: Con) -> None:
    draw(
        con,
        span("web", SERVER, 1),
        span("web", CLIENT, 2, 1, server_host="api.internal", ms=5, error=True),
        span("web", CLIENT, 3, 1, server_host="api.internal", at_ms=10, ms=5, resend_count=1, error=True),
        span("web", CLIENT, 4, 1, server_host="api.internal", at_ms=20, ms=5, resend_count=2),
        span("api", SERVER, 5, 4, at_ms=21, ms=2),
    )

    assert told(con, "caller", "callee", "attempts", "error", "duration_nano") == [
        ("web", "api", 3, False, 25_000_000),
        (None, "web", 1, False, 10_000_000),
    ]


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


def test_two_like_calls_that_say_nothing_are_two(con: Con) -> None:
    draw(
        con,
        span("web", SERVER, 1),
        span("web", CLIENT, 2, 1, server_host="api.internal"), span("api", SERVER, 3, 2),
        span("web", CLIENT, 4, 1, server_host="api.internal"), span("api", SERVER, 5, 4),
    )  # fmt: skip

    assert told(con, "caller", "callee", "attempts") == [
        ("web", "api", 1),
        ("web", "api", 1),
        (None, "web", 1),
    ]


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


def _link(to_trace: int, to_span: int) -> str:
    return json.dumps([{"trace_id": trace_id(to_trace), "span_id": f"{to_span:016x}"}])


def test_a_span_link_joins_a_message_to_its_producer_in_whatever_order_they_come(con: Con) -> None:
    draw(con, span("mail", CONSUMER, 9, trace=2, links=_link(1, 2)))
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
        span("edge", SERVER, 3, trace=2, links=_link(1, 2)), span("edge", CLIENT, 4, 3, trace=2),
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


@pytest.mark.slow
def test_a_trace_deeper_than_the_walk_is_cut_and_no_span_is_lost(con: Con) -> None:
    draw(con, *(span(f"s{place % 2}", SERVER, place, place - 1 or None) for place in range(1, 1100)))

    analyse(con)

    seen = con.execute(
        "select count(distinct span) from (select unnest(evidence) as span from hops)"
    ).fetchone()
    assert seen == (1099,)


@pytest.mark.slow
def test_a_circle_longer_than_the_walk_ends_and_no_span_is_lost(con: Con) -> None:
    draw(con, *(span(f"s{place % 2}", SERVER, place, place % 1100 + 1) for place in range(1, 1101)))

    analyse(con)

    seen = con.execute(
        "select count(distinct span) from (select unnest(evidence) as span from hops)"
    ).fetchone()
    assert seen == (1100,)


def test_a_clock_that_is_off_is_corrected_for_the_order_and_never_in_the_received_times(con: Con) -> None:
    draw(
        con,
        span("web", SERVER, 1, ms=100, resource={"host.name": "a"}),
        span("web", CLIENT, 2, 1, at_ms=10, ms=80, resource={"host.name": "a"}),
        span("api", SERVER, 3, 2, at_ms=-500, ms=60, resource={"host.name": "b"}),
        span("api", CLIENT, 4, 3, at_ms=-490, ms=20, server_host="db.internal", resource={"host.name": "b"}),
    )
    second = 1_000_000

    rows = told(
        con,
        "callee",
        "start_time_unix_nano",
        "skew_nano",
        "network_nano",
        "corrected_start_unix_nano",
        "marks",
    )

    assert rows == [
        ("api", NOON + 10 * second, -520 * second, 20 * second, NOON + 10 * second, ["clock-skew"]),
        ("db.internal", NOON - 490 * second, 0, None, NOON + 30 * second, []),
        ("web", NOON, 0, None, NOON, []),
    ]


def test_the_critical_path_is_what_the_chain_waited_for(con: Con) -> None:
    draw(
        con,
        span("web", SERVER, 1, ms=100),
        span("web", CLIENT, 2, 1, at_ms=10, ms=30), span("a", SERVER, 3, 2, at_ms=11, ms=28),
        span("web", CLIENT, 4, 1, at_ms=15, ms=10), span("b", SERVER, 5, 4, at_ms=16, ms=8),
        span("web", CLIENT, 6, 1, at_ms=50, ms=40), span("c", SERVER, 7, 6, at_ms=51, ms=38),
    )  # fmt: skip

    assert told(con, "callee", "critical", "critical_nano // 1000000") == [
        ("a", True, 30),
        ("b", False, 0),
        ("c", True, 40),
        ("web", True, 30),
    ]


def test_the_origin_of_an_error_is_the_deepest_call_that_failed(con: Con) -> None:
    draw(
        con,
        span("web", SERVER, 1, error=True),
        span("web", CLIENT, 2, 1, error=True), span("api", SERVER, 3, 2, error=True),
        span("api", CLIENT, 4, 3, error=True), span("db", SERVER, 5, 4, error=True),
        span("api", CLIENT, 6, 3), span("cache", SERVER, 7, 6),
    )  # fmt: skip

    assert told(con, "callee", "error_origin") == [
        ("api", False),
        ("cache", False),
        ("db", True),
        ("web", False),
    ]


@pytest.mark.slow
def test_runs_in_small_bites_end_with_the_same_hops_as_one_run(con: Con) -> None:
    for number in range(1, 8):
        draw(con, span("web", CLIENT, 1, trace=number), span("api", SERVER, 2, 1, trace=number))
    draw(con, span("db", SERVER, 3, 2, trace=1))

    analyse(con, spans_at_once=3)
    bites = con.execute("from hops order by all").fetchall()
    con.execute("delete from analysis")
    analyse(con)

    assert con.execute("from hops order by all").fetchall() == bites
    assert con.execute("select count(*), count(distinct trace_id) from traces").fetchone() == (7, 7)


def test_a_run_that_fails_leaves_hops_and_watermark_as_they_were(con: Con) -> None:
    draw(con, span("web", CLIENT, 1), span("api", SERVER, 2, 1))
    analyse(con)
    before = con.execute("from hops order by all").fetchall(), con.execute("from analysis").fetchall()
    draw(con, span("db", SERVER, 3, 2))
    con.execute("alter table address_ranges rename to hidden")

    with pytest.raises(duckdb.Error):
        analyse(con)
    con.execute("alter table hidden rename to address_ranges")

    assert (
        con.execute("from hops order by all").fetchall(),
        con.execute("from analysis").fetchall(),
    ) == before
    assert analyse(con) == 1
    assert uuid.UUID(int=1) in {row[0] for row in con.execute("select trace_id from hops").fetchall()}
