"""Which traces a Jaeger search means, as TraceQL, so that one search engine answers both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import duckdb

from bindtrace.queries.tempo.search import run
from bindtrace.queries.traceql.search import search_statement
from bindtrace.queries.traceql.syntax import Compare, Condition, Field, Filter, Logic, Place, TraceQL, Value

_HERE: Final = Place(1, 1)


def matching(
    service: str | None,
    operation: str | None,
    tags: Mapping[str, str],
    shortest: int | None = None,
    longest: int | None = None,
) -> TraceQL:
    """Spans with all of these; durations in nanoseconds. Raises `TraceQLError` for an unknown `span.kind`."""
    parts: list[Compare] = []
    if service:
        parts.append(_compare("resource", "service.name", "=", Value("string", service, _HERE)))
    if operation:
        parts.append(_compare("intrinsic", "name", "=", Value("string", operation, _HERE)))
    for key, value in tags.items():
        parts.append(_tag(key, value))
    if shortest is not None:
        parts.append(_compare("intrinsic", "duration", ">=", Value("duration", float(shortest), _HERE)))
    if longest is not None:
        parts.append(_compare("intrinsic", "duration", "<=", Value("duration", float(longest), _HERE)))
    condition: Condition | None = None
    for part in parts:
        condition = part if condition is None else Logic("&&", condition, part)
    return TraceQL(Filter(condition), ())


def found(con: duckdb.DuckDBPyConnection, query: TraceQL, since: int, until: int, limit: int) -> list[UUID]:
    """The latest traces with such a span in the window of Unix nanoseconds."""
    statement = search_statement(query, limit, 1)
    rows: list[dict[str, Any]] = run(con, statement.text, {"since": since, "until": until} | statement.values)
    return [row["trace_id"] for row in rows]


def _tag(key: str, value: str) -> Compare:
    if key == "error":
        return _compare(
            "intrinsic", "status", "=" if value == "true" else "!=", Value("keyword", "error", _HERE)
        )
    if key == "span.kind":
        return _compare("intrinsic", "kind", "=", Value("keyword", value, _HERE))
    return _compare("any", key, "=", Value("string", value, _HERE))


def _compare(scope: Any, name: str, operator: str, value: Value) -> Compare:
    return Compare(Field(scope, name, name, _HERE), operator, value)
