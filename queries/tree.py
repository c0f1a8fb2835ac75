"""One chain as a person reads it: an indented line per hop with its judgement and a waterfall. Asks nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import RenderableType

from bindtrace.queries import cells
from bindtrace.queries.columns import LAYOUTS, word_style
from bindtrace.queries.layout import Column, Row
from bindtrace.queries.render import table

BAR_CELLS: Final = 20


@dataclass(frozen=True, slots=True)
class Frame:
    """The time that the whole chain spans, in Unix nanoseconds."""

    start_unix_nano: int
    length_nano: int


def chain_tree(roots: Sequence[Row]) -> RenderableType:
    """The trees of a chain's hops, callers above callees, in the columns that the terminal has room for."""
    flat = [row | {"_tree": branch} for row, branch in _walk(roots, "")]
    frame = frame_of(flat)
    return table("chain", flat, (*_COLUMNS, Column("WHEN", lambda row: bar(row, frame), gives_way=3)))


def legend(flat: Sequence[Row]) -> str:
    """What the marks mean that these hops show."""
    marks = {
        "⇢ joined as PAIRING says": any(_arrow(row) == "⇢" for row in flat),
        "🔒 mTLS": any(row.get("protection") == "mtls" for row in flat),
        "×n attempts": any(int(row.get("attempts") or 1) > 1 for row in flat),
        "✗ error": any(row.get("error") for row in flat),
        "▕█▏ when, within the whole chain": True,
    }
    return " · ".join(mark for mark, shown in marks.items() if shown)


def flatten(roots: Sequence[Row]) -> list[dict[str, Any]]:
    """The hops of a chain, callers before callees, each with `depth` in place of `children`."""
    return [
        {"depth": depth} | {key: value for key, value in row.items() if key != "children"}
        for row, depth in _depths(roots, 0)
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
    flat = [row | {"_tree": branch} for row, branch in _walk(roots, "")]
    name = Column("CHAIN", lambda row: f"{row['_tree']}{cells.visible(row['_name'])}", flexible=48)
    return table("chains", flat, (name, *LAYOUTS["chains"][1:]))


def frame_of(rows: Sequence[Row]) -> Frame:
    starts = [int(row["start_time_unix_nano"]) for row in rows]
    ends = [start + _nano(row) for start, row in zip(starts, rows, strict=True)]
    first = min(starts, default=0)
    return Frame(first, max(1, max(ends, default=1) - first))


def bar(row: Row, frame: Frame) -> str:
    """The hop's share of the chain's time, at least one half cell wide."""
    halves = 2 * BAR_CELLS
    begin = (int(row["start_time_unix_nano"]) - frame.start_unix_nano) * halves // frame.length_nano
    begin = min(begin, halves - 1)
    end = min(halves, max(begin + 1, begin + round(_nano(row) * halves / frame.length_nano)))
    drawn = "".join(_HALVES[begin <= left < end, begin <= left + 1 < end] for left in range(0, halves, 2))
    return f"▕{drawn}▏"


_HALVES: Final[Mapping[tuple[bool, bool], str]] = {
    (False, False): " ",
    (True, False): "▌",
    (False, True): "▐",
    (True, True): "█",
}


def _walk(nodes: Sequence[Row], guide: str, *, top: bool = True) -> Iterator[tuple[dict[str, Any], str]]:
    """Rows in reading order with the guide that stands before their name."""
    for place, node in enumerate(nodes):
        last = place == len(nodes) - 1
        yield dict(node), guide if top else f"{guide}{'└─ ' if last else '├─ '}"
        below = guide if top else f"{guide}{'   ' if last else '│  '}"
        yield from _walk(node["children"], below, top=False)


def _depths(nodes: Sequence[Row], depth: int) -> Iterator[tuple[Row, int]]:
    for node in nodes:
        yield node, depth
        yield from _depths(node["children"], depth + 1)


def _arrow(row: Row) -> str:
    """Dashed where the two sides were joined by anything weaker than their parent span."""
    joined_by_parent = row.get("pairing") in (None, "parent")
    return "→" if joined_by_parent or row.get("caller") is None else "⇢"


def _call(row: Row) -> str:
    attempts = int(row.get("attempts") or 1)
    return (
        f"{row['_tree']}{cells.caller(row)} {_arrow(row)} {cells.callee(row)}"
        f"{f' ×{attempts}' if attempts > 1 else ''}{' ✗' if row.get('error') else ''}"
    )


def _protection(row: Row) -> str:
    word = cells.plain(row.get("protection"))
    return f"🔒 {word}" if word == "mtls" else word


def _pairing(row: Row) -> str:
    return cells.plain(row.get("pairing")) if _arrow(row) == "⇢" else ""


def _word(heading: str, key: str, gives_way: int) -> Column:
    return Column(heading, lambda row: cells.plain(row.get(key)), gives_way=gives_way, style=word_style)


def _nano(row: Row) -> int:
    return round(float(row.get("duration_ms") or 0) * 1e6)


_COLUMNS: Final = (
    Column("HOP", _call, flexible=48, style=lambda text: "red" if text.endswith("✗") else ""),
    Column("KIND", lambda row: cells.plain(row.get("kind")), gives_way=9, tells_apart=True),
    Column("BINDING", lambda row: cells.plain(row.get("binding")), gives_way=4),
    _word("ROAD", "road", 0),
    Column("PROTECTION", _protection, gives_way=6, style=word_style),
    _word("VERDICT", "verdict", 0),
    _word("REASON", "reason", 2),
    _word("GRADE", "grade", 8),
    Column("PAIRING", _pairing, gives_way=5),
    Column("DURATION", lambda row: cells.milliseconds(row.get("duration_ms")), right=True, gives_way=1),
)
