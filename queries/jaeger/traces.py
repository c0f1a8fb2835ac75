"""Stored spans as Jaeger's legacy JSON, which its UI and Grafana's data source draw. No I/O but the query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

import duckdb
import orjson

from bindtrace.queries.stored_traces import spans_of, wanted
from bindtrace.queries.tempo.judgements import judgements
from bindtrace.queries.traceql.fields import KINDS

Json = dict[str, Any]
_SAFE_INTEGER: Final = 2**53


def traces_json(con: duckdb.DuckDBPyConnection, trace_ids: Sequence[UUID]) -> list[Json]:
    """The traces that are stored, in the order asked; never one without spans, which would stop Grafana."""
    by_trace: dict[UUID, list[Json]] = {}
    traces = wanted(con, trace_ids)
    for row in spans_of(con, traces):
        by_trace.setdefault(row["trace_id"], []).append(row)
    judged = judgements(con, traces)
    return [
        _trace(one, by_trace[one], judged.get(one, {})) for one in dict.fromkeys(trace_ids) if one in by_trace
    ]


def _trace(trace_id: UUID, rows: list[Json], judged: dict[int, dict[str, str]]) -> Json:
    processes = {row["resource_id"]: f"p{place}" for place, row in enumerate(rows, 1)}
    return {
        "traceID": trace_id.hex,
        "spans": [_span(row, processes[row["resource_id"]], judged.get(row["span_id"], {})) for row in rows],
        "processes": {
            processes[row["resource_id"]]: {
                "serviceName": row["service"],
                "tags": list(_tags(row["resource_attributes"])),
            }
            for row in rows
        },
        "warnings": None,
    }


def _span(row: Json, process: str, judged: dict[str, str]) -> Json:
    trace_id = row["trace_id"].hex
    return {
        "traceID": trace_id,
        "spanID": f"{row['span_id']:016x}",
        "operationName": row["name"],
        "references": [
            *_reference("CHILD_OF", trace_id, row["parent_span_id"]),
            *(
                {"refType": "FOLLOWS_FROM", "traceID": link["trace_id"], "spanID": link["span_id"]}
                for link in _read(row["links"])
            ),
        ],
        "startTime": row["start_time_unix_nano"] // 1000,
        "duration": (row["end_time_unix_nano"] - row["start_time_unix_nano"]) // 1000,
        "tags": [*_tags(row["attributes"]), *_own_tags(row, judged)],
        "logs": [
            {
                "timestamp": int(event["time_unix_nano"]) // 1000,
                "fields": [
                    _tag("event", event["name"]),
                    *(_tag(*item) for item in event["attributes"].items()),
                ],
            }
            for event in _read(row["events"])
        ],
        "processID": process,
        "warnings": None,
    }


def _reference(kind: str, trace_id: str, span_id: int | None) -> list[Json]:
    if span_id is None:
        return []
    return [{"refType": kind, "traceID": trace_id, "spanID": f"{span_id:016x}"}]


def _own_tags(row: Json, judged: dict[str, str]) -> Iterator[Json]:
    """What OTLP keeps outside the attributes, by the names that Jaeger gives it, and our judgements."""
    yield _tag("span.kind", KINDS[row["kind"]])
    if row["scope_name"]:
        yield _tag("otel.scope.name", row["scope_name"])
    if row["status_code"]:
        yield _tag("otel.status_code", "ERROR" if row["status_code"] == 2 else "OK")
    if row["status_code"] == 2:
        yield _tag("error", True)
    if row["status_message"]:
        yield _tag("otel.status_description", row["status_message"])
    for word, value in judged.items():
        yield _tag(f"bindtrace.{word}", value)


def _tags(text: str | None) -> Iterator[Json]:
    for key, value in (orjson.loads(text) if text else {}).items():
        yield _tag(key, value)


def _tag(key: str, value: Any) -> Json:
    match value:
        case bool():
            return {"key": key, "type": "bool", "value": value}
        case int():
            # a browser's numbers are exact up to 2^53
            return {"key": key, "type": "int64", "value": value if abs(value) < _SAFE_INTEGER else str(value)}
        case float():
            return {"key": key, "type": "float64", "value": value}
        case str():
            return {"key": key, "type": "string", "value": value}
        case _:
            return {"key": key, "type": "string", "value": orjson.dumps(value).decode()}


def _read(text: str | None) -> list[Json]:
    return orjson.loads(text) if text else []
