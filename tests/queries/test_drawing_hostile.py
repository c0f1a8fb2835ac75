"""Names that want to be more than names, in every picture: they stay text, and no terminal obeys them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import click.testing
import duckdb
import pytest
from drawing import CLIENT, SERVER, draw, span
from drawn_hops import edge, hop

from bindtrace.propagation.command import bindtrace
from bindtrace.queries.database import open_database
from bindtrace.queries.drawing.edge_map import edge_map
from bindtrace.queries.drawing.page import page
from bindtrace.queries.drawing.waterfall import waterfall

PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    "</title></svg><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "]]><script>alert(1)</script><![CDATA[",
    "<!--",
    "&lt;b&gt;&amp;",
    "url(#denied)",
    "javascript:alert(1)",
    "\x1b]0;owned\x07\x1b[2J",
    "\x9b31m",
    "a\x00b\x08c",
    "\u202egnp.exe",
    "\ufffe\uffff",
    "line\nbreak\ttab",
)
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ufffe\uffff]")
_INNOCENT = "name"


class Shape(HTMLParser):
    """The elements with the names of their attributes: what markup there is, without its text."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(key for key, _ in attrs)))

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment", ()))


def chain_named(name: str) -> dict[str, Any]:
    inner = hop(
        name, name, road=name, verdict=name, reason=name, protection=name, kind=name, pairing=name, grade=name,
        binding=name, evidence=[name], marks=[name], via=[name], confidence=name, outcome=name,
    )  # fmt: skip
    return hop(None, name, inner, trace_id=name)


def edge_named(name: str) -> dict[str, Any]:
    return edge(name, f"{name} 2", scope=name, caller_env=name, callee_env=name, kind=name, road=name, verdict=name,
                protection=name, grade=name)  # fmt: skip


def shape(markup: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.tag, tuple(one.keys())) for one in ET.fromstring(markup).iter()]


def without_sizes(tags: list[tuple[str, tuple[str, ...]]]) -> list[tuple[str, tuple[str, ...]]]:
    """A binding's name is left out where there is no room for it."""
    return [one for one in tags if not one[0].endswith("tspan")]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_element_or_attribute_of_a_waterfall_comes_from_a_name(payload: str) -> None:
    drawn = waterfall([chain_named(payload)])

    assert without_sizes(shape(drawn)) == without_sizes(shape(waterfall([chain_named(_INNOCENT)])))
    assert not _CONTROL.search(drawn)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_element_or_attribute_of_a_map_comes_from_a_name(payload: str) -> None:
    drawn = edge_map([edge_named(payload)])

    assert shape(drawn) == shape(edge_map([edge_named(_INNOCENT)]))
    assert not _CONTROL.search(drawn)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_element_or_attribute_of_a_page_comes_from_a_name(payload: str) -> None:
    document = page([chain_named(payload)])

    expected = without_sizes(Shape(page([chain_named(_INNOCENT)])).tags)
    assert without_sizes(Shape(document).tags) == expected
    assert not _CONTROL.search(document)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which every payload is a service that calls the next."""
    path = tmp_path_factory.mktemp("hostile") / "traces.duckdb"
    con: duckdb.DuckDBPyConnection = open_database(path)
    spans = [span("entry", SERVER, 1, ms=1000)]
    for place, payload in enumerate(name.replace("\x00", "") for name in PAYLOADS):
        host = {"server_host": payload, "binding_name": payload, "url_path": payload}
        caller = "entry" if place == 0 else PAYLOADS[place - 1].replace("\x00", "")
        spans += [
            span(caller, CLIENT, 2 * place + 2, 2 * place + 1, at_ms=place, ms=900 - place, **host),
            span(
                payload, SERVER, 2 * place + 3, 2 * place + 2, at_ms=place, ms=899 - place, url_path=payload
            ),
        ]
    draw(con, *spans)
    con.close()
    return path


@pytest.mark.parametrize("form", ["tree", "table", "svg", "html", "mermaid"])
def test_a_stored_payload_reaches_no_terminal(file: Path, form: str) -> None:
    result = click.testing.CliRunner().invoke(bindtrace, ["chain", "0", "--db", str(file), "-f", form])

    assert result.exit_code == 0, result.output
    assert not _CONTROL.search(result.stdout + result.stderr)
    assert len(result.stdout.splitlines()) < 100


@pytest.mark.parametrize("form", ["svg", "mermaid"])
def test_a_map_of_stored_payloads_reaches_no_terminal(file: Path, form: str) -> None:
    result = click.testing.CliRunner().invoke(bindtrace, ["edges", "--db", str(file), "-f", form])

    assert result.exit_code == 0, result.output
    assert not _CONTROL.search(result.stdout + result.stderr)


def test_pictures_are_written_in_ascii(file: Path) -> None:
    for form in ("svg", "html"):
        result = click.testing.CliRunner().invoke(bindtrace, ["chain", "0", "--db", str(file), "-f", form])
        assert result.stdout.isascii()
