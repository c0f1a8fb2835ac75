"""`/tempo/api/metrics`: series over time, or one value each for the whole range."""

from __future__ import annotations

from typing import Any

import duckdb

from bindtrace.queries.tempo.search import run
from bindtrace.queries.tempo.values import any_value
from bindtrace.queries.traceql.metrics import MetricsStatement, is_metrics, metrics_statement
from bindtrace.queries.traceql.parse import parse
from bindtrace.queries.traceql.syntax import TraceQLError

Json = dict[str, Any]
MAX_INTERVALS = 11_000  # as Prometheus refuses more points a series


def query_range(
    con: duckdb.DuckDBPyConnection, text: str, since: int, until: int, step: int, exemplars: int = 0
) -> Json:
    """Series over [since, until), aligned to `step`; all Unix nanoseconds. Raises `TraceQLError`."""
    first = since - since % step
    intervals = -(-(until - first) // step)
    if intervals > MAX_INTERVALS:
        raise TraceQLError(f"{intervals} intervals are more than {MAX_INTERVALS}; ask for a longer step")
    statement, series = _series(con, text, first, first + intervals * step, step)
    return {
        "series": [
            {
                "labels": _labels(statement, key),
                "samples": [
                    {"timestampMs": _moment(first, place, step), "value": points.get(place, 0.0)}
                    for place in range(intervals)
                    if statement.zero_filled or place in points
                ],
                "exemplars": [
                    {
                        "labels": [{"key": "trace:id", "value": {"stringValue": trace}}],
                        "value": points[place],
                        "timestampMs": _moment(first, place, step),
                    }
                    for place, trace in list(traces.items())[:exemplars]
                ],
            }
            for key, (points, traces) in series.items()
        ],
        "metrics": {"inspectedTraces": 0},
    }


def query_instant(con: duckdb.DuckDBPyConnection, text: str, since: int, until: int) -> Json:
    """One value a series over [since, until). Raises `TraceQLError`."""
    statement, series = _series(con, text, since, until, until - since)
    return {
        "series": [
            {"labels": _labels(statement, key), "value": points[0]}
            for key, (points, _) in series.items()
            if points
        ],
        "metrics": {},
    }


def _series(
    con: duckdb.DuckDBPyConnection, text: str, since: int, until: int, step: int
) -> tuple[MetricsStatement, dict[tuple[Any, ...], tuple[dict[int, float], dict[int, str]]]]:
    query = parse(text)
    if not is_metrics(query):
        raise TraceQLError("a metrics query ends in a function, as `{} | rate()`")
    statement = metrics_statement(query)
    rows = run(con, statement.text, {"since": since, "until": until, "step": step} | statement.values)
    series: dict[tuple[Any, ...], tuple[dict[int, float], dict[int, str]]] = {}
    for row in rows:
        place, *key, value, trace = row.values()
        points, traces = series.setdefault(tuple(key), ({}, {}))
        points[place], traces[place] = float(value), trace
    if not series and statement.zero_filled and not statement.labels:
        series[()] = ({}, {})
    return statement, series


def _moment(first: int, place: int, step: int) -> str:
    """An interval is named by its end, in milliseconds."""
    return str((first + (place + 1) * step) // 10**6)


def _labels(statement: MetricsStatement, key: tuple[Any, ...]) -> list[Json]:
    if not statement.labels:
        return [{"key": "__name__", "value": {"stringValue": statement.name}}]
    return [
        {"key": label, "value": any_value(value)} for label, value in zip(statement.labels, key, strict=True)
    ]
