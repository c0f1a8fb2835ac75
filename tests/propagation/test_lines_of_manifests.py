"""JSON, JSONC and TOML with their lines: every key, element and table is pointed at where it stands."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindtrace.propagation.manifest import Problem
from bindtrace.propagation.platforms import located, toml_lines
from bindtrace.propagation.platforms.located import Document
from bindtrace.propagation.platforms.parsing import parse

TOML = """\
name = "x" # [not.a.table]
'quo.ted'.b = [1, 2,
  { a = 1, b = [ "x]", 'y}' ] },
]
when = 2026-12-31 10:00:00
text = \"\"\"
[nor.this]
a \\"\"\" b\"\"\"
services = [ # a comment, with a comma
  { binding = "A", service = "b" }, { binding = "B" }
]
[env.staging]
"key with = sign" = true
[[env.staging.services]]
[[env.staging.services]]
props.x = 1
[env.staging.services.more]
[a.b.c]
[a]
z = 1
"""


def test_toml_points_at_tables_keys_and_elements_in_every_notation() -> None:
    document = toml_lines.load(TOML)
    root = document.root
    staging = root["env"]["staging"]

    assert root == tomllib.loads(TOML)
    keys = ("name", "quo.ted", "when", "text", "services", "env", "a")
    assert [document.line_at(root, key) for key in keys] == [1, 2, 5, 6, 9, 12, 18]
    assert [document.line_of(s) for s in root["services"]] == [10, 10]
    assert document.line_of(root["quo.ted"]["b"][2]) == document.line_at(root["quo.ted"]["b"], 2) == 3
    assert (document.line_of(staging), document.line_at(staging, "key with = sign")) == (12, 13)
    assert [document.line_of(s) for s in staging["services"]] == [14, 15]
    assert document.line_at(staging["services"][1]["props"], "x") == 16
    assert document.line_of(staging["services"][1]["more"]) == 17
    assert [document.line_of(root["a"]["b"]["c"]), document.line_of(root["a"])] == [18, 19]


def test_json_points_at_keys_and_elements_and_says_what_is_there_twice() -> None:
    document = located.load('{\n "a": [\n  1,\n  {"b": 2}\n ],\n "c": "{",\n "c": null\n}')

    assert document.root == {"a": [1, {"b": 2}], "c": None}
    assert document.line_of(document.root["a"][1]) == document.line_at(document.root["a"], 1) == 4
    assert [document.line_at(document.root, key) for key in "ac"] == [2, 7]
    assert document.repeated == (("c", 7),)


def test_comments_and_trailing_commas_do_not_move_lines_and_are_kept_inside_texts() -> None:
    text = '{ // "x": {\n "u": "https://a/*b*/", /* two\n lines, */\n "l": ["},", ",]", ], // end\n}'

    document = located.load_with_comments(text)

    assert document.root == {"u": "https://a/*b*/", "l": ["},", ",]"]}
    assert [document.line_at(document.root, key) for key in "ul"] == [2, 4]


@pytest.mark.parametrize(
    ("form", "text", "place"),
    [
        ("json", '{"a": 1} // no', "f:1:10"),
        ("jsonc", '{\n "a": 1 /* open', "f:2:9"),
        ("jsonc", "[1 2]", "f:1:4"),
        ("toml", "a = 1\nb =\n", "f:2:4"),
        ("toml", "a = 1\na = 2\n", "f:2:6"),
        ("toml", "a = " + "[" * 100_000, "f:1"),
        ("jsonc", "[" * 100_000, "f:1:1"),
        ("json", "\x00", "f:1:1"),
    ],
)
def test_what_cannot_be_parsed_is_one_fatal_problem_at_its_place(form: Any, text: str, place: str) -> None:
    problem = parse("f", text, form)

    assert isinstance(problem, Problem)
    assert problem.fatal
    assert problem.place.startswith(place)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('a"\\/*,]}#=\n', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.*/", max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_any_json_is_read_as_python_reads_it_and_each_line_shows_what_stands_there(value: Any) -> None:
    text = json.dumps(value, indent=1)
    lines = text.splitlines()
    document = located.load(text)

    assert document.root == located.load_with_comments(text).root == value

    def check(here: Any) -> None:
        entries = (
            here.items() if isinstance(here, dict) else enumerate(here) if isinstance(here, list) else ()
        )
        for key, below in entries:
            shown = lines[document.line_at(here, key) - 1]
            assert json.dumps(key if isinstance(here, dict) else below)[:1] in shown
            check(below)

    check(document.root)


def test_a_byte_order_mark_and_windows_line_ends_change_nothing() -> None:
    for form in ("json", "jsonc"):
        document = parse("f", '\ufeff{\r\n"a": [\r\n1]}\r\n', form)
        assert isinstance(document, Document)
        assert document.line_at(document.root["a"], 0) == 3
    document = parse("f", '\ufeff[a]\r\nb = """\r\n"""\r\nc = 1\r\n', "toml")
    assert isinstance(document, Document)
    assert document.line_at(document.root["a"], "c") == 4
