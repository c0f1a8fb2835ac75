"""YAML with lines: what is read, where it stands, and what is refused before it costs anything."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bindtrace.propagation.platforms.yaml_lines import MAX_DEPTH, YamlError, load_all


def test_every_key_and_element_has_its_line() -> None:
    (document,) = load_all("kind: Server\nspec:\n  ports:\n    - 80\n    - {name: grpc,\n       port: 81}\n")

    ports = document.root["spec"]["ports"]
    assert document.line_at(document.root, "spec") == 2
    assert document.line_at(document.root["spec"], "ports") == 3
    assert [document.line_at(ports, index) for index in (0, 1)] == [4, 5]
    assert document.line_at(ports[1], "port") == 6
    assert document.line_of(ports) == 4
    assert document.line_at(ports, 7) == 4


def test_documents_that_hold_nothing_are_left_out() -> None:
    documents = load_all("# a comment\n---\na: 1\n---\n---\n# another\n---\nb: 2\n...\n")

    assert [document.root for document in documents] == [{"a": 1}, {"b": 2}]
    assert documents[1].line_at(documents[1].root, "b") == 8


def test_plain_texts_are_read_by_the_core_schema() -> None:
    (document,) = load_all(
        "[on, yes, ~, true, 12, 0x1f, 0o17, 1.5, .inf, 2024-01-02, 12:30:45, '12', !!str 12, !!int '7', 1_0]"
    )

    assert document.root == [
        "on", "yes", None, True, 12, 31, 15, 1.5, float("inf"), "2024-01-02", "12:30:45", "12", "12", 7, "1_0",
    ]  # fmt: skip


def test_keys_are_texts_as_in_json() -> None:
    (document,) = load_all("8080: {mode: DISABLE}\ntrue: 1\n~: 2\n")

    assert document.root == {"8080": {"mode": "DISABLE"}, "true": 1, "null": 2}


def test_merge_keys_fill_in_what_the_mapping_does_not_say() -> None:
    (document,) = load_all(
        "one: &one {a: 1, b: 1}\ntwo: &two\n  b: 2\n  c: 2\nboth:\n  <<: [*one, *two]\n  a: 0\n"
    )

    assert document.root["both"] == {"a": 0, "b": 1, "c": 2}
    assert document.line_at(document.root["both"], "c") == 4
    assert document.line_at(document.root["both"], "a") == 7


def test_a_quoted_merge_sign_is_a_key() -> None:
    assert load_all('"<<": 1')[0].root == {"<<": 1}


def test_short_tags_of_cloudformation_become_long_ones() -> None:
    (document,) = load_all(
        "a: !Ref Mesh\nb: !GetAtt Node.Arn.X\nc: !Sub '${A}-b'\nd: !Join ['', [x, !Ref Y]]\n"
    )

    assert document.root == {
        "a": {"Ref": "Mesh"},
        "b": {"Fn::GetAtt": ["Node", "Arn.X"]},
        "c": {"Fn::Sub": "${A}-b"},
        "d": {"Fn::Join": ["", ["x", {"Ref": "Y"}]]},
    }


def test_a_tag_that_names_a_python_object_builds_nothing() -> None:
    assert load_all("--- !!python/object/apply:os.system ['true']")[0].root == ["true"]


def test_a_key_that_stands_twice_is_told_and_the_last_counts() -> None:
    (document,) = load_all("spec: 1\nother: 2\nspec: 3\n")

    assert document.root["spec"] == 3
    assert document.repeated == (("spec", 3),)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\nb: [}\n", 2, "did not find expected node content"),
        ("a: 1\n\tb: 2\n", 2, "a tab character that violates indentation"),
        ("a: 1\nb: *none\n", 2, "names nothing"),
        ("a: &a\n  - *a\n", 2, "names nothing that ended before it"),
        ("a: 1\n<<: 3\n", 2, "must name a mapping"),
        ("? [1]\n: 2\n", 1, "cannot be a key"),
        ("a: 1\nb: \x00\n", 2, "control characters are not allowed"),
        ("a: 'open\n", 1, "unexpected end of stream"),
    ],
)
def test_what_is_not_yaml_is_told_with_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(YamlError) as wrong:
        load_all(text)

    assert (wrong.value.line, says in wrong.value.message) == (line, True), wrong.value.message


def test_a_billion_laughs_is_refused_before_it_is_built() -> None:
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))

    with pytest.raises(YamlError, match="unfolds to over 1,000,000 values"):
        load_all("a0: &a0 [lol]\n" + laughs)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "- " * 100_000, "\n".join(" " * n + "a:" for n in range(900))]
)
def test_deep_nesting_is_refused_and_not_followed(text: str) -> None:
    with pytest.raises(YamlError, match=f"deeper than {MAX_DEPTH} levels|maximum nesting depth"):
        load_all(text)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    line = 1
    try:
        load_all(text)
    except YamlError as wrong:
        line = wrong.line

    assert 1 <= line <= text.count("\n") + len(text.splitlines()) + 1


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.text(st.characters(exclude_categories=["C", "Z"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii", categories=["L"])), inner)
    ),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(JSON.filter(lambda value: value is not None))
def test_json_is_yaml_and_says_the_same(value: object) -> None:
    (document,) = load_all(json.dumps(value, ensure_ascii=False))

    assert document.root == value


def test_the_base_install_does_not_import_it() -> None:
    code = "import sys, bindtrace.propagation.platforms; sys.exit('yaml' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_it_the_extra_to_add_is_named() -> None:
    code = (
        "import sys; sys.modules['yaml'] = None\n"
        "from bindtrace.propagation.errors import Refusal\n"
        "from bindtrace.propagation.platforms.yaml_lines import load_all\n"
        "try: load_all('a: 1')\n"
        "except Refusal as told: print(told)"
    )

    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    assert "pip install 'bindtrace[manifests]'" in said
