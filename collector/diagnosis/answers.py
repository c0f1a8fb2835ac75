"""What is looked at, and one answer of what was found; and how names and times are said in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Row = Mapping[str, Any]

OK, WARN, FAIL = "ok", "warn", "fail"


class Line(NamedTuple):
    """One answer: how it is, what was asked, what was found, and what to do next (empty where nothing is)."""

    state: str
    question: str
    evidence: str
    next_step: str = ""


class Found(NamedTuple):
    """Everything that is looked at. `status` is None for a stopped collector's file."""

    status: Row | None
    health: Sequence[Row]
    instrumentation: Sequence[Row]
    crossings: Sequence[Row]
    senders: Sequence[Row]
    services: Sequence[Row]
    grants: Sequence[Row]
    findings: Sequence[Row]
    issuers: Sequence[Row]
    gaps: Sequence[Row]
    quarantined: int
    set_aside: Sequence[Row]
    now_unix_nano: int
    where: str
    option: str
    """What names it in a command to copy; empty where the default finds it."""


def in_calls(found: Found) -> frozenset[str]:
    """Services that call or are called. An edge is folded into what it carries, and an authority calls nobody."""
    return frozenset(str(row["service"]) for row in found.services if row["calls_in"] or row["calls_out"])


def named(names: Sequence[str]) -> str:
    """The first six, and how many more."""
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def ago(seconds: float) -> str:
    """In the largest unit that fits, rounded."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(0.0, seconds):.0f} s ago"
