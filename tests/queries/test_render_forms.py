"""JSON, JSON lines, CSV, and values that would do something to a terminal or a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from bindtrace.queries import cells
from bindtrace.queries.render import csv_text, json_text, jsonl_text

HOSTILE = "evil\x1b[2J\x9b31m\u202etxt\u200b\r\nnext"


def test_json_is_an_indented_list_with_absent_as_null() -> None:
    assert (
        json_text([{"caller": None, "calls": 3}]) == '[\n  {\n    "caller": null,\n    "calls": 3\n  }\n]\n'
    )
    assert json_text([]) == "[]\n"


def test_json_of_a_hostile_name_has_no_control_character_and_the_same_value() -> None:
    for text in (json_text([{"caller": HOSTILE}]), jsonl_text([{"caller": HOSTILE}])):
        assert not any(char != "\n" and not char.isprintable() for char in text)
        assert (json.loads(text)[0] if text.startswith("[") else json.loads(text))["caller"] == HOSTILE


def test_json_keeps_letters_of_every_script() -> None:
    assert "größe 服务" in json_text([{"caller": "größe 服务"}])


def test_json_lines_are_one_object_each() -> None:
    assert jsonl_text([{"a": 1}, {"a": [2]}]) == '{"a":1}\n{"a":[2]}\n'
    assert jsonl_text([]) == ""


def test_csv_quotes_as_rfc_4180_and_ends_lines_with_crlf() -> None:
    assert csv_text([{"a": 'say "hi", now', "b": None, "c": True}]) == 'a,b,c\r\n"say ""hi"", now",,true\r\n'


def test_csv_of_nothing_still_has_its_header() -> None:
    assert csv_text([], ("caller", "callee")) == "caller,callee\r\n"


def test_csv_writes_lists_and_objects_as_json() -> None:
    (row,) = csv.DictReader(io.StringIO(csv_text([{"signature": ["a", "b"], "source": {"line": 1}}])))

    assert json.loads(row["signature"]) == ["a", "b"]
    assert json.loads(row["source"]) == {"line": 1}


@pytest.mark.parametrize("formula", ["=1+1", "+cmd", "-cmd|x", "@SUM(A1)", "\t=1"])
def test_csv_defuses_what_a_spreadsheet_would_run(formula: str) -> None:
    (row,) = list(csv.DictReader(io.StringIO(csv_text([{"caller": formula}]))))

    assert row["caller"].startswith("'")


@pytest.mark.parametrize("number", [-1.5, "-12", "+3", -4])
def test_csv_leaves_negative_numbers_alone(number: Any) -> None:
    assert csv_text([{"n": number}]) == f"n\r\n{number}\r\n"


def test_csv_keeps_line_breaks_inside_quotes_and_shows_other_controls() -> None:
    assert csv_text([{"a": "one\ntwo\x1b"}]) == 'a\r\n"one\ntwo\\x1b"\r\n'


def test_control_and_direction_characters_become_visible() -> None:
    assert cells.visible(HOSTILE) == "evil\\x1b[2J\\x9b31m\\u202etxt\\u200b\\x0d\\x0anext"
    assert cells.visible("\U000e0041") == "\\U000e0041"


@pytest.mark.parametrize(
    ("ms", "text"),
    [(None, ""), (0, "0"), (0.0421, "42µs"), (1.234, "1.23ms"), (9.996, "10.0ms"), (99.96, "100ms"),
     (999.6, "1.00s"), (1234.5, "1.23s"), (61_000, "1m01s"), (3_725_000, "1h02m")],
)  # fmt: skip
def test_durations_keep_three_digits_in_the_unit_that_suits_them(ms: float | None, text: str) -> None:
    assert cells.milliseconds(ms) == text


def test_moments_are_utc_and_absent_ones_are_empty() -> None:
    assert cells.moment("1769860800123456789") == "2026-01-31 12:00:00"
    assert cells.exact_moment("1769860800123456789") == "2026-01-31 12:00:00.123"
    assert cells.moment(None) == cells.exact_moment(None) == ""


def test_a_missing_caller_is_external_and_a_missing_callee_unseen() -> None:
    assert (cells.caller({"caller": None}), cells.callee({"callee": None})) == ("(external)", "(unseen)")
