"""Text for Markdown, with names that cannot break out of a table or a code span. No terminal here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from bindtrace.queries import cells

_TICKS: Final = re.compile(r"`+")
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~@&])")


def code(value: Any) -> str:
    """A code span; a mention, a link or HTML in it stays text."""
    text = cells.visible(value).replace("|", "\\|")
    longest = max((len(run) for run in _TICKS.findall(text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{fence}{space}{text or ' '}{space}{fence}"


def plain(value: Any) -> str:
    """Running text with every character that Markdown would obey escaped."""
    return _SPECIAL.sub(r"\\\1", cells.visible(value))


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are Markdown already; empty without rows."""
    if not rows:
        return ""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
