"""What the collector itself could not see: when it was down, and whose spans it refused."""

from __future__ import annotations

from typing import Any

import duckdb
from drawing import NOON, SECOND, SERVER, draw, span

from bindtrace.collector.store.lives import NOTED_EVERY_NANO, Life
from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.query import Query

HOUR = 3600 * SECOND


def gaps(con: duckdb.DuckDBPyConnection, query: Query = Query()) -> list[tuple[Any, ...]]:  # noqa: B008
    rows = run_report(con, "gaps", query)
    return [(row["what"], row["service"], row["spans"], row["since"], row["until"]) for row in rows]


def lived(con: duckdb.DuckDBPyConnection, *lives: tuple[int, int]) -> None:
    for began, ended in lives:
        life = Life(con, NOON + began)
        life.note(con, NOON + ended, at_once=True)


def test_the_time_between_two_lives_is_a_gap(con: duckdb.DuckDBPyConnection) -> None:
    lived(con, (0, HOUR), (3 * HOUR, 4 * HOUR))

    assert gaps(con) == [("down", None, None, str(NOON + HOUR), str(NOON + 3 * HOUR))]


def test_a_restart_is_none(con: duckdb.DuckDBPyConnection) -> None:
    lived(con, (0, HOUR), (HOUR + 90 * SECOND, 2 * HOUR))

    assert gaps(con) == []


def test_a_gap_is_cut_to_the_window(con: duckdb.DuckDBPyConnection) -> None:
    lived(con, (0, HOUR), (3 * HOUR, 4 * HOUR))

    assert gaps(con, Query(since_unix_nano=NOON + 2 * HOUR)) == [
        ("down", None, None, str(NOON + 2 * HOUR), str(NOON + 3 * HOUR))
    ]
    assert gaps(con, Query(since_unix_nano=NOON + 3 * HOUR)) == []


def test_a_life_is_noted_once_a_minute(con: duckdb.DuckDBPyConnection) -> None:
    life = Life(con, NOON)

    life.note(con, NOON + NOTED_EVERY_NANO - 1)
    early = con.execute("select alive_unix_nano from lives").fetchone()
    life.note(con, NOON + NOTED_EVERY_NANO)

    assert early == (NOON,)
    assert con.execute("select alive_unix_nano from lives").fetchone() == (NOON + NOTED_EVERY_NANO,)


def test_spans_that_were_lost_are_gaps_and_accepted_ones_are_not(con: duckdb.DuckDBPyConnection) -> None:
    for what, spans in (("accepted", 9), ("rejected", 2), ("quarantined", 1), ("refused", 0)):
        con.execute(
            "insert into senders values ('orders', 'x', '1', 'http', ?, '', ?, ?)", [what, spans, NOON]
        )

    assert [row[:3] for row in gaps(con)] == [("quarantined", "orders", 1), ("rejected", "orders", 2)]


def test_coverage_of_a_service_names_its_gaps(con: duckdb.DuckDBPyConnection) -> None:
    lived(con, (0, HOUR), (3 * HOUR, 4 * HOUR))
    con.execute("insert into senders values ('orders', 'x', '1', 'http', 'rejected', 'bad id', 2, ?)", [NOON])
    draw(con, span("orders", SERVER, 1), span("billing", SERVER, 2, trace=2))
    analyse(con)

    rows = {row["service"]: row["gaps"] for row in run_report(con, "coverage", Query())}

    assert rows == {"orders": {"down_s": 7200, "rejected": 2}, "billing": {"down_s": 7200}}
