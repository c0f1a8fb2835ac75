"""Results in the JSON of Prometheus' HTTP API: text numbers, seconds. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from bindtrace.queries.prometheus.evaluate import Result
from bindtrace.queries.prometheus.series import Grid


def instant(result: Result, grid: Grid) -> dict[str, Any]:
    """`resultType` vector or scalar at the only moment of the grid."""
    at = grid.first / 1e9
    if isinstance(result, list):
        return {"resultType": "scalar", "result": [at, number(result[0])]}
    return {
        "resultType": "vector",
        "result": [
            {"metric": dict(labels), "value": [at, number(values[0])]}
            for labels, values in result.items()
            if values[0] is not None
        ],
    }


def ranged(result: Result, grid: Grid) -> dict[str, Any]:
    """`resultType` matrix."""
    series = {(): list(result)} if isinstance(result, list) else result
    moments = [moment / 1e9 for moment in grid.moments()]
    rows: Iterable[tuple[Any, list[list[Any]]]] = (
        (
            labels,
            [[at, number(value)] for at, value in zip(moments, values, strict=True) if value is not None],
        )
        for labels, values in series.items()
    )
    return {
        "resultType": "matrix",
        "result": [{"metric": dict(labels), "values": values} for labels, values in rows if values],
    }


def number(value: float) -> str:
    """As Go writes it: whole numbers without a point, `NaN`, `+Inf`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
