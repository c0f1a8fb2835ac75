"""What was judged of the calls of some traces, by the spans that saw them: the virtual attributes of their spans."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import duckdb

from bindtrace.propagation.vocabulary import JUDGEMENTS
from bindtrace.queries.catalog import Row
from bindtrace.queries.concerns import Names, concerned
from bindtrace.queries.query import Query
from bindtrace.queries.rules import flagged, needed
from bindtrace.queries.stored_traces import Wanted, asked, of_traces
from bindtrace.queries.traceql.rows import WINDOW

Judged = dict[int, dict[str, str]]
"""By span id, each word of `JUDGEMENTS` that has a value; of several values of a word all, joined by a comma."""


def judgements(con: duckdb.DuckDBPyConnection, traces: Wanted) -> dict[UUID, Judged]:
    """What each of the traces has of them."""
    calls = of_traces(con, "calls", traces)
    words: dict[UUID, dict[int, dict[str, set[str]]]] = {}
    for row in calls + _found(con, calls, concerned(con, traces, calls)):
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


def _found(con: duckdb.DuckDBPyConnection, calls: Sequence[Row], rules: Sequence[Names]) -> list[Row]:
    """What rules find of the calls, with their evidence. A rule costs milliseconds to plan, so few of them run."""
    by_trace: dict[UUID, tuple[list[Row], set[str]]] = {}
    for row, concerns in zip(calls, rules, strict=True):
        own, names = by_trace.setdefault(row["trace_id"], ([], set()))
        own.append(row)
        names |= concerns
    return [row for trace, (own, names) in by_trace.items() for row in _found_in(con, trace, own, names)]


def _found_in(
    con: duckdb.DuckDBPyConnection, trace: UUID, calls: Sequence[Row], names: set[str]
) -> list[Row]:
    starts = [call["start_time_unix_nano"] for call in calls]
    since, until = min(starts), max(starts) + 1
    rules = needed(con, names, Query(since_unix_nano=since, until_unix_nano=until))
    if not rules:
        return []
    text = (
        f"with {WINDOW} select anchor_span_id, answered, rule from (\n{flagged(rules)}\n) "
        "where trace_id = $trace_id"
    )
    evidence = {(call["anchor_span_id"], call["answered"]): call["evidence"] for call in calls}
    return [
        {
            "trace_id": trace,
            "evidence": evidence.get((row["anchor_span_id"], row["answered"]), ()),
            "finding": row["rule"],
        }
        for row in asked(con, text, {"trace_id": trace, "since": since, "until": until})
    ]
