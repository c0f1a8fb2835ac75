"""Reads a picture as a reader sees it: its texts with the room they take, and its elements by class."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

from rich.cells import cell_len

NS = "{http://www.w3.org/2000/svg}"
_SIZES = {"title": 17.0, "small": 11.0}


class Box(NamedTuple):
    """What a text takes, in pixels of the whole picture."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


def parsed(markup: str) -> ET.Element:
    return ET.fromstring(markup)


def classed(root: ET.Element, name: str) -> list[ET.Element]:
    """Every element that has this class."""
    return [one for one in root.iter() if name in one.get("class", "").split()]


def boxes(root: ET.Element) -> list[Box]:
    return list(_boxes(root, 0, 0))


def overlaps(found: list[Box]) -> list[tuple[str, str]]:
    """Pairs of texts that would lie over each other."""
    ordered = sorted(found, key=lambda one: one.top)
    return [
        (one.text, other.text)
        for place, one in enumerate(ordered)
        for other in takewhile(lambda below: below.top < one.bottom, ordered[place + 1 :])  # noqa: B023 - used at once
        if one.left < other.right - 0.5 and other.left < one.right - 0.5
    ]


def _boxes(element: ET.Element, x: float, y: float) -> Iterator[Box]:
    if moved := element.get("transform"):
        dx, dy = moved.removeprefix("translate(").removesuffix(")").split()
        x, y = x + float(dx), y + float(dy)
    if element.tag == f"{NS}text":
        yield _box(element, x, y)
        return
    for child in element:
        if child.tag != f"{NS}defs":
            yield from _boxes(child, x, y)


def _box(element: ET.Element, x: float, y: float) -> Box:
    parts = [(element, element.text or ""), *((part, part.text or "") for part in element)]
    wide = sum(
        float(part.get("dx", 0)) + cell_len(text) * 0.602 * _size(part if text else element)
        for part, text in parts
    )
    left = x + float(element.get("x", 0))
    left -= {"middle": wide / 2, "end": wide}.get(element.get("text-anchor", ""), 0)
    base = y + float(element.get("y", 0))
    size = _size(element)
    return Box("".join(element.itertext()), left, base - 0.8 * size, left + wide, base + 0.2 * size)


def _size(element: ET.Element) -> float:
    return next((_SIZES[name] for name in element.get("class", "").split() if name in _SIZES), 13.0)
