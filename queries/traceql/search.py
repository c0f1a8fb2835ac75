"""A TraceQL search as SQL: the latest traces with a match, and the values of fields of matching spans. Runs nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

from bindtrace.queries.traceql.conditions import compared_fields
from bindtrace.queries.traceql.metrics import label_sql
from bindtrace.queries.traceql.spansets import Tables
from bindtrace.queries.traceql.syntax import Combined, Field, Filter, Related, SpanSet, TraceQL


class Statement(NamedTuple):
    """SQL and the values of its own placeholders; `since` and `until` are the caller's."""

    text: str
    values: dict[str, Any]


def search_statement(query: TraceQL, traces: int, spans: int) -> Statement:
    """At most `traces` rows, latest first: `trace_id` (UUID), `matched` spans, ids of at most `spans` of them.

    Raises `TraceQLError`.
    """
    tables = Tables()
    matched = tables.kept(query.stages, tables.matched(query.spans))
    limit, each = tables.values.bind(traces), tables.values.bind(spans)
    return Statement(
        tables.statement(
            f"""select
    m.trace_id,
    count(distinct m.span_id) as matched,
    list_slice(list_distinct(list(m.span_id order by m.start_time_unix_nano)), 1, {each}) as span_ids
from {matched} as m
semi join (
    select trace_id from {matched} group by trace_id order by max(start_time_unix_nano) desc, trace_id limit {limit}
) as latest using (trace_id)
group by m.trace_id
order by max(m.start_time_unix_nano) desc, m.trace_id"""
        ),
        tables.values.bound,
    )


def shown_fields(query: TraceQL) -> tuple[Field, ...]:
    """The fields that the query compares or selects: what an answer says of each matching span."""
    fields = [*_named(query.spans)]
    for stage in query.stages:
        if stage.name == "select":
            fields += [argument for argument in stage.arguments if isinstance(argument, Field)]
    return tuple({field.written: field for field in fields}.values())


def spans_statement(fields: tuple[Field, ...]) -> Statement:
    """Name, times and the fields of spans: parameters `traces` (UUIDs) with their bounds, `spans` (ids)."""
    tables = Tables()
    columns = []
    for place, field in enumerate(fields):
        found = tables.values.read(field)
        columns.append(f"{found.sql if found.kind == 'json' else label_sql(found)} as f{place}")
    return Statement(
        tables.statement(
            f"""select distinct on (s.trace_id, s.span_id)
    s.trace_id, s.span_id, s.name, s.start_time_unix_nano,
    greatest(s.end_time_unix_nano::hugeint - s.start_time_unix_nano, 0) as duration_nano
    {"".join(f", {column}" for column in columns)}
{tables.source()}
where s.load_id >= $first_load and (s.load_id <= $last_load or s.load_id > $analysed)
    and s.trace_id in (select unnest($traces::uuid[])) and s.span_id in (select unnest($spans::ubigint[]))
order by s.trace_id, s.span_id"""
        ),
        tables.values.bound,
    )


def _named(spans: SpanSet) -> tuple[Field, ...]:
    match spans:
        case Filter(condition=condition):
            return compared_fields(condition)
        case Combined(left=left, right=right) | Related(left=left, right=right):
            return (*_named(left), *_named(right))
