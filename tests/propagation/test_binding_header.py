"""The header codec against its vectors, and against arbitrary text."""

from __future__ import annotations

import string
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.binding_header import MAX_BYTES, Binding, parse, serialize

VECTORS = tomllib.loads((Path(__file__).parents[1] / "vectors" / "service_binding.toml").read_text("utf-8"))
REASONS = {
    *("missing", "duplicate", "too_long", "malformed", "not_a_name", "no_caller", "no_chain", "bad_caller"),
    *("bad_callee", "bad_env", "bad_deployment", "bad_chain", "bad_hop"),
}


def named(kind: str) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in VECTORS[kind]]


@pytest.mark.parametrize("case", named("parse"))
def test_header_lines_are_read_as_the_vectors_say(case: dict[str, Any]) -> None:
    expected = Binding(**case["binding"]) if "binding" in case else Absent(case["absent"])

    assert parse(case["lines"]) == expected


@pytest.mark.parametrize("case", [c for c in named("serialize") if "line" in c.values[0]])
def test_a_binding_is_written_as_the_vectors_say(case: dict[str, Any]) -> None:
    assert serialize(Binding(**case["binding"])) == case["line"]


@pytest.mark.parametrize("case", [c for c in named("serialize") if "refused" in c.values[0]])
def test_what_the_header_cannot_carry_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        serialize(Binding(**case["binding"]))


def test_the_vectors_cover_every_reason_of_absence() -> None:
    assert {case["absent"] for case in VECTORS["parse"] if "absent" in case} == REASONS


texts = st.text(alphabet=string.printable[:95], min_size=1, max_size=60)
maybe = st.none() | texts
bindings = st.builds(
    Binding,
    caller=texts,
    chain=st.integers(1, 2**128 - 1).map(lambda number: f"{number:032x}"),
    callee=maybe,
    env=maybe,
    deployment=maybe,
    hop=st.none() | st.integers(1, 64),
)


@given(bindings)
def test_a_written_binding_reads_back_equal(binding: Binding) -> None:
    line = serialize(binding)

    assert len(line) <= MAX_BYTES
    assert parse([line]) == binding


@given(st.lists(st.text(max_size=80), max_size=3))
def test_arbitrary_text_never_raises(lines: list[str]) -> None:
    read = parse(lines)

    assert isinstance(read, Absent)
    assert read.reason in REASONS


@given(bindings, st.integers(0, 400), st.text(max_size=3))
def test_a_damaged_header_never_raises(binding: Binding, at: int, damage: str) -> None:
    line = serialize(binding)

    assert isinstance(parse([line[:at] + damage + line[at + 1 :]]), (Binding, Absent))


@given(bindings, bindings)
def test_two_claims_joined_by_a_comma_are_no_claim(one: Binding, other: Binding) -> None:
    joined = f"{serialize(one)}, {serialize(other)}"

    assert parse([joined]) in (Absent("duplicate"), Absent("too_long"))
