"""Fetches the series of one selector on a grid of moments. Counts are the database's; only sums along time are ours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

import duckdb

from bindtrace.queries import sql_files
from bindtrace.queries.prometheus.metrics import Metric, Part
from bindtrace.queries.rules import RULES, flagged
from bindtrace.queries.unsigned import unsigned

Labels = tuple[tuple[str, str], ...]
Vector = dict[Labels, list[float | None]]
"""Series by their sorted labels; a value for each moment of the grid, None where there is none."""

Gauges = Callable[[], Iterable[tuple[str, dict[str, str], float]]]
"""What is true now: name, labels and value of each gauge."""

# a rule reads `hops` as the window that it is asked about; other files name the table itself
_WINDOW: Final = """hops as (
        select * from every_hop
        where start_time_unix_nano <= $last and start_time_unix_nano >= $from
    )"""
STALE_NANO: Final = 5 * 60 * 10**9
"""A gauge is of now: it is shown at the moments of the last five minutes, as Prometheus looks back."""
MOST_VALUES: Final = 5_000_000


class PromQLError(ValueError):
    """A query that is not answered; the text says why."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Moments `first`, `first + step`, …, `count` of them, and now; Unix nanoseconds."""

    first: int
    step: int
    count: int
    now: int

    def moments(self) -> range:
        return range(self.first, self.first + self.step * self.count, self.step)


@dataclass(frozen=True, slots=True)
class Selector:
    """`name{matchers}`: each matcher is a label, `=`, `!=`, `=~` or `!~`, and a text."""

    name: str
    metric: Metric
    part: Part
    matchers: tuple[tuple[str, str, str], ...]


_MATCH: Final = {
    "=": "{} = {}",
    "!=": "{} <> {}",
    "=~": "regexp_full_match({}, {})",
    "!~": "not regexp_full_match({}, {})",
}


def over_range(con: duckdb.DuckDBPyConnection, selector: Selector, grid: Grid, range_nano: int) -> Vector:
    """What happened in (t - range, t] at each moment t, of series in which anything did."""
    if selector.metric.kind == "gauge":
        raise PromQLError(f"{selector.name} is a gauge: ask for its value, not for its rate")
    return _counted(con, selector, grid, range_nano)


def at_moments(con: duckdb.DuckDBPyConnection, selector: Selector, grid: Grid, gauges: Gauges) -> Vector:
    """The value at each moment: of a counter what happened until then, of a gauge what is now."""
    if selector.metric.kind == "gauge":
        return _gauge(con, selector, grid, gauges)
    return _counted(con, selector, grid, None)


def _counted(
    con: duckdb.DuckDBPyConnection, selector: Selector, grid: Grid, range_nano: int | None
) -> Vector:
    metric, part = selector.metric, selector.part
    bounds = metric.bounds_s if part == "bucket" else ()
    last = grid.first + grid.step * (grid.count - 1)
    values: dict[str, Any] = {
        "first": grid.first,
        "step": grid.step,
        "count": grid.count,
        "last": last,
        "range": range_nano or 0,
        "from": 0 if range_nano is None else max(0, grid.first - range_nano + 1),
    }
    conditions = ["moment <= $last"] + (["moment >= $from"] if range_nano is not None else [])
    conditions += [metric.only] if metric.only else []
    conditions += _matched(selector, values)
    names = ", ".join(metric.labels)
    # how many bounds are below the duration: the place of the first that is not
    below = " + ".join(f"(duration_nano > {round(bound * 1e9)})::int" for bound in bounds)
    bucket = below or "0"
    amount = "sum(duration_nano) / 1e9" if part == "sum" else "sum(weight)"
    text = f"""
    with {_WINDOW}
    select {names}, {bucket} as bucket,
        {_place("moment", grid, range_nano)} as enters,
        {_place("moment", grid, range_nano, "$range") if range_nano is not None else "$count"} as leaves,
        {amount} as amount
    from ({_events(metric)})
    where {" and ".join(conditions)}
    group by all
    """
    used = {name: value for name, value in values.items() if f"${name}" in text}
    return _along(con.execute(text, unsigned(used)).fetchall(), metric, bounds, grid, range_nano is not None)


def _place(moment: str, grid: Grid, range_nano: int | None, later: str = "0") -> str:
    """At which moment of the grid, counted from 0, `moment + later` is reached; at its end for all that come after."""
    if grid.count == 1:  # a division of each event was nine tenths of an instant query
        return "0" if later == "0" else "$count"
    wide = grid.first + grid.step * (grid.count + 1) + (range_nano or 0) >= 2**62
    since = f"least({moment}, $last)::{'hugeint' if wide else 'bigint'} + {later} - $first"
    return f"least($count, greatest(0, ({since} + $step - 1) // $step))::bigint"


def _events(metric: Metric) -> str:
    """The SQL of a metric's events; what rules found is their own SQL, put where that file reads `flagged`."""
    text = sql_files.folder("prometheus")[metric.source].text
    return text.replace("from flagged", f"from (\n{flagged(RULES)}\n) as flagged")


def _along(
    rows: Iterable[Sequence[Any]], metric: Metric, bounds: tuple[float, ...], grid: Grid, ranged: bool
) -> Vector:
    """Sums of what entered the window and has not left it, for each series and moment."""
    width = len(metric.labels)
    changes: dict[Labels, dict[int, list[float]]] = {}
    for row in rows:
        labels = tuple(sorted(zip(metric.labels, map(str, row[:width]), strict=True)))
        bucket, enters, leaves, amount = row[width:]
        change = changes.setdefault(labels, defaultdict(lambda: [0.0] * (grid.count + 1)))[bucket]
        change[enters] += float(amount)
        if ranged:
            change[leaves] -= float(amount)
        if len(changes) * grid.count > MOST_VALUES:
            raise PromQLError(f"more than {MOST_VALUES} values; ask for fewer series or a longer step")
    vector: Vector = {}
    for labels, buckets in changes.items():
        if not bounds:
            vector[labels] = list(accumulate(buckets[0][:-1]))
            continue
        below = [0.0] * grid.count
        for place, bound in enumerate((*bounds, float("inf"))):
            if place in buckets:
                below = [one + more for one, more in zip(below, accumulate(buckets[place][:-1]), strict=True)]
            vector[tuple(sorted((*labels, ("le", _bound(bound)))))] = list(below)
    return vector


def _bound(bound: float) -> str:
    return "+Inf" if bound == float("inf") else f"{bound:g}"


def _matched(selector: Selector, values: dict[str, Any]) -> list[str]:
    conditions = []
    for place, (label, operator, text) in enumerate(selector.matchers):
        if label == "le":
            raise PromQLError("`le` cannot be matched: ask for histogram_quantile, or for `_count`")
        # as in Prometheus, a label that a series does not have is the empty text
        column = label if label in selector.metric.labels else "''"
        values[f"match_{place}"] = text
        conditions.append(_MATCH[operator].format(column, f"$match_{place}"))
    return conditions


def _gauge(con: duckdb.DuckDBPyConnection, selector: Selector, grid: Grid, gauges: Gauges) -> Vector:
    shown = [moment > grid.now - STALE_NANO for moment in grid.moments()]
    values: dict[str, Any] = {}
    conditions = " and ".join(_matched(selector, values)) or "true"
    vector: Vector = {}
    for name, labels, value in gauges():
        if name != selector.name:
            continue
        # the database matches these too, so that a pattern means the same everywhere
        columns = "".join(f", ${label} as {label}" for label in labels)
        text = f"select 1 from (select 0{columns}) where {conditions}"
        if con.execute(text, values | labels).fetchone():
            vector[tuple(sorted(labels.items()))] = [value if now else None for now in shown]
    return vector
