"""What broken and repeated telemetry means: each oddity has a defined result and a mark."""

from __future__ import annotations

import duckdb
import pytest
from drawing import CLIENT, SERVER, draw, span
from folding import hops, told

from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.query import Query

Con = duckdb.DuckDBPyConnection


def test_a_span_sent_twice_counts_once(con: Con) -> None:
    draw(con, span("web", CLIENT, 1), span("api", SERVER, 2, 1))
    draw(con, span("web", CLIENT, 1), span("api", SERVER, 2, 1))

    assert hops(con) == [("web", "api")]


@pytest.mark.slow
def test_a_chain_of_two_hundred_services_is_kept_whole(con: Con) -> None:
    draw(con, *(span(f"s{place}", SERVER, place + 1, place or None) for place in range(200)))

    rows = hops(con)

    assert len(rows) == 200
    assert len(run_report(con, "chains", Query())[0]["signature"]) == 200


def test_a_span_that_is_its_own_parent_is_a_root(con: Con) -> None:
    draw(con, span("web", SERVER, 1, 1))

    assert hops(con) == [(None, "web")]


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
