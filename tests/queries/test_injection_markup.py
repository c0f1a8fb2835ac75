"""T22: texts that want to be markup are text on every page, in every picture and report: judged by DOM parsers."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import duckdb
import pytest
from hostile import XSS, sample
from injecting import FIRST_TRACE, INNOCENT, Asked, database

from bindtrace.queries import cells
from bindtrace.queries.catalog import run_report
from bindtrace.queries.drawing.edge_map import edge_map
from bindtrace.queries.drawing.page import page
from bindtrace.queries.drawing.waterfall import waterfall
from bindtrace.queries.query import Query

PAYLOADS = sample(XSS, 12)
PLAIN = [f"name {number}" for number in range(len(PAYLOADS))]
PAGES = (
    "/",
    "/findings",
    "/chains",
    "/services",
    *(f"/chain/{FIRST_TRACE + n:032x}" for n in range(len(PAYLOADS))),
)
_SAFE_ADDRESS = re.compile(r"/(?!/)|#|data:,$")


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


def documents(con: duckdb.DuckDBPyConnection, asked: Asked) -> list[str]:
    """Every page, the HTML report and the pictures of every chain, and the map."""
    found = [asked.get(path) for path in PAGES]
    for number in range(len(PAYLOADS)):
        roots = run_report(con, "chain", Query(filters={"trace_id": f"{FIRST_TRACE + number:032x}"}))
        found += [page(roots), waterfall(roots)]
    return [*found, edge_map(run_report(con, "edges", Query()))]


@pytest.fixture(scope="module")
def plain() -> Iterator[list[Dom]]:
    con = database(PLAIN, declared=True)
    yield [Dom(document) for document in documents(con, Asked(con))]
    con.close()


@pytest.fixture(scope="module")
def hostile() -> Iterator[list[str]]:
    con = database(PAYLOADS, declared=True)
    yield documents(con, Asked(con))
    con.close()


def test_no_element_and_no_attribute_comes_from_a_payload(plain: list[Dom], hostile: list[str]) -> None:
    for before, document in zip(plain, hostile, strict=True):
        found = Dom(document)

        assert {kind for kind in found.kinds if kind[0] != "tspan"} <= before.kinds
        assert found.others == before.others
        assert all(_SAFE_ADDRESS.match(address) for address in found.addresses), found.addresses


def test_every_payload_is_there_as_text(hostile: list[str]) -> None:
    said = "".join(Dom(document).said for document in hostile)

    for payload in (*PAYLOADS, *INNOCENT):
        assert cells.visible(payload) in said or html.unescape(cells.visible(payload)) in said, payload


def test_pictures_and_reports_are_well_formed_and_allow_nothing(hostile: list[str]) -> None:
    for document in hostile[len(PAGES) :]:
        assert "javascript:" not in " ".join(Dom(document).addresses).lower()
        if document.startswith("<!doctype"):
            assert "default-src 'none'" in document
