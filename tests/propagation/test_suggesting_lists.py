"""Lists inside a manifest's text: what is edited, and that the rest stays to the byte."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindtrace.propagation.platforms.located import load_with_comments
from bindtrace.propagation.suggesting.lists import ListEdit, edited

NEW = {"service": "new"}
ADD, KEEP = (NEW,), frozenset[int]()

LINES = """\
{
  // who calls whom
  "services": {
    "web": {
      "bindings": [
        { "service": "a" }, // the first
        { "service": "b, ]" },
        { "service": "c" } /* the last */
      ]
    },
    "ledger": {
      "root": "x"
    },
    "empty": {}
  }
}
"""
TOML = """\
scope = "shop"  # of all

[services.web]
root = "x"

# the first
[[services.web.bindings]]
service = "a"
[services.web.bindings.props]
key = "]"

[[services.web.bindings]]
service = "b"

[services.ledger]
root = "y"
"""


def bindings(text: str, service: str = "web") -> list[str]:
    root = load_with_comments(text).root
    return [entry["service"] for entry in root["services"][service].get("bindings", [])]


@pytest.mark.parametrize(
    ("remove", "left"),
    [
        ({0}, ["b, ]", "c", "new"]),
        ({1}, ["a", "c", "new"]),
        ({2}, ["a", "b, ]", "new"]),
        ({0, 1}, ["c", "new"]),
        ({1, 2}, ["a", "new"]),
        ({0, 2}, ["b, ]", "new"]),
        ({0, 1, 2}, ["new"]),
        (set(), ["a", "b, ]", "c", "new"]),
    ],
)
def test_entries_go_and_come_in_json(remove: set[int], left: list[str]) -> None:
    text = edited(LINES, "json", [ListEdit(("services", "web"), "bindings", frozenset(remove), ADD)])

    assert bindings(text) == left
    assert "// who calls whom" in text
    assert text.endswith('"empty": {}\n  }\n}\n')


def test_only_the_lines_of_the_list_change() -> None:
    text = edited(LINES, "json", [ListEdit(("services", "web"), "bindings", KEEP, ADD)])
    gone = [line for line in LINES.splitlines() if line not in text.splitlines()]

    assert gone == ['        { "service": "c" } /* the last */']
    assert '        { "service": "c" }, /* the last */\n        { "service": "new" }\n      ]' in text


def test_a_comment_stays_with_its_entry() -> None:
    text = edited(LINES, "json", [ListEdit(("services", "web"), "bindings", frozenset({1, 2}), ())])

    assert '        { "service": "a" } // the first\n      ]' in text


@pytest.mark.parametrize("service", ["ledger", "empty"])
def test_a_list_that_is_not_there_is_made(service: str) -> None:
    text = edited(LINES, "json", [ListEdit(("services", service), "bindings", KEEP, ADD)])

    assert bindings(text, service) == ["new"]
    assert bindings(text) == ["a", "b, ]", "c"]


@pytest.mark.parametrize(
    "text",
    [
        '{"services":{"web":{"bindings":[]}}}',
        '{"services":{"web":{"bindings":[{"service":"a"}],}}}',
        '{"services":{"web":{}}}',
        '{ "services": { "web": {\n  "bindings": [\n    {"service":"a"},\n  ],\n} } }',
    ],
)
def test_any_layout_of_json_stays_valid(text: str) -> None:
    before = bindings(text)

    assert bindings(edited(text, "json", [ListEdit(("services", "web"), "bindings", KEEP, ADD)])) == [
        *before,
        "new",
    ]


def test_removing_every_entry_leaves_an_empty_list() -> None:
    text = edited('{"services":{"web":{"bindings":[{"service":"a"}]}}}', "json",
                  [ListEdit(("services", "web"), "bindings", frozenset({0}), ())])  # fmt: skip

    assert json.loads(text) == {"services": {"web": {"bindings": []}}}


def test_nothing_to_do_changes_nothing() -> None:
    for form, text in (("json", LINES), ("toml", TOML)):
        edit = ListEdit(("services", "ledger"), "bindings", KEEP, ())
        assert edited(text, form, [edit]) == text  # type: ignore[arg-type]


def test_windows_line_ends_stay() -> None:
    text = edited(LINES.replace("\n", "\r\n"), "json", [ListEdit(("services", "web"), "bindings", KEEP, ADD)])

    assert "\n" not in text.replace("\r\n", "")


@pytest.mark.parametrize(("remove", "left"), [({0}, ["b", "new"]), ({1}, ["a", "new"]), ({0, 1}, ["new"])])
def test_tables_go_and_come_in_toml(remove: set[int], left: list[str]) -> None:
    text = edited(TOML, "toml", [ListEdit(("services", "web"), "bindings", frozenset(remove), ADD)])
    root = tomllib.loads(text)

    assert [entry["service"] for entry in root["services"]["web"]["bindings"]] == left
    assert root["services"]["ledger"] == {"root": "y"}
    assert "# of all" in text


@pytest.mark.parametrize(
    "text",
    ["", "name = 'x'", "name = 'x'\nservices = [ { service = 'a' } ] # one\n", "services = [\n  {service='a'},\n]\n",
     "services = []\n[env.x]\nkey = 1\n"],
)  # fmt: skip
def test_any_layout_of_toml_stays_valid(text: str) -> None:
    before = tomllib.loads(text)

    after = tomllib.loads(edited(text, "toml", [ListEdit((), "services", KEEP, ADD)]))

    assert after == before | {"services": [*before.get("services", []), NEW]}


def test_a_path_to_no_object_is_refused() -> None:
    with pytest.raises(ValueError, match=r"services\.nobody"):
        edited(LINES, "json", [ListEdit(("services", "nobody"), "bindings", KEEP, ADD)])


NAMES = st.text(st.sampled_from('ab"\\/,]}#: é'), min_size=1, max_size=4)
LISTS = st.lists(st.fixed_dictionaries({"service": NAMES}), max_size=4)


@settings(max_examples=60, deadline=None)
@given(
    services=st.dictionaries(
        NAMES, st.fixed_dictionaries({}, optional={"bindings": LISTS, "root": NAMES}), min_size=1
    ),
    chosen=st.data(),
    indent=st.sampled_from([None, 0, 2, "\t"]),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]),
)
def test_any_json_is_edited_as_meant(
    services: dict[str, Any], chosen: st.DataObject, indent: int | str | None, separators: tuple[str, str]
) -> None:
    name = chosen.draw(st.sampled_from(sorted(services)))
    old = services[name].get("bindings", [])
    remove = chosen.draw(st.frozensets(st.sampled_from(range(len(old))))) if old else frozenset()
    add = tuple(chosen.draw(LISTS))
    text = json.dumps({"services": services}, indent=indent, separators=separators, ensure_ascii=False)

    made = json.loads(edited(text, "json", [ListEdit(("services", name), "bindings", remove, add)]))

    left = [entry for at, entry in enumerate(old) if at not in remove]
    assert made["services"][name].get("bindings", []) == [*left, *add]
    made["services"][name].pop("bindings", None)
    services[name].pop("bindings", None)
    assert made == {"services": services}
