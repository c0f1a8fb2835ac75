"""The HTML page of a chain: whole in itself, no script, every hop's facts to unfold."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

from drawn_hops import small_chain

from bindtrace.queries.drawing.page import page

VOID = ("meta",)


class Reader(HTMLParser):
    """Every element with its attributes, and what is open at the end."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_every_element_is_closed() -> None:
    assert Reader(page([small_chain()])).open == []


def test_there_is_no_script_and_nothing_from_elsewhere() -> None:
    document = page([small_chain()])

    elements = Reader(document).elements
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & {tag for tag, _ in elements}
    assert not [
        key
        for _, attributes in elements
        for key in attributes
        if key.startswith("on") or key in ("src", "href", "style")
    ]
    assert re.findall(r"https?://[^\"]+", document) == ["http://www.w3.org/2000/svg"]


def test_the_policy_admits_the_pages_own_style_and_nothing_else() -> None:
    document = page([small_chain()])

    (style,) = re.findall(r"<style>(.*?)</style>", document, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [
        one["content"]
        for tag, one in Reader(document).elements
        if one.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_the_page_is_dark_where_the_reader_is() -> None:
    document = page([small_chain()])

    assert "@media (prefers-color-scheme:dark)" in document
    assert "color-scheme:light dark" in document


def test_the_facts_of_every_hop_unfold_without_a_mouse() -> None:
    reader = Reader(page([small_chain()]))

    tags = [tag for tag, _ in reader.elements]
    assert [tags.count(tag) for tag in ("details", "summary", "dl")] == [4, 4, 4]
    assert "denied (undeclared)" in reader.texts


def test_a_violation_stands_out_in_the_list() -> None:
    classes = [one.get("class") for tag, one in Reader(page([small_chain()])).elements if tag == "details"]

    assert classes == ["d0", "d1", "d2 violation", "d1"]
