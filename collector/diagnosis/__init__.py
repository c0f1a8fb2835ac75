"""What is well and what is not, from the answers of a source: one line a question. Asks nothing and prints nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from bindtrace.collector.diagnosis.answers import FAIL, OK, WARN, Found, Line
from bindtrace.collector.diagnosis.of_collector import damage, listening, running, storage
from bindtrace.collector.diagnosis.of_declared import issuing, manifest
from bindtrace.collector.diagnosis.of_spans import arriving, binding, clocks, crossing, parents, refused
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.wording import counted

__all__ = ["FAIL", "OK", "WARN", "Found", "Line", "diagnose", "diagnose_silent"]

Check = Callable[[Found], Iterator[Line]]


def _next(found: Found) -> Iterator[Line]:
    bad = [row for row in found.findings if row["silenced_until"] is None]
    if found.health:
        evidence = counted(len(bad), "open finding")
        step = f"bindtrace {'findings' if bad else 'chains'} {found.option}".rstrip()
        yield Line(OK, "what to do next", evidence, f"`{step}`")


OF_COLLECTOR: Final[tuple[Check, ...]] = (running, storage, listening, damage)
CHECKS: Final[tuple[Check, ...]] = (
    running,
    storage,
    listening,
    arriving,
    binding,
    crossing,
    manifest,
    parents,
    clocks,
    issuing,
    refused,
    damage,
    _next,
)
"""In the order in which a newcomer would fix what they find."""


def diagnose(found: Found) -> list[Line]:
    """The lines, in the order in which a newcomer would fix them."""
    return [line for check in CHECKS for line in check(found)]


def diagnose_silent(found: Found, refusal: Refusal) -> list[Line]:
    """Of a collector that answers nothing but its status just now, and says why."""
    lines = [line for check in OF_COLLECTOR for line in check(found)]
    return [*lines, Line(FAIL, "does it answer", f"no: {refusal.message}", refusal.fix)]
