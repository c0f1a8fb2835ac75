"""The critical path of nested intervals, against the expectations of Jaeger UI and CRISP."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest
from support import fixture

from bindtrace.queries.critical_path import Interval, Section, critical_path, waited_for

JAEGER = ("test1", "test5", "test9")
CRISP_EXCLUSIVE = ("1", "2", "5", "11", "15", "24")
OVERLAPPING = {
    "10": {"[S1] O1": 500, "[S2] O2": 200, "[S4] O4": 300},
    "20": {"[S1] O1": 100, "[S2] O2": 200, "[S4] O4": 300},
}


def tree(trace: dict[str, Any]) -> Interval:
    """The trace's root; what merely FOLLOWS_FROM is not waited for, as Jaeger UI has it."""

    def reading(span: dict[str, Any]) -> Interval:
        below = [
            other
            for other in trace["spans"]
            for ref in other["references"]
            if ref["refType"] == "CHILD_OF" and ref["spanID"] == span["spanID"]
        ]
        start = span["startTime"]
        return Interval(span["spanID"], start, start + span["duration"], tuple(map(reading, below)))

    known = {span["spanID"] for span in trace["spans"]}
    roots = [span for span in trace["spans"] if not any(ref["spanID"] in known for ref in span["references"])]
    (root,) = roots
    return reading(root)


@pytest.mark.parametrize("name", JAEGER)
def test_sections_are_those_of_jaeger_ui(name: str) -> None:
    cases = json.loads(fixture("jaeger-ui/critical-path-cases.json").read_text())["cases"]
    case = next(one for one in cases if one["name"] == name)

    sections = critical_path(tree(case["trace"]))

    expected = case["expectedCriticalPathSections"]
    assert [one._asdict() for one in sections] == [
        {"name": one["spanID"], "start": one["sectionStart"], "end": one["sectionEnd"]} for one in expected
    ]


def test_every_case_of_jaeger_ui_is_read() -> None:
    cases = json.loads(fixture("jaeger-ui/critical-path-cases.json").read_text())["cases"]

    assert tuple(case["name"] for case in cases) == JAEGER


def time_on_path(document: dict[str, Any]) -> dict[str, int]:
    (trace,) = document["data"]
    names = {
        span["spanID"]: f"[{trace['processes'][span['processID']]['serviceName']}] {span['operationName']}"
        for span in trace["spans"]
    }
    spent: Counter[str] = Counter()
    for name, start, end in critical_path(tree(trace)):
        spent[names[str(name)]] += end - start
    return spent


@pytest.mark.parametrize("number", CRISP_EXCLUSIVE)
def test_time_on_the_path_is_that_of_crisp(number: str) -> None:
    document = json.loads(fixture(f"crisp/{number}.json").read_text())
    testing = document["testing"]
    expected = testing[0] if isinstance(testing, list) else testing["opTimeExclusive"]

    assert time_on_path(document) == {name: time for name, time in expected.items() if time}


@pytest.mark.parametrize("number", sorted(OVERLAPPING))
def test_siblings_that_overlap_ran_at_the_same_time(number: str) -> None:
    """CRISP takes a small overlap for clock skew and puts both on the path; skew is corrected before we look."""
    document = json.loads(fixture(f"crisp/{number}.json").read_text())

    assert time_on_path(document) == OVERLAPPING[number]


@pytest.mark.parametrize("seed", range(50))
def test_sections_fill_the_root_without_gap_or_overlap(seed: int) -> None:
    draw = random.Random(seed)

    def grown(depth: int) -> Interval:
        start = draw.randrange(100)
        below = [grown(depth - 1) for _ in range(draw.randrange(4))] if depth else []
        return Interval(object(), start, start + draw.randrange(60), tuple(below))

    root = grown(4)
    sections = critical_path(root)

    edges = [root.end, *(one.start for one in sections)]
    assert [one.end for one in sections] == edges[:-1]
    assert edges[-1] == root.start


def test_parallel_children_leave_only_the_last_on_the_path() -> None:
    children = (Interval("fast", 10, 40), Interval("slow", 10, 80), Interval("after", 80, 90))

    sections = critical_path(Interval("root", 0, 100, children))

    assert sections == (
        Section("root", 90, 100),
        Section("after", 80, 90),
        Section("slow", 10, 80),
        Section("root", 0, 10),
    )


def test_a_chain_a_thousand_calls_deep_has_a_path() -> None:
    deepest = Interval(1000, 0, 1)
    for depth in reversed(range(1000)):
        deepest = Interval(depth, 0, 2 * (1001 - depth), (deepest,))

    assert len(critical_path(deepest)) == 1001


def test_a_hop_that_only_a_link_joins_is_not_waited_for() -> None:
    late = {"start_time_unix_nano": "20", "duration_ms": 1e-5, "pairing": "link", "children": []}
    called = {"start_time_unix_nano": "10", "duration_ms": 5e-6, "pairing": "parent", "children": []}
    root = {"start_time_unix_nano": "0", "duration_ms": 4e-5, "pairing": "none", "children": [called, late]}

    sections = waited_for([root])

    assert sections == {id(called): ((10, 15),), id(root): ((0, 10), (15, 40))}


def test_skewed_hops_are_placed_by_their_corrected_start() -> None:
    skewed = {
        "start_time_unix_nano": "900", "corrected_start_unix_nano": "10", "duration_ms": 5e-6, "children": [],
    }  # fmt: skip
    root = {"start_time_unix_nano": "0", "duration_ms": 4e-5, "children": [skewed]}

    assert waited_for([root])[id(skewed)] == ((10, 15),)
