"""What of a table gives way when the terminal is narrow. Arithmetic only; it knows no report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.cells import cell_len

Row = Mapping[str, Any]
GAP: Final = 2
NARROWEST: Final = 8
"""A name that is cut keeps at least so many cells."""
WIDEST: Final = 200
"""Of a column in a line of any length: one name of 5,000 letters padded 6,000 lines to 30 MB."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, how a row's cell is written, and when it gives way.

    `gives_way` 0 never; else the highest goes first, after every `short` was tried. `flexible` is the width that long
    text may be cut to, 0 for text that is not cut while anything else can go. A column without any text is not
    shown unless it never gives way; one that `tells_apart` is shown where it has several texts.
    """

    heading: str
    text: Callable[[Row], str]
    right: bool = False
    gives_way: int = 0
    short: Callable[[Row], str] | None = None
    flexible: int = 0
    tells_apart: bool = False
    style: Callable[[str], str] = lambda _: ""


@dataclass(frozen=True, slots=True)
class Fitted:
    """The columns that stay with their widths and texts by row; `left_out` are headings of those that went.

    `cut` is whether a text that is wider than its column loses its end; where lines may be of any length it does not,
    and stands out of its column.
    """

    columns: tuple[Column, ...]
    widths: tuple[int, ...]
    cut: bool
    cells: tuple[tuple[str, ...], ...]
    left_out: tuple[str, ...]


def fit(columns: Sequence[Column], rows: Sequence[Row], width: int | None) -> Fitted:
    """Chooses columns so that the rows fit in `width` cells; `None` is as wide as it takes."""
    texts = {column.heading: [column.text(row) for row in rows] for column in columns}
    wanted = [column for column in columns if _says_something(column, texts[column.heading])]
    widths = {column.heading: _natural(column.heading, texts[column.heading]) for column in wanted}
    kept = list(wanted)
    if width is not None:
        by_weight = sorted((one for one in wanted if one.gives_way), key=lambda one: -one.gives_way)
        for column in by_weight:
            if column.short is not None and _needed(kept, widths) > width:
                texts[column.heading] = [column.short(row) for row in rows]
                widths[column.heading] = _natural(column.heading, texts[column.heading])
        for column in by_weight:
            if _needed(kept, widths) > width:
                kept.remove(column)
        for column in reversed([one for one in by_weight if one not in kept]):
            with_it = [one for one in wanted if one in kept or one is column]
            if _needed(with_it, widths) <= width:
                kept = with_it
    return Fitted(
        tuple(kept),
        _shared([(widths[column.heading], column.flexible > 0) for column in kept], width),
        width is not None,
        tuple(zip(*(texts[column.heading] for column in kept), strict=True)),
        tuple(column.heading for column in wanted if column not in kept),
    )


def _says_something(column: Column, texts: Sequence[str]) -> bool:
    if column.tells_apart:
        return len(set(filter(None, texts))) > 1
    return column.gives_way == 0 or any(texts)


def _natural(heading: str, texts: Sequence[str]) -> int:
    return max(map(cell_len, [heading, *texts]))


def _needed(columns: Sequence[Column], widths: Mapping[str, int]) -> int:
    comfortable = (min(widths[one.heading], one.flexible or widths[one.heading]) for one in columns)
    return sum(comfortable) + GAP * (len(columns) - 1)


def _shared(natural: Sequence[tuple[int, bool]], width: int | None) -> tuple[int, ...]:
    """The width of every column; what is too much is taken from the widest flexible one, cell by cell."""
    widths = [cells for cells, _ in natural]
    flexible = [place for place, (_, gives) in enumerate(natural) if gives]
    if width is None:
        return tuple(min(cells, WIDEST) for cells in widths)
    excess = sum(widths) + GAP * (len(widths) - 1) - width
    while excess > 0 and flexible:
        widest = max(flexible, key=lambda place: widths[place])
        if widths[widest] <= NARROWEST:
            break
        widths[widest] -= 1
        excess -= 1
    return tuple(widths)
