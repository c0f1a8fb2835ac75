"""What the spans of a test come to: hops as the report tells them, and as the table has them."""

from __future__ import annotations

from typing import Any

import duckdb

from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
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


def told(con: Con, *columns: str) -> list[tuple[Any, ...]]:
    """The stored hops of one run, by column of the table."""
    analyse(con)
    return sorted(con.execute(f"select {', '.join(columns)} from hops").fetchall(), key=str)
