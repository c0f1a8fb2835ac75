"""Which hops a chain waited for, and when: arithmetic on nested intervals; it asks nothing and draws nothing."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

_ROUNDING_NANO: Final = 1_000
"""Reports give durations in milliseconds with three decimals."""


@dataclass(frozen=True, slots=True)
class Interval:
    """One piece of work from `start` to `end`, in any unit of time, and the pieces that it started and awaited."""

    name: Hashable
    start: int
    end: int
    children: Sequence[Interval] = field(default_factory=tuple)


class Section(NamedTuple):
    """From `start` to `end` the whole waited for nothing but `name` itself."""

    name: Hashable
    start: int
    end: int


def critical_path(root: Interval) -> tuple[Section, ...]:
    """The sections that fill the root's time without gap or overlap, the latest first.

    Walks back from the end of the root: into the child that finished last, then into its sibling that had finished
    last before that one began. A child is cut to its parent, and left out where it lies outside of it.
    Source: jaeger-ui, TracePage/CriticalPath. There a sibling must have finished strictly earlier; here one that
    finished as the next began counts too, as in CRISP.
    """
    return tuple(one for one in _walked(root) if one.start < one.end)


def waited_for(roots: Sequence[Mapping[str, Any]]) -> dict[int, tuple[tuple[int, int], ...]]:
    """The critical sections of every hop on a critical path, in Unix nanoseconds, by `id` of the hop's row.

    They are empty for a hop whose own part in the path is none, because its callees took all of its time.
    `roots` are nested hops, as the report `chain` gives them. Their `critical` decides between equals; without it,
    a hop that only a span link joins was not waited for.
    """
    found: dict[int, list[tuple[int, int]]] = {}
    for root in roots:
        for name, start, end in _walked(_interval(root), slack=_ROUNDING_NANO):
            assert isinstance(name, int)
            found.setdefault(name, []).extend([(start, end)] if start < end else [])
    return {name: tuple(reversed(sections)) for name, sections in found.items()}


def begin_unix_nano(hop: Mapping[str, Any]) -> int:
    """When a hop began, on the clock of the chain's first host where that is known."""
    corrected = hop.get("corrected_start_unix_nano")
    return int(hop["start_time_unix_nano"] if corrected is None else corrected)


def length_nano(hop: Mapping[str, Any]) -> int:
    return round(float(hop.get("duration_ms") or 0) * 1e6)


def _walked(root: Interval, slack: int = 0) -> Iterator[Section]:
    """The sections of the path, the latest first, with those that are empty.

    An end up to `slack` after the next beginning still counts as before it.
    """
    cursor = root.end
    stack = [(root.start, root.name, _last_first(root, root.start, root.end))]
    while stack:
        start, name, children = stack[-1]
        while children and children[-1][1] > cursor + slack:
            children.pop()
        if not children:
            stack.pop()
            yield Section(name, start, cursor)
            cursor = min(cursor, start)
            continue
        begin, end, child = children.pop()
        begin, end = min(begin, cursor), min(end, cursor)
        yield Section(name, end, cursor)
        cursor = end
        stack.append((begin, child.name, _last_first(child, begin, end)))


def _interval(root: Mapping[str, Any]) -> Interval:
    """Built from the leaves up, so that a chain of any depth fits."""
    order = [root]
    for hop in order:
        order.extend(_awaited(hop["children"]))
    built: dict[int, Interval] = {}
    for hop in reversed(order):
        start = begin_unix_nano(hop)
        children = tuple(built[id(child)] for child in _awaited(hop["children"]))
        built[id(hop)] = Interval(id(hop), start, start + length_nano(hop), children)
    return built[id(root)]


def _awaited(hops: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that may be on the path: what the analysis chose, where it has (`queries/analysis/waited.sql`)."""
    return [hop for hop in hops if hop.get("critical", hop.get("pairing") != "link")]


def _last_first(parent: Interval, start: int, end: int) -> list[tuple[int, int, Interval]]:
    """The children within [start, end], the one that finished last at the end of the list."""
    inside = [
        (max(child.start, start), min(child.end, end), child)
        for child in parent.children
        if child.start < end and child.end > start
    ]
    return sorted(inside, key=lambda one: (one[1], one[0]))
