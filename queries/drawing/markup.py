"""SVG and HTML as text in which a name can be nothing but a name; it knows no picture."""

from __future__ import annotations

from typing import Final, NewType
from xml.sax.saxutils import escape

from rich.cells import cell_len, set_cell_size

from bindtrace.queries import cells

Markup = NewType("Markup", str)
"""Text that is safe between tags: made by `tag` and `text` only, or written in our own source."""

_CELL_PER_EM: Final = 0.602
"""Width of a character of the common monospaced fonts (DejaVu, Menlo, SF Mono; Consolas is narrower)."""
_QUOTES: Final = {'"': "&quot;", "'": "&#39;"}


def tag(name: str, /, *children: Markup, **attributes: str | float) -> Markup:
    """An element. `_` in an attribute's name stands for `-`, one at its end is dropped; numbers lose their tail."""
    written = "".join(f' {_attribute(key)}="{_value(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{written}>{''.join(children)}</{name}>")


def text(value: object) -> Markup:
    """The value as character data; what a terminal or a reader could be fooled by is spelled out."""
    return Markup(_safe(value))


def ascii_only(markup: str) -> str:
    """The same document in ASCII, so that it reads alike under every encoding."""
    return markup.encode("ascii", "xmlcharrefreplace").decode("ascii")


def width_of(value: str, size: float) -> float:
    """Pixels that the text takes in a monospaced font of `size` pixels."""
    return cell_len(value) * size * _CELL_PER_EM


def shortened(value: str, pixels: float, size: float) -> str:
    """The text, cut with an ellipsis where it is wider than `pixels`."""
    room = max(1, int(pixels / (size * _CELL_PER_EM)))
    return value if cell_len(value) <= room else f"{set_cell_size(value, room - 1).rstrip()}…"


def _safe(value: object) -> str:
    # XML 1.0 has no way to write control characters; `visible` has spelled them out.
    return escape(cells.visible(value), _QUOTES)


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _value(value: str | float) -> str:
    return _safe(value) if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
