"""One chain as one HTML file: the waterfall, and every hop's facts to unfold. No script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Final

from bindtrace.queries import cells
from bindtrace.queries.critical_path import waited_for
from bindtrace.queries.drawing import palette
from bindtrace.queries.drawing.facts import Row, call, facts, suffix, violating
from bindtrace.queries.drawing.markup import Markup, tag, text
from bindtrace.queries.drawing.waterfall import Placed, placed, summary, title_of, waterfall

DEEPEST: Final = 24
"""Levels of indentation; what is deeper stands at the last."""
_LOOK: Final = (
    "body{margin:0 auto;max-width:1232px;padding:16px;font:14px/1.5 system-ui,sans-serif}"
    "h1{font-size:20px;overflow-wrap:anywhere}h2{font-size:16px}"
    ".picture{overflow-x:auto;border:1px solid}svg{display:block}"
    "@media(min-width:700px){.picture svg{max-width:100%;height:auto}}"
    "details{border-left:3px solid transparent;padding:1px 8px}details[open]{padding-bottom:8px}"
    "summary{cursor:pointer;overflow-wrap:anywhere}summary b{font-weight:600}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:6px 0 6px 18px}"
    "dd{margin:0;overflow-wrap:anywhere}"
    ":focus-visible{outline:2px solid currentColor;outline-offset:1px}"
    + "".join(f".d{depth}{{margin-left:{depth * 14}px}}" for depth in range(1, DEEPEST + 1))
)
_SHADES: Final = (
    ("body", "background-color", palette.PAPER), ("body", "color", palette.INK),
    (".picture", "border-color", palette.RULE), ("dt", "color", palette.SOFT),
    (".quiet", "color", palette.SOFT), (".wrong", "color", palette.ALARM),
    ("details.violation", "border-left-color", palette.ALARM), ("details.violation", "background-color", palette.BLUSH),
)  # fmt: skip
_STYLE: Final = ":root{color-scheme:light dark}" + palette.STYLE + _LOOK + palette.rules(_SHADES)
_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'"


def page(roots: Sequence[Row]) -> Markup:
    """The whole document for a chain, as the report `chain` gives it."""
    title, parts = chain_parts(roots)
    body = tag("body", tag("h1", text(title)), *parts)
    return Markup(
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"{tag('title', text(title))}\n<style>{_STYLE}</style>\n</head>\n{body}\n</html>"
    )


def chain_parts(roots: Sequence[Row]) -> tuple[str, list[Markup]]:
    """The title of a chain, and what stands below it: a summary, the waterfall, and every call's facts."""
    lines = list(placed(roots))
    waited = waited_for(roots)
    picture = tag(
        "div",
        waterfall(roots, styled=False),
        class_="picture",
        tabindex=0,
        role="region",
        aria_label="Waterfall",
    )
    return title_of(lines), [
        tag("p", text(summary(lines)), class_="quiet"),
        picture,
        tag("h2", text("Every call")),
        *(_hop(one, waited.get(id(one.hop), ())) for one in lines),
    ]


def _hop(one: Placed, waited: Sequence[tuple[int, int]]) -> Markup:
    hop = one.hop
    road = cells.plain(hop.get("road"))
    words = f" · {road} · {cells.verdict(hop)} · {cells.milliseconds(hop.get('duration_ms'))}"
    wrong = violating(hop)
    return tag(
        "details",
        tag(
            "summary",
            tag("b", text(call(hop) + suffix(hop))),
            tag("span", text(words), class_="wrong" if wrong else "quiet"),
        ),
        tag(
            "dl",
            *(
                part
                for label, value in facts(hop, waited).items()
                for part in (tag("dt", text(label)), tag("dd", text(value)))
            ),
        ),
        class_=f"d{min(one.depth, DEEPEST)}{' violation' if wrong else ''}",
    )
