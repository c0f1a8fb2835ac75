"""Who calls whom as an SVG map, callers left of callees: width by calls, look by judgement. No I/O here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from bindtrace.propagation.vocabulary import EXTERNAL
from bindtrace.propagation.wording import counted
from bindtrace.queries import cells
from bindtrace.queries.drawing import palette
from bindtrace.queries.drawing.facts import AMISS, Row, violating
from bindtrace.queries.drawing.layers import Layout, Slot, layered
from bindtrace.queries.drawing.markup import Markup, shortened, tag, text, width_of
from bindtrace.queries.drawing.palette import FONT_SIZE, chip_of_road, words

_SMALL: Final = 11
_MARGIN: Final = 16
_HEAD: Final = 76
_BETWEEN: Final = 46
_NAME: Final = 230
"""Pixels of a name at most; the whole name is in the tooltip."""
_PORT: Final = 11
_HEAD_OF_ARROW: Final = 9
_NARROWEST: Final = 640
_THINNEST, _THICKEST = 1.4, 6.0


class Service(NamedTuple):
    """What a box stands for."""

    scope: str | None
    environment: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """One row of the report, between boxes."""

    row: Row
    caller: Service
    callee: Service


def edge_map(rows: Sequence[Row], *, styled: bool = True) -> Markup:
    """The map of the rows of the report `edges`; `styled` where no page around it has our style sheet."""
    every = [_arrow(row) for row in rows]
    arrows = [one for one in every if one.caller != one.callee]
    services = list(dict.fromkeys(end for one in every for end in (one.caller, one.callee)))
    place = {service: number for number, service in enumerate(services)}
    own = {one.caller: one.row for one in every if one.caller == one.callee}
    layout = layered(
        [_size(service, services, own, arrows) for service in services],
        [(place[one.caller], place[one.callee]) for one in arrows],
        [_label_size(one.row) for one in arrows],
        _BETWEEN,
    )
    slots = [slot for rank in layout.ranks for slot in rank]
    wide = max((one.x + one.width / 2 for one in slots), default=0.0)
    high = max((one.y + one.height / 2 for one in slots), default=0.0)
    ports = _ports(layout)
    most = max((int(one.row.get("calls") or 0) for one in arrows), default=1)
    width = max(_NARROWEST, wide + 2 * _MARGIN)
    wrong = sum(map(violating, rows))
    said = (
        f"{counted(len(services), 'service')}, {counted(len(rows), 'edge')}, "
        f"{counted(wrong, 'violation') if wrong else 'no violations'}"
    )
    return palette.svg(
        math.ceil(width),
        math.ceil(_HEAD + high + 96),
        "Who calls whom",
        "Boxes are services, arrows calls from left to right; red and dashed is what should not be.",
        words(_MARGIN, 28, "Who calls whom", "ink title"),
        words(_MARGIN, 48, said, "soft"),
        tag(
            "g",
            *(
                _drawn(one.row, route, ports, back, label, most)
                for one, route, back, label in zip(
                    arrows, layout.routes, layout.reversed, layout.labels, strict=True
                )
            ),
            *(_box(one, slot, services, own) for one, slot in zip(services, layout.nodes, strict=True)),
            transform=f"translate({_MARGIN} {_HEAD})",
        ),
        *_legend(_HEAD + high + 44),
        styled=styled,
    )


def _arrow(row: Row) -> Arrow:
    scope = row.get("scope")
    caller = row.get("caller")
    return Arrow(
        row,
        Service(scope, row.get("caller_env"), str(caller)) if caller else Service(None, None, EXTERNAL),
        Service(scope, row.get("callee_env"), str(row.get("callee") or cells.UNSEEN)),
    )


def _second_line(one: Service, services: Sequence[Service]) -> str:
    """Environment and scope, where the bare name is not enough."""
    namesakes = [other for other in services if other.name == one.name]
    told = []
    if len({other.environment for other in namesakes}) > 1:
        told.append(one.environment)
    if len({other.scope for other in namesakes}) > 1:
        told.append(one.scope)
    return " · ".join(cells.visible(word) for word in told if word)


def _self_calls(one: Service, own: Mapping[Service, Row]) -> str:
    return f"calls itself, {cells.count(own[one].get('calls'))}" if one in own else ""


def _size(
    one: Service, services: Sequence[Service], own: Mapping[Service, Row], arrows: Sequence[Arrow]
) -> tuple[float, float]:
    small = [line for line in (_second_line(one, services), _self_calls(one, own)) if line]
    wide = max(width_of(cells.visible(one.name), FONT_SIZE), *(width_of(line, _SMALL) for line in small), 60)
    ways = max(sum(a.caller == one for a in arrows), sum(a.callee == one for a in arrows))
    return min(wide, _NAME) + 24, max(34 + 14 * len(small), _PORT * ways + 10)


def _box(one: Service, slot: Slot, services: Sequence[Service], own: Mapping[Service, Row]) -> Markup:
    outside = one.name in (EXTERNAL, cells.UNSEEN)
    lines = [line for line in (_second_line(one, services), _self_calls(one, own)) if line]
    known = {"service": one.name, "environment": one.environment, "scope": one.scope}
    first = slot.y + 5 - 7 * len(lines)
    return tag(
        "g",
        tag("title", text("\n".join(f"{key}: {value}" for key, value in known.items() if value))),
        tag(
            "rect", x=slot.x - slot.width / 2, y=slot.y - slot.height / 2, width=slot.width, height=slot.height,
            rx=5, class_=f"zebra {'frame dashed' if outside else 'waited'}",
        ),
        words(
            slot.x, first, shortened(cells.visible(one.name), slot.width - 20, FONT_SIZE),
            "soft" if outside else "ink strong", text_anchor="middle",
        ),
        *(
            words(
                slot.x, first + 15 * at, shortened(line, slot.width - 12, _SMALL), "soft small", text_anchor="middle"
            )
            for at, line in enumerate(lines, 1)
        ),
    )  # fmt: skip


def _label(row: Row) -> tuple[str, str, str]:
    """Above the line, below it, and below that what is wrong with the calls."""
    calls, errors = int(row.get("calls") or 0), int(row.get("errors") or 0)
    failed = f" · {counted(errors, 'error')}" if errors else ""
    faults = [
        *(said.upper() for said in (cells.verdict(row),) if said in AMISS),
        *(["PUBLIC ROAD"] if row.get("road") == "public" else []),
    ]
    return (
        f"{counted(calls, 'call')}{failed}",
        f"p95 {cells.milliseconds(row.get('p95_ms'))}",
        " · ".join(faults) if violating(row) else "",
    )


def _label_size(row: Row) -> tuple[float, float]:
    above, below, wrong = _label(row)
    wide = max(width_of(above, _SMALL), width_of(below, _SMALL) + 18, width_of(wrong, _SMALL) * 1.02)
    return wide + 10, 58 if wrong else 36


def _ports(layout: Layout) -> dict[tuple[int, int], float]:
    """Height at which each route leaves its first box and enters its last, by box and neighbour; none share one."""
    ports = {}
    for box in layout.nodes:
        for neighbours in (box.after, box.before):
            ordered = sorted(neighbours, key=lambda one: one.y)
            for at, other in enumerate(ordered):
                ports[id(box), id(other)] = box.y + (at - (len(ordered) - 1) / 2) * _PORT
    return ports


def _drawn(
    row: Row,
    route: Sequence[Slot],
    ports: Mapping[tuple[int, int], float],
    back: bool,
    label: Slot,
    most: int,
) -> Markup:
    """One arrow with its label, along its slots."""
    thick = _thickness(int(row.get("calls") or 0), most)
    wrong = violating(row)
    colour = "alarm" if wrong else "allowed" if cells.verdict(row) == "allowed" else "unknown"
    dash = " alarm-dash" if wrong else " dashed" if colour == "unknown" else ""
    start, end = ports[id(route[0]), id(route[1])], ports[id(route[-1]), id(route[-2])]
    left = route[0].x + route[0].width / 2 + (_HEAD_OF_ARROW if back else 0)
    right = route[-1].x - route[-1].width / 2 - (0 if back else _HEAD_OF_ARROW)
    path = "".join(_pieces(route, left, start, right, end))
    tip = (left, start, -_HEAD_OF_ARROW) if back else (right, end, _HEAD_OF_ARROW)
    above, below, fault = _label(row)
    x = label.x - label.width / 2 + 4
    return tag(
        "g",
        tag("title", text(_told(row))),
        tag("path", d=path, class_=f"line {colour}-line{dash}", stroke_width=thick),
        tag("path", d=f"M{tip[0]:.1f} {tip[1] - 5:.1f}l{tip[2]} 5l{-tip[2]} 5z", class_=colour),
        words(x, label.y - 2 - thick, above, "ink small"),
        chip_of_road(cells.plain(row.get("road")), x, label.y + thick + 2),
        words(x + 16, label.y + thick + 11, below, "ink small"),
        words(x, label.y + thick + 25, fault, "alarm strong small") if fault else Markup(""),
    )


def _pieces(route: Sequence[Slot], left: float, start: float, right: float, end: float) -> Iterator[str]:
    """Flat across every slot, a soft bend between."""
    x, y = left, start
    yield f"M{x:.1f} {y:.1f}"
    flats = [(one.x - one.width / 2, one.x + one.width / 2, one.y) for one in route[1:-1]]
    for begin, finish, to_y in (*flats, (right, right, end)):
        half = (begin - x) / 2
        yield f"C{x + half:.1f} {y:.1f} {begin - half:.1f} {to_y:.1f} {begin:.1f} {to_y:.1f}H{finish:.1f}"
        x, y = finish, to_y


def _thickness(calls: int, most: int) -> float:
    """By the logarithm of the calls: a rare call must stay visible beside a million."""
    return _THINNEST + (_THICKEST - _THINNEST) * math.log1p(calls) / math.log1p(max(1, most))


def _told(row: Row) -> str:
    keys = ("kind", "calls", "errors", "denied", "road", "protection", "verdict", "grade")
    told = {key: cells.plain(row.get(key)) for key in keys}
    told |= {key: cells.milliseconds(row.get(f"{key}_ms")) for key in ("p50", "p95", "p99")}
    facts = "\n".join(f"{key}: {value}" for key, value in told.items() if value)
    return f"{cells.caller(row)} → {cells.callee(row)}\n{facts}"


def _legend(y: float) -> Iterator[Markup]:
    lines: list[tuple[str, list[Markup]]] = [
        (name, [tag("path", d="M0 -4h26", class_=f"line {look}", stroke_width=2.5)])
        for name, look in (
            ("allowed", "allowed-line"), ("unknown", "unknown-line dashed"), ("violation", "alarm-line alarm-dash"),
        )
    ]  # fmt: skip
    roads = [(road, [chip_of_road(road, 13, -9.5)]) for road in ("binding", "private", "public", "unknown")]
    widths: list[tuple[str, list[Markup]]] = [
        ("wider: more calls", [tag("path", d="M0 -1.5L26 0V-8L0 -5.5z", class_="soft")])
    ]
    for line, (head, group) in enumerate((("calls", [*lines, *widths]), ("road", roads))):
        yield words(_MARGIN, y + 20 * line, head, "soft small")
        stops = [70.0]
        for name, _ in group:
            stops.append(stops[-1] + 34 + width_of(name, FONT_SIZE) + 24)
        for (name, drawn), (x, _) in zip(group, pairwise(stops), strict=True):
            yield tag("g", *drawn, words(34, 0, name), transform=f"translate({x:.1f} {y + 20 * line:.1f})")
