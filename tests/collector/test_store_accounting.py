"""Counts of senders stay what they were, and stay few."""

from __future__ import annotations

from bindtrace.collector.store.accounting import compact
from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import open_database
from bindtrace.queries.query import Query

HOUR = 3600 * 10**9


def test_counts_are_summed_by_the_hour_and_the_report_says_the_same() -> None:
    con = open_database(None)
    con.execute(
        "insert into senders select 'web', 'opentelemetry', '1.45', 'http', what, reason, 2, tick * ?::ubigint "
        "from range(5000) as t(tick), (values ('accepted', ''), ('rejected', 'span_id')) as w(what, reason)",
        [HOUR // 1000],
    )
    before = run_report(con, "senders", Query())

    compact(con, above=9_999)

    assert run_report(con, "senders", Query()) == before
    assert con.execute("select count(*) from senders").fetchone() == (10,)


def test_few_rows_are_left_as_they_are() -> None:
    con = open_database(None)
    con.execute("insert into senders values ('web', null, null, 'http', 'accepted', '', 1, 5)")
    con.execute("insert into senders values ('web', null, null, 'http', 'accepted', '', 1, 6)")

    compact(con)

    assert con.execute("select count(*) from senders").fetchone() == (2,)
