"""`/tempo/api/search/tags`: which attributes there are, and which values one has, most frequent first."""

from __future__ import annotations

import json
from typing import Any, Final

import duckdb

from bindtrace.propagation.vocabulary import JUDGEMENTS
from bindtrace.queries import sql_files
from bindtrace.queries.tempo.search import run
from bindtrace.queries.traceql.fields import INTRINSICS
from bindtrace.queries.traceql.metrics import label_sql
from bindtrace.queries.traceql.parse import parse, parse_field
from bindtrace.queries.traceql.spansets import IN_WINDOW, Tables

Json = dict[str, Any]

SAMPLE: Final = 100_000
"""Latest spans that are looked into for keys and values: a list to choose from need not know all of history."""
_VIRTUAL: Final = tuple(f"bindtrace.{word}" for word in JUDGEMENTS)


def tags(con: duckdb.DuckDBPyConnection, since: int, until: int) -> dict[str, list[str]]:
    """The tags of the window by scope; `intrinsic` and our judgements are always among them."""
    values = {"since": since, "until": until, "sample": SAMPLE}
    found = {row["scope"]: row["tags"] for row in run(con, sql_files.folder("tempo")["tags"].text, values)}
    return {
        "resource": found.get("resource", []),
        "span": sorted({*found.get("span", []), *_VIRTUAL}),
        "instrumentation": found.get("instrumentation", []),
        "event": [],
        "link": [],
        "intrinsic": list(INTRINSICS),
    }


def tag_values(
    con: duckdb.DuckDBPyConnection, tag: str, text: str, since: int, until: int, limit: int
) -> list[Json]:
    """Values of a tag, `{"type", "value"}`, among the spans that the TraceQL `text` finds. Raises `TraceQLError`."""
    tables = Tables()
    matched = tables.matched(parse(text).spans) if text.strip() not in ("", "{}") else None
    field = tables.values.read(parse_field(tag))
    shown = "unnest(" + field.sql + ")" if field.kind == "texts" else label_sql(field)
    typed = f"json_type({field.sql})" if field.kind == "json" else "null"
    among = (
        f"semi join {matched} as m on m.trace_id = s.trace_id and m.span_id = s.span_id" if matched else ""
    )
    statement = tables.statement(
        f"""select value, type
from (
    select {shown} as value, {typed} as type
    {tables.source()}
    {among}
    where {IN_WINDOW}
    order by s.rowid desc
    limit {tables.values.bind(SAMPLE)}
)
where value is not null
group by value, type
order by count(*) desc, value
limit {tables.values.bind(limit)}"""
    )
    plain = "keyword" if field.words else "int" if field.kind == "number" else "string"
    rows = run(con, statement, {"since": since, "until": until} | tables.values.bound)
    return [{"type": _TYPES.get(row["type"], plain), "value": _text(row["value"])} for row in rows]


_TYPES: Final = {"BIGINT": "int", "UBIGINT": "int", "DOUBLE": "float", "BOOLEAN": "bool"}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
