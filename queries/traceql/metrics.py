"""TraceQL metrics as SQL: one row per series and interval. Exact, because the store holds events. Runs nothing.

source: https://grafana.com/docs/tempo/latest/traceql/metrics-queries/functions/ ; an interval is named by its end, a
duration is measured in seconds, and histogram buckets are powers of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from bindtrace.queries.traceql.fields import Expression
from bindtrace.queries.traceql.spansets import IN_WINDOW, Tables, number_sql
from bindtrace.queries.traceql.syntax import Field, Stage, TraceQL, Value

COUNTING: Final = ("rate", "count_over_time", "histogram_over_time")
"""Functions whose value is 0, not absent, where nothing happened."""
_VALUES: Final = {
    "rate": "count(*) / ($step / 1e9)",
    "count_over_time": "count(*)",
    "histogram_over_time": "count(*)",
    "min_over_time": "min(number)",
    "max_over_time": "max(number)",
    "avg_over_time": "avg(number)",
    "sum_over_time": "sum(number)",
    "quantile_over_time": "unnest(quantile_cont(number, {quantiles}))",
}
_MEASURING: Final = tuple(name for name in _VALUES if name not in ("rate", "count_over_time"))


@dataclass(frozen=True, slots=True)
class MetricsStatement:
    """A statement whose rows are `place` (interval from 0), a column per label, `value`, `trace_id` of an example.

    `labels` name the label columns in order. Parameters `since`, `until` and `step` (nanoseconds) are the caller's.
    """

    name: str
    text: str
    values: dict[str, Any]
    labels: tuple[str, ...]
    zero_filled: bool


def is_metrics(query: TraceQL) -> bool:
    """Whether the query ends in a function over time."""
    return bool(query.stages) and query.stages[-1].name in _VALUES


def metrics_statement(query: TraceQL) -> MetricsStatement:
    """The statement of a metrics query. Raises `TraceQLError`."""
    *filters, stage = query.stages
    if stage.name not in _VALUES or stage.operator is not None:
        raise stage.place.error(f"`{stage.name}` is not a metric; there are {', '.join(_VALUES)}")
    tables = Tables()
    matched = tables.kept(tuple(filters), tables.matched(query.spans))
    groups = {f"g{place}": label_sql(tables.values.read(named)) for place, named in enumerate(stage.grouping)}
    labels = [named.written for named in stage.grouping]
    number = ""
    if stage.name in _MEASURING:
        measured = number_sql(stage, tables.values)
        number = f"({measured}) / 1e9" if _is_time(stage) else measured
    value, shown = _VALUES[stage.name], list(groups)
    if stage.name == "quantile_over_time":
        quantiles = str(_quantiles(stage))  # numbers, checked; DuckDB takes them as constants only
        value = value.format(quantiles=quantiles)
        shown.append(f"unnest({quantiles}::double[]) as p")
        labels.append("p")
    if stage.name == "histogram_over_time":
        groups["bucket"] = f"pow(2, ceil(log2(greatest({number}, 1e-9))))"
        shown.append("bucket")
        labels.append("__bucket")
    own = "".join(f", {sql} as {name}" for name, sql in groups.items())
    select = f"""select place, {"".join(f"{name}, " for name in shown)}{value} as value,
    trace_hex(any_value(trace_id)) as trace_id
from (
    select distinct
        s.trace_id, s.span_id, ((s.start_time_unix_nano - $since::ubigint) // $step::ubigint)::bigint as place
        {f", {number} as number" if number else ""}{own}
    {tables.source()}
    semi join {matched} as m on m.trace_id = s.trace_id and m.span_id = s.span_id
    where {IN_WINDOW}
)
{"where number is not null" if number else ""}
group by {", ".join(["place", *groups])}
order by all"""
    return MetricsStatement(
        stage.name, tables.statement(select), tables.values.bound, tuple(labels), stage.name in COUNTING
    )


def label_sql(of: Expression) -> str:
    """A field as a label: keywords by their word, JSON as its text."""
    if of.words:
        words = ", ".join(f"'{word}'" for word in of.words)
        return f"[{words}][{of.sql} + 1]"
    return f"json_extract_string({of.sql}, '$')" if of.kind == "json" else of.sql


def _is_time(stage: Stage) -> bool:
    measured = stage.arguments[0]
    return isinstance(measured, Field) and measured.scope == "intrinsic" and "uration" in measured.name


def _quantiles(stage: Stage) -> list[float]:
    asked = [argument.value for argument in stage.arguments[1:] if isinstance(argument, Value)]
    numbers = [float(value) for value in asked if isinstance(value, float) and 0 <= value <= 1]
    if not numbers or len(numbers) < len(stage.arguments) - 1:
        raise stage.place.error("quantiles are numbers from 0 to 1, as `quantile_over_time(duration, 0.9)`")
    return numbers
