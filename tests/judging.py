"""Runs one rule over a drawn trace."""

from __future__ import annotations

from typing import Any

import duckdb
from drawing import S, draw

from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.query import Query


def found(con: duckdb.DuckDBPyConnection, rule: str, *spans: S) -> list[dict[str, Any]]:
    """What the rule finds in these spans."""
    draw(con, *spans)
    analyse(con)
    return run_report(con, "findings", Query(filters={"rule": rule}))


def subjects(rows: list[dict[str, Any]]) -> list[tuple[str | None, str]]:
    return [(row["caller"], row["callee"]) for row in rows]
