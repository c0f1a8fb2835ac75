"""Chains of a window beside those of an earlier one: which are new, gone or slower. Rows in, rows out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from bindtrace.queries.layout import Row

STATUSES: Final = ("new", "gone", "slower", "same")
"""In the order in which a person wants to see them."""
SLOWER_BY: Final = 1.2
"""A chain is slower when its p95 grew by more than this factor,"""
SLOWER_BY_MS: Final = 5.0
"""and by more than this,"""
ENOUGH_CALLS: Final = 20
"""and when both windows have so many calls that a p95 means something."""

_MEASURED: Final = ("p50_ms", "p95_ms", "p99_ms")


def compared(now: Sequence[Row], earlier: Sequence[Row]) -> list[dict[str, Any]]:
    """The chains of both windows, each with `status`, `earlier_calls` and `earlier_p95_ms`.

    A chain that is gone has no calls; its road, verdict and example are those it had.
    """
    before = {_name(row): row for row in earlier}
    rows = [_beside(row, before.pop(_name(row), None)) for row in now]
    rows += [
        {**row, "calls": 0, "errors": 0, **dict.fromkeys(_MEASURED), **_earlier(row), "status": "gone"}
        for row in before.values()
    ]
    return sorted(rows, key=lambda row: STATUSES.index(row["status"]))


def _beside(row: Row, before: Row | None) -> dict[str, Any]:
    if before is None:
        return {**row, "earlier_calls": 0, "earlier_p95_ms": None, "status": "new"}
    return {**row, **_earlier(before), "status": "slower" if _slower(row, before) else "same"}


def _earlier(before: Row) -> dict[str, Any]:
    return {"earlier_calls": before["calls"], "earlier_p95_ms": before["p95_ms"]}


def _slower(row: Row, before: Row) -> bool:
    grown = row["p95_ms"] - before["p95_ms"]
    enough = min(row["calls"], before["calls"]) >= ENOUGH_CALLS
    return bool(enough and grown > SLOWER_BY_MS and row["p95_ms"] > SLOWER_BY * before["p95_ms"])


def _name(row: Row) -> tuple[Any, ...]:
    return row["scope"], row["environment"], tuple(row["signature"])
