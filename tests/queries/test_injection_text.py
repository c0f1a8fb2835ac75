"""T23 and T24: texts that want to drive a terminal, forge a log line, or be a formula, a table or a mention."""

from __future__ import annotations

import csv
import io
import json
import logging
import re

import click.testing
import pytest
from hostile import SHEET, TERMINAL
from markdown_it import MarkdownIt

from bindtrace.collector.log_lines import OneLine
from bindtrace.propagation.command import bindtrace
from bindtrace.queries import render
from bindtrace.queries.explain import explain
from bindtrace.queries.markdown import code, plain, table
from bindtrace.queries.render import csv_text, json_text, jsonl_text
from bindtrace.queries.sarif import sarif_text
from bindtrace.queries.tree import chain_tree, chains_tree

CONTROL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff\U000e0000-\U000e007f]"
)
ROW = {
    "id": "0123456789abcdef", "rule": "undeclared-call", "severity": "medium", "grade": "claimed", "confidence": None,
    "scope": None, "caller": "orders", "caller_env": None, "callee": "ledger", "callee_env": None, "count": 1,
    "first_seen": "1", "last_seen": "2", "example": None, "source": None, "silenced_until": None,
    "message": "m", "fix": "f",
}  # fmt: skip

CALL = {
    "kind": "call", "road": "public", "protection": "tls", "grade": "claimed", "start_time_unix_nano": "1000000",
    "duration_ms": 1.0, "attempts": 1, "error": False, "children": [],
}  # fmt: skip
CHAIN = {"scope": None, "environment": None, "traces": 1, "calls": 1, "errors": 0}


def about(text: str) -> dict[str, object]:
    """A finding of which every text is the payload."""
    named = dict.fromkeys(("caller", "caller_env", "callee", "scope", "message", "fix"), text)
    return {**ROW, **named, "source": {"file": text, "line": 1}}


@pytest.mark.parametrize("payload", TERMINAL, ids=range(len(TERMINAL)))
def test_a_table_of_a_payload_drives_no_terminal(payload: str, capsys: pytest.CaptureFixture[str]) -> None:
    render.emit("findings", [about(payload[:2000])], "table")
    shown = capsys.readouterr()

    assert not CONTROL.search(shown.out + shown.err)
    assert len(shown.out.splitlines()) == 2


@pytest.mark.slow
@pytest.mark.parametrize("payload", TERMINAL, ids=range(len(TERMINAL)))
def test_what_is_explained_or_drawn_of_a_payload_drives_no_terminal(
    payload: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = payload[:2000]
    call = {**CALL, **dict.fromkeys(("caller", "callee", "binding", "verdict", "reason", "pairing"), text)}
    render.show(explain([about(text)], text), prose=True)
    render.show(chain_tree([{**call, "children": [call]}]))
    render.show(chains_tree([{**CHAIN, "signature": [text, text]}]))
    shown = capsys.readouterr()

    assert not CONTROL.search(shown.out + shown.err)


@pytest.mark.parametrize("payload", TERMINAL, ids=range(len(TERMINAL)))
def test_narration_and_errors_of_a_payload_are_one_line(
    payload: str, capsys: pytest.CaptureFixture[str]
) -> None:
    render.say(payload)
    said = capsys.readouterr().err
    refused = click.testing.CliRunner().invoke(bindtrace, ["rule", f"x{payload[:2000]}"])

    assert not CONTROL.search(said + refused.output)
    assert said.count("\n") == 1
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("payload", TERMINAL, ids=range(len(TERMINAL)))
def test_an_event_is_one_line_of_a_log_whatever_it_names(payload: str) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine("level=%(levelname)s %(message)s"))
    log = logging.Logger("hostile")
    log.addHandler(handler)

    try:
        raise ValueError(payload)
    except ValueError:
        log.exception("event=bug path=%s", payload)

    assert stream.getvalue().count("\n") == 1
    assert not CONTROL.search(stream.getvalue())
    assert stream.getvalue().startswith("level=ERROR event=bug path=")


@pytest.mark.parametrize("payload", [*TERMINAL[:78], *SHEET])
def test_json_of_a_payload_is_safe_to_show_and_says_the_same(payload: str) -> None:
    for form in (json_text, jsonl_text):
        written = form([{"caller": payload}])
        read = json.loads(written)

        assert not CONTROL.search(written)
        assert (read[0] if isinstance(read, list) else read) == {"caller": payload}


@pytest.mark.parametrize("payload", SHEET)
def test_csv_of_a_payload_is_one_cell_that_is_no_formula(payload: str) -> None:
    written = csv_text([{"caller": payload, "callee": "x"}], ("caller", "callee"))
    header, row = csv.reader(io.StringIO(written, newline=""))

    assert header == ["caller", "callee"]
    assert (len(row), row[1]) == (2, "x")
    assert row[0][:1] not in ("=", "+", "-", "@", "\t", "\r")
    assert payload.strip("\t\r\n").splitlines()[-1].strip()[:5] in row[0]


@pytest.mark.parametrize("payload", SHEET)
def test_markdown_of_a_payload_is_one_cell_of_text(payload: str) -> None:
    written = table(("a", "b"), [[code(payload), plain(payload)]])
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(written)
    kinds = {token.type for token in tokens} | {
        child.type for token in tokens for child in token.children or ()
    }
    cells = [token for token in tokens if token.type == "td_open"]

    assert len(cells) == 2
    assert kinds <= {
        "table_open", "table_close", "thead_open", "thead_close", "tbody_open", "tbody_close", "tr_open", "tr_close",
        "th_open", "th_close", "td_open", "td_close", "inline", "text", "text_special", "code_inline",
    }  # fmt: skip


@pytest.mark.parametrize("payload", SHEET)
def test_sarif_of_a_payload_keeps_it_in_its_place(payload: str) -> None:
    log = json.loads(sarif_text([about(payload)]))
    innocent = json.loads(sarif_text([about("name")]))

    def shape(value: object) -> object:
        if isinstance(value, dict):
            return {key: shape(one) for key, one in value.items()}
        return [shape(one) for one in value] if isinstance(value, list) else type(value)

    assert shape(log["runs"][0]["results"]) == shape(innocent["runs"][0]["results"])
    (result,) = log["runs"][0]["results"]
    address = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert re.fullmatch(r"[A-Za-z0-9._~/%+-]*", address) or address.startswith("file:///"), address
