"""The frame of every page: head, navigation, window and environment, search; and its style sheet. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from bindtrace.queries import cells
from bindtrace.queries.drawing import page as chain_page
from bindtrace.queries.drawing import palette
from bindtrace.queries.drawing.markup import Markup, tag, text

Row = Mapping[str, Any]
EMPTY: Final = Markup("")

WINDOWS: Final = {"15m": "15 minutes", "1h": "hour", "24h": "day", "7d": "week", "": "everything"}
"""What `since` may be, and how the choice reads."""
SECTIONS: Final = {"/": "Overview", "/findings": "Findings", "/chains": "Chains", "/services": "Services"}

_LOOK: Final = (
    "body{margin:0 auto;max-width:1280px;padding:12px 16px;font:15px/1.5 system-ui,sans-serif}"
    "header{display:flex;flex-wrap:wrap;gap:8px 20px;align-items:center;border-bottom:1px solid;padding-bottom:10px}"
    "header strong{font-size:18px}nav{display:flex;flex-wrap:wrap;gap:4px 14px}"
    "a{color:inherit;text-underline-offset:3px}a[aria-current]{font-weight:600;text-decoration-thickness:3px}"
    "form{display:flex;gap:6px;margin-left:auto}input,select,button{font:inherit;padding:3px 8px;min-width:0}"
    "input[type=search]{width:17em}"
    "h1{font-size:22px;margin:18px 0 6px;overflow-wrap:anywhere}h2{font-size:17px;margin:22px 0 6px}"
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:12px 0}"
    ".card{border:1px solid;border-radius:6px;padding:8px 12px}.card b{display:block;font-size:22px}"
    ".scroll{overflow-x:auto}.picture{overflow-x:auto;border:1px solid;border-radius:6px}svg{display:block}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:4px 12px 4px 0;vertical-align:top}"
    "th{font-weight:600}tbody tr{border-top:1px solid}.number{text-align:right;white-space:nowrap;padding-right:20px}"
    "td{overflow-wrap:break-word}"
    "article{border:1px solid;border-left-width:5px;border-radius:6px;padding:8px 14px;margin:12px 0}"
    "article h2{margin:0 0 4px}dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 16px;margin:6px 0}"
    "dt{font-weight:600}dd{margin:0;overflow-wrap:anywhere;min-width:0}code{font:13px/1.5 ui-monospace,monospace}"
    "details{border-left:3px solid transparent;padding:1px 8px}summary{cursor:pointer;overflow-wrap:anywhere}"
    "footer{margin-top:28px;border-top:1px solid;padding-top:8px;display:flex;gap:20px;flex-wrap:wrap}"
    ":focus-visible{outline:3px solid currentColor;outline-offset:2px}"
    "@media(min-width:700px){.picture svg{max-width:100%;height:auto}}"
    "@media(max-width:600px){form{margin-left:0;width:100%;flex-wrap:wrap}input[type=search]{flex:1}"
    "dl{grid-template-columns:1fr}th,td{padding-right:8px}}"
    + "".join(f".d{depth}{{margin-left:{depth * 14}px}}" for depth in range(1, chain_page.DEEPEST + 1))
)
_SHADES: Final = (
    ("body", "background-color", palette.PAPER), ("body", "color", palette.INK),
    ("header,footer,.card,.picture,article,tbody tr", "border-color", palette.RULE),
    (".quiet", "color", palette.SOFT), (".wrong", "color", palette.ALARM),
    ("article.critical,article.high", "border-left-color", palette.ALARM),
    ("article.medium", "border-left-color", palette.DENIED),
    ("article.low,article.info", "border-left-color", palette.UNKNOWN),
    ("details.violation", "border-left-color", palette.ALARM), ("details.violation", "background-color", palette.BLUSH),
)  # fmt: skip
STYLE: Final = ":root{color-scheme:light dark}" + palette.STYLE + _LOOK + palette.rules(_SHADES)
STYLE_NAME: Final = hashlib.sha256(STYLE.encode()).hexdigest()[:12]
"""In the address, so that a browser may keep what it has for ever."""


@dataclass(frozen=True, slots=True)
class View:
    """What every link on a page keeps: the window (a length of time, or empty) and the environment (or empty)."""

    since: str = ""
    environment: str = ""

    def link(self, path: str, **more: str) -> str:
        kept = {"since": self.since, "env": self.environment} | more
        written = urlencode({key: value for key, value in kept.items() if value})
        return f"{path}?{written}" if written else path


def document(title: str, path: str, view: View, main: Sequence[Markup], *, live: bool = True) -> bytes:
    """The whole page as UTF-8."""
    body = tag(
        "body",
        tag(
            "header",
            tag("strong", text("bindtrace")),
            tag(
                "nav",
                *(_section(name, where, path, view) for where, name in SECTIONS.items()),
                aria_label="Pages",
            ),
            tag(
                "nav",
                *(_window(length, name, path, view) for length, name in WINDOWS.items()),
                aria_label="Time",
            ),
            _search(view),
        ),
        tag("main", *main),
        tag(
            "footer",
            tag("span", text("live" if live else ""), id="live" if live else "still", class_="quiet"),
        ),
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{tag('title', text(f'{title} · bindtrace'))}\n"
        f'<link rel="stylesheet" href="/page/{STYLE_NAME}.css">\n<link rel="icon" href="data:,">\n'
        f'<script type="module" src="/page/live.mjs"></script>\n</head>\n{body}\n</html>\n'
    ).encode()


def link(where: str, *inside: Markup, **attributes: str) -> Markup:
    """A link within the page: `where` is a path of ours."""
    assert where.startswith("/")
    return tag("a", *inside, href=where, **attributes)


def table(columns: Sequence[str], rows: Sequence[Sequence[Markup]], numbers: Sequence[str] = ()) -> Markup:
    """A table that scrolls by itself where the page is narrow. `numbers` are the columns set to the right."""
    looks = [{"class_": "number"} if column in numbers else {} for column in columns]
    head = tag(
        "tr", *(tag("th", text(name), scope="col", **look) for name, look in zip(columns, looks, strict=True))
    )
    body = [
        tag("tr", *(tag("td", cell, **look) for cell, look in zip(row, looks, strict=True))) for row in rows
    ]
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="scroll")


def number(value: Any) -> Markup:
    return text(cells.count(value))


def _section(name: str, where: str, path: str, view: View) -> Markup:
    here = {"aria_current": "page"} if where == path else {}
    return link(view.link(where), text(name), **here)


def _window(length: str, name: str, path: str, view: View) -> Markup:
    here = {"aria_current": "true"} if length == view.since else {}
    return link(View(length, view.environment).link(path), text(name), **here)


def _search(view: View) -> Markup:
    hidden = [
        tag("input", type="hidden", name=name, value=value)
        for name, value in (("since", view.since), ("env", view.environment))
        if value
    ]
    return tag(
        "form",
        *hidden,
        tag("input", type="search", name="q", placeholder="service, trace id or rule", aria_label="Search"),
        tag("button", text("Search")),
        action="/search",
        method="get",
        role="search",
    )
