"""`/tempo/api/search`: the traces that a TraceQL query finds. Only the fields that strict decoders know."""

from __future__ import annotations

from typing import Any

import duckdb

from bindtrace.queries.catalog import rows_of
from bindtrace.queries.stored_traces import of_traces, wanted
from bindtrace.queries.tempo.values import any_value
from bindtrace.queries.traceql.metrics import is_metrics
from bindtrace.queries.traceql.parse import parse
from bindtrace.queries.traceql.search import search_statement, shown_fields, spans_statement
from bindtrace.queries.traceql.syntax import Field, TraceQL, TraceQLError
from bindtrace.queries.unsigned import unsigned

Json = dict[str, Any]
ROOTLESS = "<root span not yet received>"
"""Tempo's own words."""


def search(
    con: duckdb.DuckDBPyConnection, text: str, since: int, until: int, limit: int, spans_each: int
) -> Json:
    """The answer to a search. `since`, `until`: Unix nanoseconds. Raises `TraceQLError`."""
    query = parse(text)
    if is_metrics(query):
        raise query.stages[-1].place.error("a metrics query is asked at /api/metrics/query_range")
    statement = search_statement(query, limit, spans_each)
    window = {"since": since, "until": until}
    found = run(con, statement.text, window | statement.values)
    within = wanted(con, [row["trace_id"] for row in found])
    facts = {row["trace_id"]: row for row in of_traces(con, "summaries", within)}
    spans = _spans(con, query, window | within, [span for row in found for span in row["span_ids"]])
    return {
        "traces": [_trace(facts[row["trace_id"]], row, spans) for row in found],
        "metrics": {"inspectedTraces": len(found), "inspectedBytes": "0"},
    }


def run(con: duckdb.DuckDBPyConnection, text: str, values: Json) -> list[Json]:
    """Rows by column name; of the values those that the text names. Raises `TraceQLError` for a bad pattern."""
    named = {name: value for name, value in values.items() if f"${name}" in text}
    try:
        cursor = con.execute(text, unsigned(named))
    except duckdb.InvalidInputException as error:
        # names and types are our own, so what is invalid here is the asker's pattern (RE2)
        raise TraceQLError(f"a pattern cannot be read: {str(error).splitlines()[0]}") from None
    return rows_of(cursor)


def _spans(
    con: duckdb.DuckDBPyConnection, query: TraceQL, within: Json, spans: list[int]
) -> dict[tuple[Any, int], Json]:
    fields = shown_fields(query)
    statement = spans_statement(fields)
    rows = run(con, statement.text, within | statement.values | {"spans": spans})
    return {(row["trace_id"], row["span_id"]): _span(row, fields) for row in rows}


def _span(row: Json, fields: tuple[Field, ...]) -> Json:
    values = {field.written: row[f"f{place}"] for place, field in enumerate(fields)}
    attributes = [
        {"key": _key(field), "value": any_value(values[field.written])}
        for field in fields
        if values[field.written] is not None
    ]
    return {
        "spanID": f"{row['span_id']:016x}",
        "name": row["name"],
        "startTimeUnixNano": str(row["start_time_unix_nano"]),
        "durationNanos": str(row["duration_nano"]),
        **({"attributes": attributes} if attributes else {}),
    }


def _key(field: Field) -> str:
    return field.written if field.scope == "intrinsic" else field.name


def _trace(facts: Json, found: Json, spans: dict[tuple[Any, int], Json]) -> Json:
    shown = [spans[key] for span in found["span_ids"] if (key := (found["trace_id"], span)) in spans]
    return {
        "traceID": found["trace_id"].hex,
        "rootServiceName": facts["root_service"] or ROOTLESS,
        "rootTraceName": facts["root_name"] or "",
        "startTimeUnixNano": str(facts["start_time_unix_nano"]),
        "durationMs": (facts["end_time_unix_nano"] - facts["start_time_unix_nano"]) // 1_000_000,
        "spanSets": [{"matched": found["matched"], "spans": shown}],
        "serviceStats": {
            service["service"]: {"spanCount": service["spans"], "errorCount": service["errors"]}
            for service in facts["services"]
        },
    }
