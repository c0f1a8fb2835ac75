"""Findings that outlive the hops they were found in: kept as rows when those are dropped, and told with the others.

Only those of rules that name calls: what a rule concludes of a whole window has no meaning for a day of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import duckdb

from bindtrace.queries.database import reader
from bindtrace.queries.lake.place import NAME, is_attached
from bindtrace.queries.query import Query
from bindtrace.queries.rules import RULES, findings, in_order

Connection = duckdb.DuckDBPyConnection
Row = dict[str, Any]


def keep(con: Connection, condition: str) -> None:
    """Writes what is found in the lake's hops of some days, which `condition` names; in the caller's transaction."""
    days = con.execute(
        f"""
        select day::varchar, min(start_time_unix_nano), max(start_time_unix_nano) + 1
        from {NAME}.main.hops where {condition} group by day order by day
        """
    ).fetchall()
    own = reader(con)
    try:
        kept = [
            (day, json.dumps(row))
            for day, first, last in days
            for row in findings(own, Query(since_unix_nano=first, until_unix_nano=last, settled=True))
            if RULES[row["rule"]].of_hops
        ]
    finally:
        own.close()
    if kept:
        con.executemany(f"insert into {NAME}.main.findings values (?::date, ?)", kept)


def with_kept(con: Connection, rows: list[Row], query: Query) -> list[Row]:
    """The rows, and what was kept of the window; of one finding one row, with all that was counted."""
    if not is_attached(con):
        return rows
    told = con.execute(f"select finding from {NAME}.main.findings order by day").fetchall()
    kept = [row for (text,) in told if _asked(row := json.loads(text), query)]
    return in_order(_joined([*kept, *rows])) if kept else rows


def _joined(rows: Iterable[Row]) -> Iterable[Row]:
    """The last of a finding is the newest, and says what it says now."""
    by_id: dict[str, Row] = {}
    for row in rows:
        if (earlier := by_id.get(row["id"])) is not None:
            row = row | {
                "count": row["count"] + earlier["count"],
                "first_seen": min(row["first_seen"], earlier["first_seen"], key=int),
                "last_seen": max(row["last_seen"], earlier["last_seen"], key=int),
            }
        by_id[row["id"]] = row
    return by_id.values()


def _asked(row: Row, query: Query) -> bool:
    return (
        query.filters.get("rule") in (None, row["rule"])
        and query.environment in (None, row["caller_env"], row["callee_env"])
        and int(row["last_seen"]) >= query.since_unix_nano
        and int(row["first_seen"]) < query.until_unix_nano
    )
