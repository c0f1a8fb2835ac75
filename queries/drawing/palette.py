"""Colours and patterns of every picture, light and dark; each meaning has both, so that none hangs on colour alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from bindtrace.queries.drawing.markup import Markup, tag, text

FONT_SIZE: Final = 13
_FONT: Final = 'ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace'


class Shade(NamedTuple):
    """One colour on light and on dark paper."""

    light: str
    dark: str


PAPER: Final = Shade("#ffffff", "#0d1117")
INK: Final = Shade("#1b1f24", "#e6edf3")
SOFT: Final = Shade("#57606a", "#9aa4af")
RULE: Final = Shade("#d0d7de", "#30363d")
ZEBRA: Final = Shade("#f5f7f9", "#141a22")
ALARM: Final = Shade("#b3261e", "#ff8a80")
BLUSH: Final = Shade("#fdecea", "#3a1a1a")

# Okabe and Ito's palette, which people of every colour vision tell apart; lighter on dark paper.
ALLOWED: Final = Shade("#0072b2", "#56b4e9")
UNKNOWN: Final = Shade("#767676", "#a8a8a8")
DENIED: Final = Shade("#d55e00", "#ff8c42")
BINDING: Final = Shade("#009e73", "#2fc79a")
PRIVATE: Final = Shade("#56b4e9", "#7cc4ef")
PUBLIC: Final = Shade("#b87900", "#f0b429")

# No custom properties: converters of SVG that are no browsers know classes, but not `var()`.
_COLOURS: Final = (
    (".paper", "fill", PAPER), (".ink", "fill", INK), (".soft", "fill", SOFT), (".zebra", "fill", ZEBRA),
    (".alarm", "fill", ALARM), (".blush", "fill", BLUSH), (".rule", "stroke", RULE), (".wire", "stroke", SOFT),
    (".waited", "stroke", INK), (".halo", "stroke", PAPER), (".frame", "stroke", SOFT),
    (".allowed", "fill", ALLOWED), (".unknown", "fill", UNKNOWN), (".denied", "fill", DENIED),
    (".allowed-line", "stroke", ALLOWED), (".unknown-line", "stroke", UNKNOWN), (".denied-line", "stroke", DENIED),
    (".alarm-line", "stroke", ALARM), (".binding", "fill", BINDING), (".private", "fill", PRIVATE),
    (".public", "fill", PUBLIC), (".public-line", "stroke", PUBLIC), (".private-line", "stroke", PRIVATE),
)  # fmt: skip
_SHAPES: Final = (
    f"text{{font-family:{_FONT};font-size:{FONT_SIZE}px}}"
    ".title{font-size:17px;font-weight:bold}.strong{font-weight:bold}.small{font-size:11px}"
    ".line{fill:none}.dashed{stroke-dasharray:4 3}.alarm-dash{stroke-dasharray:9 4 2 4}"
)


def rules(colours: Sequence[tuple[str, str, Shade]]) -> str:
    """A style sheet of selectors, properties and shades, for light paper and for dark."""
    light = "".join(f"{selector}{{{key}:{shade.light}}}" for selector, key, shade in colours)
    dark = "".join(f"{selector}{{{key}:{shade.dark}}}" for selector, key, shade in colours)
    return f"{light}@media (prefers-color-scheme:dark){{{dark}}}"


STYLE: Final = _SHAPES + rules(_COLOURS)


def patterns() -> Markup:
    """Fillings by verdict and by road; an allowed call and a binding are plain colours."""
    return tag(
        "defs",
        _pattern("denied", 8, 45, _rect(8, "denied"), _rect(8, "paper", width=3)),
        _pattern("unknown", 5, 0, _rect(5, "paper"), tag("circle", cx=2.5, cy=2.5, r=1.4, class_="unknown")),
        _pattern("private", 5, 0, _rect(5, "paper"), tag("rect", width=5, height=3, class_="private")),
        _pattern("public", 5, 45, _rect(5, "public"), tag("rect", width=2, height=2, class_="paper")),
    )


def fill_of_verdict(verdict: str) -> dict[str, str]:
    return {
        "allowed": {"class_": "allowed"},
        "denied": {"fill": "url(#denied)", "class_": "denied-line"},
    }.get(verdict, {"fill": "url(#unknown)", "class_": "unknown-line"})


def chip_of_road(road: str, x: float, y: float) -> Markup:
    """A small square that says by its pattern which road a call took."""
    look: dict[str, str] = {
        "binding": {"class_": "binding"},
        "private": {"fill": "url(#private)", "class_": "private-line"},
        "public": {"fill": "url(#public)", "class_": "public-line"},
    }.get(road, {"fill": "none", "class_": "frame dashed"})
    return tag("rect", x=x, y=y, width=11, height=11, **look)


def lock(x: float, y: float) -> Markup:
    """A padlock 10 wide and 13 high: drawn, because few monospaced fonts have one."""
    return tag(
        "g",
        tag(
            "path", d=f"M{x + 2:.1f} {y + 6:.1f}v-2.5a3 3 0 0 1 6 0v2.5", class_="line wire", stroke_width=1.6
        ),
        tag("rect", x=x, y=y + 6, width=10, height=7, rx=1.5, class_="soft"),
    )


def words(x: float, y: float, value: str, look: str = "ink", **more: str | float) -> Markup:
    """One line of text with its baseline at `y`."""
    return tag("text", text(value), x=x, y=y, class_=look, **more)


def svg(
    width: float, height: float, title: str, description: str, *content: Markup, styled: bool, top: float = 0
) -> Markup:
    """The whole picture on its own paper, from `top` down; `styled` where no page around it has our style sheet."""
    return tag(
        "svg",
        tag("title", text(title)),
        tag("desc", text(description)),
        tag("style", Markup(STYLE)) if styled else Markup(""),
        patterns(),
        tag("rect", width=width, height=height, class_="paper"),
        *content,
        xmlns="http://www.w3.org/2000/svg",
        width=width,
        height=height - top,
        viewBox=f"0 {top:g} {width:g} {height - top:g}",
        role="img",
    )


def _pattern(name: str, size: int, turned: int, *content: Markup) -> Markup:
    return tag(
        "pattern", *content, id=name, width=size, height=size, patternUnits="userSpaceOnUse",
        patternTransform=f"rotate({turned})",
    )  # fmt: skip


def _rect(size: int, look: str, *, width: int | None = None) -> Markup:
    return tag("rect", width=width or size, height=size, class_=look)
