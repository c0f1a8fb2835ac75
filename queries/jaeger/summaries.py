"""Lists of traces as Jaeger's own UI checks them, key by key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import duckdb

from bindtrace.queries.stored_traces import of_traces, wanted


def summaries(con: duckdb.DuckDBPyConnection, trace_ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """`TraceSummary` of each trace, in the order asked."""
    by_id = {row["trace_id"]: row for row in of_traces(con, "summaries", wanted(con, trace_ids))}
    return [_summary(by_id[one]) for one in trace_ids if one in by_id]


def _summary(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "traceId": row["trace_id"].hex,
        "rootServiceName": row["root_service"] or "",
        "rootOperationName": row["root_name"] or "",
        "minStartTimeUnixNano": str(row["start_time_unix_nano"]),
        "maxEndTimeUnixNano": str(row["end_time_unix_nano"]),
        "spanCount": row["spans"],
        "errorSpanCount": row["errors"],
        "orphanSpanCount": row["orphans"],
        "services": [
            {"name": one["service"], "spanCount": one["spans"], "errorSpanCount": one["errors"]}
            for one in row["services"]
        ],
    }
