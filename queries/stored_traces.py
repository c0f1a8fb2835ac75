"""Asks for whole traces by id: within the loads that hold them, as ids alone would be looked for in all of history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import duckdb

from bindtrace.queries import sql_files
from bindtrace.queries.catalog import Row, rows_of
from bindtrace.queries.unsigned import unsigned

WITHIN: Final = (
    "load_id >= $first_load and (load_id <= $last_load or load_id > $analysed)"
    " and trace_id in (select unnest($traces::uuid[]))"
)
"""Which spans they are: what was not analysed yet has no bounds, and may hold more of any trace."""


Wanted = dict[str, Any]
"""The ids, as `traces`, and between which loads they are."""


def wanted(con: duckdb.DuckDBPyConnection, traces: Sequence[UUID]) -> Wanted:
    """The traces with their bounds."""
    given: Wanted = {"traces": list(traces)}
    return given | rows_of(con.execute(sql_files.folder("traces")["bounds"].text, given))[0]


def of_traces(con: duckdb.DuckDBPyConnection, name: str, traces: Wanted) -> list[Row]:
    """The rows of `traces/NAME.sql`."""
    return asked(con, sql_files.folder("traces")[name].text, traces)


def asked(con: duckdb.DuckDBPyConnection, text: str, traces: Wanted) -> list[Row]:
    """The rows of a statement that takes of `Wanted` what it names."""
    return rows_of(
        con.execute(text, unsigned({key: value for key, value in traces.items() if f"${key}" in text}))
    )
