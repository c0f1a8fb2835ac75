"""Every document that shows names of senders, and what a DOM parser makes of it. Judges nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import duckdb
from injecting import FIRST_TRACE, Asked

from bindtrace.queries.catalog import run_report
from bindtrace.queries.drawing.edge_map import edge_map
from bindtrace.queries.drawing.page import page
from bindtrace.queries.drawing.waterfall import waterfall
from bindtrace.queries.query import Query

PAGES = ("/", "/findings", "/chains", "/services")
SAFE_ADDRESS = re.compile(r"/(?!/)|#|data:,$")


class Dom(HTMLParser):
    """The kinds of elements, each with the names of its attributes; addresses; what is no element; the text."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.kinds: set[tuple[str, tuple[str, ...]]] = set()
        self.addresses: list[str] = []
        self.others: list[str] = []
        self.said = ""
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.kinds.add((tag, tuple(key for key, _ in attrs)))
        self.addresses += [
            value or "" for key, value in attrs if key in ("href", "src", "action", "xlink:href")
        ]

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)

    def handle_data(self, data: str) -> None:
        self.said += data


def documents(con: duckdb.DuckDBPyConnection, count: int) -> list[str]:
    """Every page, the HTML report and the pictures of the first `count` chains, and the map."""
    asked = Asked(con)
    chains = [f"/chain/{FIRST_TRACE + number:032x}" for number in range(count)]
    found = [asked.get(path) for path in (*PAGES, *chains)]
    for number in range(count):
        roots = run_report(con, "chain", Query(filters={"trace_id": f"{FIRST_TRACE + number:032x}"}))
        found += [page(roots), waterfall(roots)]
    return [*found, edge_map(run_report(con, "edges", Query()))]
