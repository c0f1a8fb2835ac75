"""What was judged of the calls of one trace, by the spans that saw them: the virtual attributes of its spans."""

from __future__ import annotations

from uuid import UUID

import duckdb

from bindtrace.propagation.vocabulary import JUDGEMENTS
from bindtrace.queries import sql_files
from bindtrace.queries.rules import RULES
from bindtrace.queries.tempo.search import run
from bindtrace.queries.traceql.conditions import Values
from bindtrace.queries.traceql.rows import judged


def judgements(con: duckdb.DuckDBPyConnection, trace_id: UUID) -> dict[int, dict[str, str]]:
    """By span id, each word of `JUDGEMENTS` that has a value; of several findings the names, joined by a comma."""
    window = run(con, sql_files.folder("tempo")["window"].text, {"trace_id": trace_id})[0]
    if window["since"] is None:
        return {}
    words = ", ".join(f"string_agg(distinct {word}, ',' order by {word}) as {word}" for word in JUDGEMENTS)
    tables = ", ".join(judged(Values(rows={"j"}, findings=set(RULES))))
    text = f"with {tables} select span_id, {words} from judged where trace_id = $trace_id group by span_id"
    rows = run(con, text, window | {"trace_id": trace_id})
    return {row["span_id"]: {word: row[word] for word in JUDGEMENTS if row[word] is not None} for row in rows}
