"""What PromQL does with series once they are there: aggregate, combine, and read quantiles off buckets. Pure."""

from __future__ import annotations

import math
import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import Final

from bindtrace.queries.prometheus.series import Labels, PromQLError, Vector

Value = float | None
_Values = Sequence[float]

AGGREGATIONS: Final[dict[str, Callable[[_Values], float]]] = {
    "sum": math.fsum,
    "avg": fmean,
    "min": min,
    "max": max,
    "count": lambda values: float(len(values)),
    "group": lambda values: 1.0,
}
RANKINGS: Final = {"topk": True, "bottomk": False}

FUNCTIONS: Final[dict[str, Callable[..., float]]] = {
    "abs": abs,
    "ceil": math.ceil,
    "floor": math.floor,
    "round": lambda value, to=1.0: math.floor(value / to + 0.5) * to,
    "clamp_min": max,
    "clamp_max": min,
}
"""Functions of one value at a time, with numbers behind it."""


def _divide(one: float, other: float) -> float:
    if other == 0:
        return math.nan if one == 0 or math.isnan(one) else math.copysign(math.inf, one)
    return one / other


ARITHMETIC: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "%": lambda one, other: math.fmod(one, other) if other else math.nan,
    "^": lambda one, other: one**other,
}
COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
SETS: Final = ("and", "or", "unless")

Key = Callable[[Labels], Labels]


def keeping(names: Iterable[str]) -> Key:
    """Labels narrowed to these names."""
    kept = frozenset(names)
    return lambda labels: tuple(pair for pair in labels if pair[0] in kept)


def dropping(names: Iterable[str]) -> Key:
    """Labels without these names."""
    dropped = frozenset(names)
    return lambda labels: tuple(pair for pair in labels if pair[0] not in dropped)


def aggregated(name: str, vector: Vector, key: Key) -> Vector:
    """One series for each key, of the values that there are at each moment."""
    groups: dict[Labels, list[list[Value]]] = defaultdict(list)
    for labels, values in vector.items():
        groups[key(labels)].append(values)
    reduce = AGGREGATIONS[name]
    return {
        labels: [
            reduce(there) if (there := [value for value in column if value is not None]) else None
            for column in zip(*rows, strict=True)
        ]
        for labels, rows in groups.items()
    }


def ranked(name: str, count: int, vector: Vector, key: Key) -> Vector:
    """The `count` largest or smallest series of each group, moment by moment; others have no value there."""
    kept: Vector = {labels: [None] * len(values) for labels, values in vector.items()}
    groups: dict[Labels, list[Labels]] = defaultdict(list)
    for labels in vector:
        groups[key(labels)].append(labels)
    for members in groups.values():
        for place in range(len(vector[members[0]])):
            there = [(value, labels) for labels in members if (value := vector[labels][place]) is not None]
            there.sort(key=lambda pair: pair[0], reverse=RANKINGS[name])
            for value, labels in there[:count]:
                kept[labels][place] = value
    return {labels: values for labels, values in kept.items() if any(value is not None for value in values)}


def histogram_quantile(quantile: float, vector: Vector) -> Vector:
    """Interpolates in the bucket that holds the quantile (Prometheus, histogram_quantile)."""
    groups: dict[Labels, list[tuple[float, list[Value]]]] = defaultdict(list)
    for labels, values in vector.items():
        bound = dict(labels).get("le")
        if bound is not None:
            groups[dropping(("le",))(labels)].append((float(bound.replace("+Inf", "inf")), values))
    found: Vector = {}
    for labels, buckets in groups.items():
        buckets.sort(key=lambda bucket: bucket[0])
        bounds = [bound for bound, _ in buckets]
        columns = zip(*(values for _, values in buckets), strict=True)
        found[labels] = [
            _quantile(quantile, bounds, [value or 0.0 for value in column]) for column in columns
        ]
    return found


def _quantile(quantile: float, bounds: list[float], counts: list[float]) -> Value:
    if not counts or counts[-1] == 0:
        return None
    rank = quantile * counts[-1]
    place = next((at for at, count in enumerate(counts) if count >= rank), len(counts) - 1)
    if bounds[place] == math.inf:
        return bounds[-2] if len(bounds) > 1 else math.nan
    low, under = (bounds[place - 1], counts[place - 1]) if place else (0.0, 0.0)
    if counts[place] == under:
        return bounds[place]
    return low + (bounds[place] - low) * (rank - under) / (counts[place] - under)


def combined(
    symbol: str,
    left: Vector,
    right: Vector,
    key: Key,
    *,
    as_bool: bool,
    many: str | None,
    copied: Iterable[str],
) -> Vector:
    """Series of equal keys combined. `many`: the side, `left` or `right`, that may have several of one key."""
    if symbol in SETS:
        return _set(symbol, left, right, key)
    one, other = (right, left) if many == "right" else (left, right)
    single: dict[Labels, Labels] = {}
    for labels in other:
        if key(labels) in single:
            raise PromQLError(
                "several series on one side of an operator match one on the other; use group_left"
            )
        single[key(labels)] = labels
    found: Vector = {}
    for labels, values in one.items():
        match = single.get(key(labels))
        if match is None:
            continue
        pairs = zip(values, other[match], strict=True)
        if many == "right":
            pairs = zip(other[match], values, strict=True)
        named = labels if many else key(labels)
        if symbol in COMPARISONS and not as_bool:
            named = labels
        added = dict(named) | {name: value for name, value in match if name in set(copied)}
        target = tuple(sorted(added.items()))
        if target in found:
            raise PromQLError(
                "several series on one side of an operator match one on the other; use group_left"
            )
        found[target] = [applied(symbol, a, b, as_bool=as_bool) for a, b in pairs]
    return found


def applied(symbol: str, one: Value, other: Value, *, as_bool: bool) -> Value:
    """One value of a binary operator; a comparison keeps its left value or, with `bool`, says 1 or 0."""
    if one is None or other is None:
        return None
    if symbol in ARITHMETIC:
        return ARITHMETIC[symbol](one, other)
    holds = COMPARISONS[symbol](one, other)
    return float(holds) if as_bool else one if holds else None


def _set(symbol: str, left: Vector, right: Vector, key: Key) -> Vector:
    if symbol == "or":
        known = {key(labels) for labels in left}
        return left | {labels: values for labels, values in right.items() if key(labels) not in known}
    others: dict[Labels, list[bool]] = {}
    for labels, values in right.items():
        there = [value is not None for value in values]
        before = others.get(key(labels), [False] * len(there))
        others[key(labels)] = [one or more for one, more in zip(there, before, strict=True)]
    found = {}
    for labels, values in left.items():
        there = others.get(key(labels), [False] * len(values))
        kept = [
            value if other == (symbol == "and") else None for value, other in zip(values, there, strict=True)
        ]
        if any(value is not None for value in kept):
            found[labels] = kept
    return found
