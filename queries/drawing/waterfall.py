"""One chain as an SVG waterfall: a row per hop, indented by depth, with its bar on a time axis. No I/O here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from bindtrace.propagation.wording import counted
from bindtrace.queries import cells
from bindtrace.queries.critical_path import begin_unix_nano, length_nano, waited_for
from bindtrace.queries.drawing import palette
from bindtrace.queries.drawing.facts import AMISS, Row, call, facts, inferred, suffix, violating
from bindtrace.queries.drawing.markup import Markup, shortened, tag, text, width_of
from bindtrace.queries.drawing.palette import FONT_SIZE, chip_of_road, fill_of_verdict, lock, words
from bindtrace.queries.drawing.timescale import Scale, ticks

WIDTH: Final = 1200
ROW: Final = 22
HEAD: Final = 84
_CAPTION: Final = 54
FOOT: Final = 98
_MARGIN: Final = 16
_NAMES_END: Final = 456
_LOCK: Final = 466
_ROAD: Final = 484
_VERDICT: Final = 572
_BARS: Final = (676, 1104)
_STEP: Final = 16
_DEEPEST: Final = 220
"""Pixels that the indentation of the deepest hop takes at most."""
_TICKS: Final = 6


@dataclass(frozen=True, slots=True)
class Placed:
    """A hop with its line of the picture; its branch comes down from line `above`: its caller, or a sibling."""

    hop: Row
    depth: int
    line: int
    above: int
    first: bool
    full_name: bool


def waterfall(roots: Sequence[Row], *, styled: bool = True) -> Markup:
    """The picture of a chain, as the report `chain` gives it; `styled`: with a style sheet and a caption."""
    lines = list(placed(roots))
    waited = waited_for(roots)
    step = min(_STEP, _DEEPEST / max(1, *(one.depth for one in lines)))
    scale = _scale([one.hop for one in lines])
    bottom = HEAD + ROW * len(lines)
    return palette.svg(
        WIDTH,
        bottom + FOOT,
        title_of(lines),
        "A row per call, callers above callees; bars show when, the line inside them the critical path.",
        words(_MARGIN, 28, shortened(title_of(lines), WIDTH - 2 * _MARGIN, 17), "ink title"),
        words(_MARGIN, 48, summary(lines), "soft"),
        *_axis(scale, bottom),
        *(_row(one, scale, step, waited.get(id(one.hop))) for one in lines),
        *_legend(bottom + 42),
        top=0 if styled else _CAPTION,
        styled=styled,
    )


def placed(roots: Sequence[Row]) -> Iterator[Placed]:
    """The hops of a chain in reading order."""
    last: dict[int, int] = {}
    todo = [(hop, 0, -1, None) for hop in reversed(roots)]
    line = 0
    while todo:
        hop, depth, parent, caller = todo.pop()
        full_name = parent < 0 or hop.get("caller") != caller or inferred(hop)
        yield Placed(hop, depth, line, last.get(parent, parent), parent not in last, full_name)
        last[parent] = line
        todo.extend((child, depth + 1, line, hop.get("callee")) for child in reversed(hop["children"]))
        line += 1


def title_of(lines: Sequence[Placed]) -> str:
    return f"Trace {', '.join(dict.fromkeys(str(one.hop['trace_id']) for one in lines))}"


def summary(lines: Sequence[Placed]) -> str:
    """How many, when, how long, and how many of them should not be."""
    hops = [one.hop for one in lines]
    services = {hop.get("callee") for hop in hops} | {hop.get("caller") for hop in hops}
    wrong = sum(map(violating, hops))
    first = min(map(begin_unix_nano, hops))
    return " · ".join(
        (
            f"{counted(len(hops), 'call')} between {counted(len(services - {None}), 'service')}",
            f"began {cells.exact_moment(first)} UTC",
            f"took {cells.milliseconds(_scale(hops).length_nano / 1e6)}",
            counted(wrong, "violation") if wrong else "no violations",
        )
    )


def _scale(hops: Sequence[Row]) -> Scale:
    first = min(map(begin_unix_nano, hops))
    last = max(begin_unix_nano(hop) + length_nano(hop) for hop in hops)
    return Scale(first, max(1, last - first), *_BARS)


def _axis(scale: Scale, bottom: float) -> Iterator[Markup]:
    """Heads of the columns, and ticks above and below the bars."""
    heads = ((_MARGIN, "CALL"), (_ROAD, "ROAD"), (_VERDICT, "VERDICT"))
    yield from (words(x, HEAD - 10, head, "soft small") for x, head in heads)
    yield words(WIDTH - _MARGIN, HEAD - 10, "TOOK", "soft small", text_anchor="end")
    for offset, label in ticks(scale.length_nano, _TICKS):
        x = scale.x(scale.start_unix_nano + offset)
        yield tag("path", d=f"M{x:.1f} {HEAD - 5}V{bottom + 5}", class_="line rule")
        for y in (HEAD - 10, bottom + 16):
            yield words(x, y, label, "soft small", text_anchor="middle")


def _row(one: Placed, scale: Scale, step: float, waited: Sequence[tuple[int, int]] | None) -> Markup:
    hop, top = one.hop, HEAD + ROW * one.line
    base = top + 15
    wrong = violating(hop)
    look = "blush" if wrong else "zebra" if one.line % 2 == 0 else "paper"
    told = "\n".join(f"{label}: {value}" for label, value in facts(hop, waited or ()).items())
    said = cells.verdict(hop)
    road = cells.plain(hop.get("road"))
    return tag(
        "g",
        tag("title", text(told)),
        tag("rect", x=0, y=top, width=_BARS[0] - 8, height=ROW, class_=look),
        *_branch(one, step),
        _name(one, step, strong=waited is not None),
        lock(_LOCK, top + 4) if hop.get("protection") == "mtls" else Markup(""),
        chip_of_road(road, _ROAD, top + 5.5),
        words(
            _ROAD + 17,
            base,
            shortened(road, 60, FONT_SIZE),
            "alarm strong" if wrong and road == "public" else "ink",
        ),
        words(_VERDICT, base, said, "alarm strong" if said in AMISS else "ink"),
        *_bar(hop, scale, top, waited or ()),
        words(WIDTH - _MARGIN, base, cells.milliseconds(hop.get("duration_ms")), "ink", text_anchor="end"),
    )


def _branch(one: Placed, step: float) -> Iterator[Markup]:
    """From the caller down to this row; dashed where the join is inferred."""
    if one.depth == 0:
        return
    x = _MARGIN + (one.depth - 1) * step + 4
    middle = HEAD + ROW * one.line + ROW / 2
    # from the sibling's own elbow, or from below the caller's name
    start = HEAD + ROW * one.above + ROW / 2 + (8 if one.first else 0)
    look = "line wire dashed" if inferred(one.hop) else "line wire"
    yield tag("path", d=f"M{x:.1f} {start}V{middle}h{max(1, step - 7):.1f}", class_=look)


def _name(one: Placed, step: float, *, strong: bool) -> Markup:
    hop, x = one.hop, _MARGIN + one.depth * step
    name = call(hop) if one.full_name else cells.callee(hop)
    binding = cells.plain(hop.get("binding"))
    tail = suffix(hop)
    room = _NAMES_END - x - width_of(tail, FONT_SIZE)
    shown = shortened(name, room, FONT_SIZE)
    left = room - width_of(shown, FONT_SIZE) - 2 * FONT_SIZE
    parts = [tag("tspan", text(shown), class_="strong" if strong else "")]
    if tail:
        parts.append(tag("tspan", text(tail), class_="alarm strong" if hop.get("error") else ""))
    if binding and left > 4 * FONT_SIZE:
        parts.append(tag("tspan", text(shortened(binding, left, 11)), class_="soft small", dx=FONT_SIZE))
    return tag("text", *parts, x=x, y=HEAD + ROW * one.line + 15, class_="ink")


def _bar(hop: Row, scale: Scale, top: float, waited: Sequence[tuple[int, int]]) -> Iterator[Markup]:
    begin = begin_unix_nano(hop)
    x, width = _span(scale, begin, begin + length_nano(hop))
    look = dict(fill_of_verdict(cells.verdict(hop)))
    if inferred(hop):
        look["class_"] += " wire dashed"
    yield tag("rect", x=x, y=top + 5, width=width, height=12, rx=1.5, **look)
    for start, end in waited:
        left, long = _span(scale, start, end)
        for thickness, stroke in ((6, "halo"), (3, "waited")):
            yield tag(
                "path",
                d=f"M{left:.2f} {top + 11}h{long:.2f}",
                class_=f"line {stroke}",
                stroke_width=thickness,
            )


def _span(scale: Scale, start: int, end: int) -> tuple[float, float]:
    """Left edge and width in pixels, at least 2 wide and inside the picture."""
    width = max(2.0, scale.x(end) - scale.x(start))
    return min(scale.x(start), scale.right - width), width


def _legend(y: float) -> Iterator[Markup]:
    """What the looks mean, each drawn by what draws it in the picture."""
    wire: Mapping[str, str] = {"class_": "line wire"}
    bars: tuple[tuple[str, dict[str, str]], ...] = tuple(
        (word, fill_of_verdict(word)) for word in ("allowed", "denied", "unknown")
    )
    entries: list[tuple[str, list[Markup]]] = [
        (word, [tag("rect", x=0, y=-10, width=24, height=12, rx=1.5, **look)]) for word, look in bars
    ]
    entries.append(
        (
            "critical path",
            [
                tag("rect", x=0, y=-10, width=24, height=12, class_="allowed"),
                tag("path", d="M0 -4h24", class_="line halo", stroke_width=6),
                tag("path", d="M0 -4h24", class_="line waited", stroke_width=3),
            ],
        )
    )
    roads = [(road, [chip_of_road(road, 13, -9.5)]) for road in ("binding", "private", "public", "unknown")]
    joins: list[tuple[str, list[Markup]]] = [
        ("mTLS", [lock(14, -10)]),
        ("inferred join", [tag("path", d="M0 -4h24", class_="line wire dashed")]),
        ("joined by parent span", [tag("path", d="M0 -4h24", **wire)]),
    ]
    for line, (head, group) in enumerate((("verdict", entries), ("road", roads), ("join", joins))):
        yield words(_MARGIN, y + 20 * line, head, "soft small")
        stops = [90.0]
        for name, _ in group:
            stops.append(stops[-1] + 32 + width_of(name, FONT_SIZE) + 28)
        for (name, drawn), (x, _) in zip(group, pairwise(stops), strict=True):
            yield tag("g", *drawn, words(32, 0, name), transform=f"translate({x:.1f} {y + 20 * line:.1f})")
