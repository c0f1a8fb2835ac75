"""Evaluates a PromQL expression on a grid of moments: parsed by `promql_parser`, a shape it has not is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import duckdb
import promql_parser as promql

from bindtrace.queries.prometheus import operators as ops
from bindtrace.queries.prometheus.metrics import SERIES
from bindtrace.queries.prometheus.series import (
    Gauges,
    Grid,
    Labels,
    PromQLError,
    Selector,
    Vector,
    at_moments,
    over_range,
)

Scalar = list[float]
"""A number at each moment."""
Result = Vector | Scalar
MAX_CHARACTERS: Final = 16_384
SUPPORTED: Final = (
    "selectors, rate, increase, histogram_quantile, vector, scalar, time, absent, sort, sort_desc, "
    f"{', '.join(ops.FUNCTIONS)}; {', '.join((*ops.AGGREGATIONS, *ops.RANKINGS))}; binary operators; offset"
)


class UnsupportedError(PromQLError):
    """PromQL that is right but not answered here."""


def parse(text: str) -> Any:
    """The parsed expression. Raises `PromQLError`."""
    if len(text) > MAX_CHARACTERS:
        raise PromQLError(f"a query of {len(text)} characters is longer than {MAX_CHARACTERS}")
    try:
        return promql.parse(text)
    except ValueError as error:
        raise PromQLError(f"{error}: `{text[:200]}`") from None


def selector_of(expression: Any) -> list[Selector]:
    """The selectors that a vector selector means, one per name of a known metric and per alternative of `or`."""
    groups = expression.matchers.or_matchers or [expression.matchers.matchers]
    return [one for group in groups for one in _selectors(expression.name, group)]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One query on one grid."""

    con: duckdb.DuckDBPyConnection
    grid: Grid
    gauges: Gauges

    def of(self, expression: Any) -> Result:
        """Series or numbers. Raises `PromQLError`, and `UnsupportedError` for a shape that is not answered."""
        found = _EVALUATED.get(type(expression))
        if found is None:
            raise _unsupported(expression)
        return found(self, expression)

    def vector(self, expression: Any) -> Vector:
        found = self.of(expression)
        if isinstance(found, list):
            raise PromQLError(f"series are expected, and `{expression.prettify()}` is a number")
        return found

    def number(self, expression: Any) -> float:
        found = self.of(expression)
        if isinstance(found, dict):
            raise PromQLError(f"a number is expected, and `{expression.prettify()}` is not one")
        return found[0]

    def _shifted(self, offset: timedelta | None) -> Evaluation:
        if not offset:
            return self
        nano = offset // timedelta(microseconds=1) * 1000
        return replace(self, grid=replace(self.grid, first=self.grid.first - nano))

    def _selected(self, expression: Any) -> Vector:
        if expression.at is not None:
            raise _unsupported(expression)
        shifted, found = self._shifted(expression.offset), Vector()
        for selector in selector_of(expression):
            series = at_moments(self.con, selector, shifted.grid, self.gauges)
            found |= {_with(labels, selector.name): values for labels, values in series.items()}
        return found

    def _call(self, expression: Any) -> Result:
        name, arguments = expression.func.name, expression.args
        if name in ("rate", "increase"):
            return self._rate(name, arguments[0])
        if name == "histogram_quantile":
            return ops.histogram_quantile(self.number(arguments[0]), self.vector(arguments[1]))
        if name == "time":
            return [moment / 1e9 for moment in self.grid.moments()]
        if name == "vector":
            return {(): list(self._scalar(arguments[0]))}
        if name == "scalar":
            only = list(self.vector(arguments[0]).values())
            return (
                [math.nan if value is None else value for value in only[0]] if len(only) == 1 else self._nan()
            )
        if name == "absent":
            there = [
                any(v is not None for v in column)
                for column in zip(*self.vector(arguments[0]).values(), strict=True)
            ]
            return {(): [None if one else 1.0 for one in there or [False] * self.grid.count]}
        if name in ("sort", "sort_desc"):
            series = self.vector(arguments[0]).items()
            return dict(sorted(series, key=lambda pair: pair[1][-1] or 0.0, reverse=name == "sort_desc"))
        if name in ops.FUNCTIONS:
            more = [self.number(argument) for argument in arguments[1:]]
            return _mapped(lambda value: ops.FUNCTIONS[name](value, *more), self.vector(arguments[0]))
        raise _unsupported(expression)

    def _rate(self, name: str, argument: Any) -> Vector:
        if not isinstance(argument, promql.MatrixSelector):
            raise _unsupported(argument)
        selected = argument.vector_selector
        if selected.at is not None:
            raise _unsupported(selected)
        seconds = argument.range / timedelta(seconds=1)
        shifted, found = self._shifted(selected.offset), Vector()
        for selector in selector_of(selected):
            found |= over_range(self.con, selector, shifted.grid, round(seconds * 1e9))
        return _mapped(lambda count: count / seconds, found) if name == "rate" else found

    def _aggregate(self, expression: Any) -> Vector:
        name, vector = str(expression.op), self.vector(expression.expr)
        key = _grouping(expression.modifier)
        if name in ops.AGGREGATIONS:
            return ops.aggregated(name, vector, key)
        if name in ops.RANKINGS:
            return ops.ranked(name, int(self.number(expression.param)), vector, key)
        raise _unsupported(expression)

    def _binary(self, expression: Any) -> Result:
        symbol, modifier = str(expression.op), expression.modifier
        as_bool = bool(modifier and modifier.return_bool)
        left, right = self.of(expression.lhs), self.of(expression.rhs)
        match left, right:
            case list(), list():
                paired = zip(left, right, strict=True)
                return [ops.applied(symbol, a, b, as_bool=True) or 0.0 for a, b in paired]
            case dict(), list():
                return _with_numbers(symbol, left, right, as_bool=as_bool, turned=False)
            case list(), dict():
                return _with_numbers(symbol, right, left, as_bool=as_bool, turned=True)
            case dict(), dict():
                return ops.combined(
                    symbol, left, right, _matching(modifier), as_bool=as_bool, many=_many(modifier),
                    copied=(modifier.group_labels or ()) if modifier else (),
                )  # fmt: skip
        raise AssertionError("a result is series or numbers")

    def _scalar(self, expression: Any) -> Scalar:
        found = self.of(expression)
        if isinstance(found, dict):
            raise PromQLError(f"a number is expected, and `{expression.prettify()}` is not one")
        return found

    def _nan(self) -> Scalar:
        return [math.nan] * self.grid.count


_EVALUATED: Final[dict[type, Callable[[Evaluation, Any], Result]]] = {
    promql.NumberLiteral: lambda self, node: [float(node.val)] * self.grid.count,
    promql.ParenExpr: lambda self, node: self.of(node.expr),
    promql.UnaryExpr: lambda self, node: _negated(self.of(node.expr)),
    promql.VectorSelector: Evaluation._selected,
    promql.Call: Evaluation._call,
    promql.AggregateExpr: Evaluation._aggregate,
    promql.BinaryExpr: Evaluation._binary,
}
_OPERATORS: Final = (
    (promql.MatchOp.Equal, "="),
    (promql.MatchOp.NotEqual, "!="),
    (promql.MatchOp.Re, "=~"),
    (promql.MatchOp.NotRe, "!~"),
)


def _selectors(name: str | None, matchers: Any) -> list[Selector]:
    own = [(one.name, _operator(one.op), one.value) for one in matchers]
    named = [text for label, operator, text in own if label == "__name__" and operator == "="]
    wanted = name or (named[0] if named else None)
    if wanted is None or any(label == "__name__" and operator != "=" for label, operator, _ in own):
        raise UnsupportedError(f"name a metric: one of {', '.join(SERIES)}")
    if wanted not in SERIES:
        return []  # as in Prometheus, a metric that nobody exports has no series
    metric, part = SERIES[wanted]
    return [Selector(wanted, metric, part, tuple(one for one in own if one[0] != "__name__"))]


def _operator(op: Any) -> str:
    return next(text for known, text in _OPERATORS if known == op)


def _with(labels: Labels, name: str) -> Labels:
    return tuple(sorted((*labels, ("__name__", name))))


_NAMELESS: Final = ops.dropping(("__name__",))


def _mapped(function: Callable[[float], float], vector: Vector) -> Vector:
    return {
        _NAMELESS(labels): [None if value is None else float(function(value)) for value in values]
        for labels, values in vector.items()
    }


def _negated(result: Result) -> Result:
    if isinstance(result, list):
        return [-value for value in result]
    return _mapped(lambda value: -value, result)


def _grouping(modifier: Any) -> ops.Key:
    if modifier is None:
        return ops.keeping(())
    if modifier.type == promql.AggModifierType.Without:
        return ops.dropping((*modifier.labels, "__name__"))
    return ops.keeping(modifier.labels)


def _matching(modifier: Any) -> ops.Key:
    if modifier is None or modifier.matching is None:
        return _NAMELESS
    if modifier.matching.type == promql.LabelModifierType.Include:
        return ops.keeping(modifier.matching.labels)
    return ops.dropping((*modifier.matching.labels, "__name__"))


def _many(modifier: Any) -> str | None:
    if modifier is None:
        return None
    if modifier.card == promql.VectorMatchCardinality.ManyToOne:
        return "left"
    return "right" if modifier.card == promql.VectorMatchCardinality.OneToMany else None


def _with_numbers(symbol: str, vector: Vector, numbers: Scalar, *, as_bool: bool, turned: bool) -> Vector:
    keep_name = symbol in ops.COMPARISONS and not as_bool
    found: Vector = {}
    for labels, values in vector.items():
        pairs = zip(values, numbers, strict=True)
        if keep_name:
            kept = [ops.applied(symbol, *((n, v) if turned else (v, n)), as_bool=True) for v, n in pairs]
            found[labels] = [value if one else None for value, one in zip(values, kept, strict=True)]
        else:
            found[_NAMELESS(labels)] = [
                ops.applied(symbol, *((n, v) if turned else (v, n)), as_bool=as_bool) for v, n in pairs
            ]
    return found


def _unsupported(expression: Any) -> UnsupportedError:
    return UnsupportedError(f"`{expression.prettify()}` is not answered here; there are {SUPPORTED}")
