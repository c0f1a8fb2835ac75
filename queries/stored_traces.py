"""Asks for whole traces by id: within the loads that hold them, as ids alone would be looked for in all of history."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
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
"""The ids, as `traces`, between which loads they are, and by which policy calls are judged now."""

ANY: Final = "in (select unnest($traces::uuid[]))"
_ONE: Final = "= $traces"
"""The same of one trace, bound as itself: of a list, of which DuckDB looks at each value, half a millisecond more."""


def wanted(con: duckdb.DuckDBPyConnection, traces: Sequence[UUID]) -> Wanted:
    """The traces with their bounds."""
    given: Wanted = {"traces": list(dict.fromkeys(traces))}
    return given | of_traces(con, "bounds", given)[0]


def of_traces(con: duckdb.DuckDBPyConnection, name: str, traces: Wanted) -> list[Row]:
    """The rows of `traces/NAME.sql`."""
    return asked(con, sql_files.folder("traces")[name].text, traces)


def asked(con: duckdb.DuckDBPyConnection, text: str, traces: Wanted) -> list[Row]:
    """The rows of a statement that takes of `Wanted` what it names."""
    return rows_of(con.execute(*bound(text, traces)))


def bound(text: str, traces: Wanted) -> tuple[str, dict[str, Any]]:
    """The statement, or a part of one, for these traces, and the values that it names."""
    ids = traces.get("traces", ())
    values = traces | {"number": len(ids)}
    if len(ids) == 1:
        text = text.replace(ANY, _ONE)
        values["traces"] = ids[0]
    return text, unsigned({key: value for key, value in values.items() if f"${key}" in text})


def spans_of(con: duckdb.DuckDBPyConnection, traces: Wanted) -> list[Row]:
    """The rows of `traces/spans.sql`, each span as it came first, in the order of their beginning."""
    rows = sorted(of_traces(con, "spans", traces), key=itemgetter("load_id"))
    first: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        first.setdefault(_SPAN(row), {key: value for key, value in row.items() if key != "load_id"})
    return sorted(first.values(), key=_BEGINNING)


_SPAN: Final = itemgetter("trace_id", "span_id", "kind", "resource_id")
_BEGINNING: Final = itemgetter("trace_id", "start_time_unix_nano", "span_id")
