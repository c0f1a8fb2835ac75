"""What was judged of the calls of some traces, by the spans that saw them: the virtual attributes of their spans."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import duckdb

from bindtrace.propagation.vocabulary import JUDGEMENTS
from bindtrace.queries.catalog import Row
from bindtrace.queries.rules import RULES
from bindtrace.queries.stored_traces import Wanted, asked
from bindtrace.queries.traceql.conditions import Values
from bindtrace.queries.traceql.rows import judged

Judged = dict[int, dict[str, str]]
"""By span id, each word of `JUDGEMENTS` that has a value; of several values of a word all, joined by a comma."""


def judgements(con: duckdb.DuckDBPyConnection, traces: Wanted) -> dict[UUID, Judged]:
    """What each of the traces has of them."""
    calls = _calls(con, traces)
    words: dict[UUID, dict[int, dict[str, set[str]]]] = {}
    for row in calls + _found(con, calls):
        for span_id in row["evidence"]:
            span = words.setdefault(row["trace_id"], {}).setdefault(span_id, {})
            for word in JUDGEMENTS:
                if row.get(word) is not None:
                    span.setdefault(word, set()).add(row[word])
    return {
        trace: {
            span: {word: ",".join(sorted(values[word])) for word in values} for span, values in spans.items()
        }
        for trace, spans in words.items()
    }


def _calls(con: duckdb.DuckDBPyConnection, traces: Wanted) -> list[Row]:
    """Every call of the traces, with whether it concerns each rule."""
    columns = "".join(f',\n    {rule.concerns} as "{rule.name}"' for rule in RULES.values() if rule.of_hops)
    text = f"""select
    trace_id, evidence, start_time_unix_nano, road, verdict, reason, grade{columns}
from hops
where load_id >= $first_load and load_id <= $last_load and trace_id in (select unnest($traces::uuid[]))"""
    return asked(con, text, traces)


def _found(con: duckdb.DuckDBPyConnection, calls: Sequence[Row]) -> list[Row]:
    """What rules find of the calls. A rule costs milliseconds to plan, so those run that concern one of the trace."""
    by_trace: dict[UUID, list[Row]] = {}
    for row in calls:
        by_trace.setdefault(row["trace_id"], []).append(row)
    found: list[Row] = []
    for trace, own in by_trace.items():
        rules = {name for name in RULES if any(row.get(name) for row in own)}
        if not rules:
            continue
        starts = [row["start_time_unix_nano"] for row in own]
        tables = ", ".join(judged(Values(rows={"j"}, findings=rules)))
        text = (
            f"with {tables} select trace_id, [span_id] as evidence, finding from judged "
            "where trace_id = $trace_id and finding is not null"
        )
        found += asked(con, text, {"trace_id": trace, "since": min(starts), "until": max(starts) + 1})
    return found
