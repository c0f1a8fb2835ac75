"""One chain as a person reads it: an indented line per hop with its judgement and a waterfall. Asks nothing."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from rich.console import RenderableType

from bindtrace.queries import cells
from bindtrace.queries import column_kinds as kinds
from bindtrace.queries.columns import LAYOUTS
from bindtrace.queries.critical_path import begin_unix_nano, length_nano, waited_for
from bindtrace.queries.layout import Column, Row
from bindtrace.queries.render import fitted, lines, table

BAR_CELLS: Final = 20
_WHEN, _PAIRING = "WHEN", "PAIRING"


@dataclass(frozen=True, slots=True)
class Frame:
    """The time that the whole chain spans, in Unix nanoseconds."""

    start_unix_nano: int
    length_nano: int


def chain_tree(roots: Sequence[Row]) -> RenderableType:
    """The trees of a chain's hops, callers above callees, in the columns that the terminal has room for."""
    return chain_tree_with_legend(roots)[0]


def chain_tree_with_legend(roots: Sequence[Row]) -> tuple[RenderableType, str]:
    """The trees, and what the marks mean that these hops show in the columns that are left."""
    waited = waited_for(roots)
    deepest = max((depth for _, depth in _depths(roots)), default=0)
    guides = next(guides for depth, guides in _GUIDES if deepest <= depth)
    flat = [
        dict(row) | {"_tree": guide, "_brief": guides is not _WIDE, "_waited": waited.get(id(row), ())}
        for row, guide in _walk(roots, guides)
    ]
    frame = frame_of(flat)
    when = Column(_WHEN, lambda row: bar(row, frame, row["_waited"]), gives_way=2, style=_bar_style)
    shown = fitted(flat, (*_COLUMNS, when))
    return lines(shown), _legend(flat, {column.heading for column in shown.columns})


def _legend(flat: Sequence[Row], headings: Container[str]) -> str:
    how = f"as {_PAIRING} says" if _PAIRING in headings else "by less than its parent span"
    marks = {
        f"⇢ joined {how}": any(_arrow(row) == "⇢" for row in flat),
        "🔒 mTLS": any(row.get("protection") == "mtls" for row in flat),
        "×n attempts": any(int(row.get("attempts") or 1) > 1 for row in flat),
        "✗ error": any(row.get("error") for row in flat),
        "▕█━▏ when, within the whole chain: █ what it waited for, the critical path": _WHEN in headings,
    }
    return " · ".join(mark for mark, shown in marks.items() if shown)


def flatten(roots: Sequence[Row]) -> list[dict[str, Any]]:
    """The hops of a chain, callers before callees, each with `depth` in place of `children`."""
    return [
        {"depth": depth} | {key: value for key, value in row.items() if key != "children"}
        for row, depth in _depths(roots)
    ]


def chains_tree(rows: Sequence[Row]) -> RenderableType:
    """Chains of the same beginning as branches of one tree; counts stand at the service where a chain ends."""
    roots: list[dict[str, Any]] = []
    placed: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        place: tuple[Any, ...] = (row.get("scope"), row.get("environment"))
        siblings = roots
        for service in row["signature"]:
            place = (*place, service)
            if place not in placed:
                placed[place] = {"_name": service or cells.EXTERNAL, "children": []}
                siblings.append(placed[place])
                siblings.sort(key=lambda node: str(node["_name"]))
            siblings = placed[place]["children"]
        if row["signature"]:
            placed[place] |= {key: value for key, value in row.items() if key != "signature"}
    flat = [dict(row) | {"_tree": guide} for row, guide in _walk(roots, _WIDE)]
    name = Column("CHAIN", lambda row: f"{row['_tree']}{cells.visible(row['_name'])}", flexible=48)
    return table("chains", flat, (name, *LAYOUTS["chains"][1:]))


def frame_of(rows: Sequence[Row]) -> Frame:
    starts = [begin_unix_nano(row) for row in rows]
    ends = [start + length_nano(row) for start, row in zip(starts, rows, strict=True)]
    first = min(starts, default=0)
    return Frame(first, max(1, max(ends, default=1) - first))


def bar(row: Row, frame: Frame, waited: Sequence[tuple[int, int]] | None = None) -> str:
    """The hop's share of the chain's time, at least one half cell wide; thick in the sections `waited`, or all."""
    start = begin_unix_nano(row)
    whole = (start, start + length_nano(row))
    halves = [_NOTHING] * (2 * BAR_CELLS)
    for sections, look in (([whole], _THIN), ([whole] if waited is None else waited, _THICK)):
        for begin, end in _halves(sections, frame):
            halves[begin:end] = [look] * (end - begin)
    drawn = "".join(_CELLS[halves[left], halves[left + 1]] for left in range(0, len(halves), 2))
    return f"▕{drawn}▏"


_NOTHING, _THIN, _THICK = range(3)
_CELLS: Final[Mapping[tuple[int, int], str]] = {
    (_NOTHING, _NOTHING): " ",
    (_THIN, _NOTHING): "╸",
    (_NOTHING, _THIN): "╺",
    (_THIN, _THIN): "━",
    (_THICK, _NOTHING): "▌",
    (_THICK, _THIN): "▌",
    (_NOTHING, _THICK): "▐",
    (_THIN, _THICK): "▐",
    (_THICK, _THICK): "█",
}


def _halves(sections: Sequence[tuple[int, int]], frame: Frame) -> Iterator[tuple[int, int]]:
    """Each section in half cells, inside the frame."""
    most = 2 * BAR_CELLS
    for start, end in sections:
        begin = min(most - 1, max(0, (start - frame.start_unix_nano) * most // frame.length_nano))
        yield begin, min(most, max(begin + 1, begin + round((end - start) * most / frame.length_nano)))


class _Guides(NamedTuple):
    """What stands before a name: at its own branch, at the last of a branch, and below either."""

    branch: str
    last: str
    beside: str
    below: str


_WIDE: Final = _Guides("├─ ", "└─ ", "│  ", "   ")
_NARROW: Final = _Guides("├╴", "└╴", "│ ", "  ")
_TIGHT: Final = _Guides("├", "└", "│", " ")
_GUIDES: Final = ((5, _WIDE), (9, _NARROW), (sys.maxsize, _TIGHT))
"""By the depth of the deepest hop, so that names keep room on a line of 100 cells."""
_MOST_GUIDES: Final = 24


def _walk(roots: Sequence[Row], guides: _Guides) -> Iterator[tuple[Row, str]]:
    """Rows in reading order with the guide that stands before their name."""
    todo = [(root, "", "") for root in reversed(roots)]
    while todo:
        node, guide, below = todo.pop()
        yield node, guide
        children = node["children"]
        for place, child in enumerate(reversed(children)):
            own, under = (guides.last, guides.below) if place == 0 else (guides.branch, guides.beside)
            todo.append((child, _elided(below) + own, below + under))


def _elided(guide: str) -> str:
    """Only the nearest guides of a very deep hop."""
    return guide if len(guide) <= _MOST_GUIDES else f"…{guide[-_MOST_GUIDES:]}"


def _depths(roots: Sequence[Row]) -> Iterator[tuple[Row, int]]:
    todo = [(root, 0) for root in reversed(roots)]
    while todo:
        node, depth = todo.pop()
        yield node, depth
        todo.extend((child, depth + 1) for child in reversed(node["children"]))


def _arrow(row: Row) -> str:
    """Dashed where the two sides were joined by anything weaker than their parent span."""
    joined_by_parent = row.get("pairing") in (None, "parent")
    return "→" if joined_by_parent or row.get("caller") is None else "⇢"


def _call(row: Row) -> str:
    attempts = int(row.get("attempts") or 1)
    arrow = _arrow(row)
    brief = row["_brief"] and row["_tree"] and arrow == "→"
    call = cells.callee(row) if brief else f"{cells.caller(row)} {arrow} {cells.callee(row)}"
    locked = " 🔒" if row.get("protection") == "mtls" else ""
    marks = f"{f' ×{attempts}' if attempts > 1 else ''}{' ✗' if row.get('error') else ''}"
    return f"{row['_tree']}{call}{locked}{marks}"


def _bar_style(text: str) -> str:
    return "bold" if any(thick in text for thick in "█▌▐") else "dim"


def _pairing(row: Row) -> str:
    return cells.plain(row.get("pairing")) if _arrow(row) == "⇢" else ""


_COLUMNS: Final = (
    Column("HOP", _call, flexible=48, style=lambda text: "red" if text.endswith("✗") else ""),
    Column("KIND", lambda row: cells.plain(row.get("kind")), gives_way=9, tells_apart=True),
    Column("BINDING", lambda row: cells.plain(row.get("binding")), gives_way=4),
    kinds.word("ROAD", "road", 0),
    kinds.word("PROTECTION", "protection", 6),
    kinds.VERDICT,
    kinds.word("REASON", "reason", 3),
    kinds.word("GRADE", "grade", 8),
    Column(_PAIRING, _pairing, gives_way=5),
    Column("DURATION", lambda row: cells.milliseconds(row.get("duration_ms")), right=True, gives_way=1),
)
