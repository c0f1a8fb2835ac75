"""Runs one rule over a drawn trace."""

from __future__ import annotations

from typing import Any

import duckdb
from drawing import S, draw

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.queries import sql_files
from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.query import FOREVER, Query
from bindtrace.queries.rules import RULES


def found(con: duckdb.DuckDBPyConnection, rule: str, *spans: S) -> list[dict[str, Any]]:
    """What the rule finds in these spans."""
    draw(con, *spans)
    analyse(con)
    assert not unconcerned(con, rule), "the header's `concerns` leaves out a call that the rule finds"
    return run_report(con, "findings", Query(filters={"rule": rule}))


def unconcerned(con: duckdb.DuckDBPyConnection, name: str) -> list[Any]:
    """Calls that the rule finds, and by its own `concerns` and `needs` does not: a trace by id would not show them."""
    rule = RULES[name]
    if not rule.of_hops:
        return []
    # as queries/concerns.py reads them: of some columns a rule is told no more than whether they are there
    calls = sql_files.folder("traces")["calls"].text.partition("where load_id")[0]
    values = {"since": 0, "until": FOREVER, "environment": None, "now": now_unix_nano()}
    return con.execute(
        f"select trace_id, anchor_span_id, answered from (\n{rule.text}\n) "
        f"except select trace_id, anchor_span_id, answered from (\n{calls}\n) "
        f"where {rule.concerns} and (select bool_or({rule.needs}) from hops)",
        {key: value for key, value in values.items() if f"${key}" in rule.text},
    ).fetchall()


def subjects(rows: list[dict[str, Any]]) -> list[tuple[str | None, str]]:
    return [(row["caller"], row["callee"]) for row in rows]
