"""The SVG waterfall: what it shows of each hop, and that nothing lies over anything else."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from drawing import draw, trace_id
from drawn_hops import hop, small_chain
from large_trace import LARGE, large_trace
from reading_svg import NS, boxes, classed, overlaps, parsed

from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.drawing.timescale import ticks
from bindtrace.queries.drawing.waterfall import WIDTH, placed, waterfall
from bindtrace.queries.query import Query


@pytest.fixture
def large(shop: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The 250 hops of a trace of 500 spans, 20 deep."""
    shop.begin()
    draw(shop, *large_trace())
    shop.commit()
    analyse(shop)
    return run_report(shop, "chain", Query(filters={"trace_id": trace_id(LARGE)}))


def wide_and_deep() -> list[dict[str, Any]]:
    deepest = hop("s99", "s100", duration_ms=1.0)
    for depth in reversed(range(100)):
        deepest = hop(f"s{depth - 1}" if depth else None, f"s{depth}", deepest, duration_ms=200.0 - depth)
    return [deepest]


def test_every_hop_has_a_row_with_all_its_facts_in_the_tooltip() -> None:
    root = parsed(waterfall([small_chain()]))

    told = [title.text or "" for title in root.iter(f"{NS}title")][1:]
    assert len(told) == 4
    assert "verdict: denied (undeclared)" in told[2]
    assert "joined by: binding-header" in told[3]


def test_no_text_of_a_small_chain_lies_over_another() -> None:
    assert overlaps(boxes(parsed(waterfall([small_chain()])))) == []


def test_no_text_of_500_spans_lies_over_another(large: list[dict[str, Any]]) -> None:
    root = parsed(waterfall(large))

    found = boxes(root)
    assert len(list(root.iter(f"{NS}title"))) == 251
    assert overlaps(found) == []
    assert all(one.left >= 0 and one.right <= WIDTH for one in found)


@pytest.mark.parametrize("name", ["a" * 300, "長い名前" * 40, "i" * 60])
def test_a_long_name_is_shortened_and_whole_in_the_tooltip(name: str) -> None:
    root = parsed(waterfall([hop(None, name, binding="B" * 200, attempts=12, error=True, protection="mtls")]))

    assert overlaps(boxes(root)) == []
    assert any(one.text.endswith("… ×12 ✗") for one in boxes(root))
    assert name in [title.text or "" for title in root.iter(f"{NS}title")][1]


def test_a_hundred_levels_stay_inside_the_picture() -> None:
    root = parsed(waterfall(wide_and_deep()))

    assert overlaps(boxes(root)) == []
    assert all(one.right <= WIDTH for one in boxes(root))


def test_a_thousand_levels_are_drawn() -> None:
    deepest = hop("s", "s")
    for _ in range(1023):
        deepest = hop("s", "s", deepest)

    assert len(list(placed([deepest]))) == 1024
    parsed(waterfall([deepest]))


def test_a_violation_has_a_pattern_and_a_word_beside_its_colour() -> None:
    root = parsed(waterfall([small_chain()]))

    rows = [one for one in root.iter(f"{NS}g") if one.find(f"{NS}title") is not None]
    assert [bool(classed(one, "blush")) for one in rows] == [False, False, True, False]
    assert [any(bar.get("fill") == "url(#denied)" for bar in one.iter()) for one in rows] == [
        False, False, True, False,
    ]  # fmt: skip
    assert "denied" in [one.text for one in classed(rows[2], "alarm")]


def test_a_call_whose_witnesses_disagree_is_a_violation_and_not_called_allowed() -> None:
    root = parsed(waterfall([hop(None, "web", hop("web", "orders", grade="contradicted"))]))

    rows = [one for one in root.iter(f"{NS}g") if one.find(f"{NS}title") is not None]
    assert [bool(classed(one, "blush")) for one in rows] == [False, True]
    assert [one.text for one in classed(rows[1], "alarm")] == ["contradicted"]
    assert [any(bar.get("fill") == "url(#unknown)" for bar in one.iter()) for one in rows] == [False, True]


def test_the_entry_by_a_public_address_is_no_violation_but_an_inner_call_is() -> None:
    root = parsed(waterfall([hop(None, "web", hop("web", "orders", road="public"), road="public")]))

    rows = [one for one in root.iter(f"{NS}g") if one.find(f"{NS}title") is not None]
    assert [bool(classed(one, "blush")) for one in rows] == [False, True]


def test_an_inferred_join_is_dashed_and_names_both_sides() -> None:
    root = parsed(waterfall([small_chain()]))

    last = [one for one in root.iter(f"{NS}g") if one.find(f"{NS}title") is not None][3]
    assert any("line" in one.get("class", "") for one in classed(last, "dashed"))
    assert "web ⇢ catalog ×3 ✗" in [one.text for one in boxes(last)]


def test_the_critical_path_fills_the_bars_of_those_that_were_waited_for() -> None:
    beside = hop("web", "beside", at_ms=10, duration_ms=5.0)
    awaited = hop("web", "awaited", at_ms=10, duration_ms=80.0)
    root = parsed(waterfall([hop(None, "web", beside, awaited)]))

    rows = [one for one in root.iter(f"{NS}g") if one.find(f"{NS}title") is not None]
    assert [
        len([line for line in one.iter(f"{NS}path") if line in classed(one, "waited")]) for one in rows
    ] == [2, 0, 1]
    assert "on the critical path: 80.0ms" in (rows[2].findtext(f"{NS}title") or "")


def test_only_mtls_has_a_lock() -> None:
    root = parsed(waterfall([small_chain()]))

    rows = [one for one in root.iter(f"{NS}g") if one.find(f"{NS}title") is not None]
    assert [len(one.findall(f"{NS}g")) for one in rows] == [0, 1, 0, 0]


def test_a_chain_of_many_traces_keeps_its_head_inside_the_picture() -> None:
    roots = [hop(None, "web", trace_id=f"{number:032x}") for number in range(9)]

    assert all(one.right <= WIDTH for one in boxes(parsed(waterfall(roots))))


def test_the_legend_names_every_look() -> None:
    texts = {one.text for one in boxes(parsed(waterfall([small_chain()])))}

    assert {
        "allowed",
        "denied",
        "unknown",
        "binding",
        "private",
        "public",
        "mTLS",
        "critical path",
        "inferred join",
    } <= texts


@pytest.mark.parametrize("length", [1, 7, 999, 10**6, 120 * 10**6, 2 * 10**9, 3_600 * 10**9])
def test_ticks_are_few_and_round(length: int) -> None:
    found = ticks(length, 6)

    assert 1 <= len(found) <= 7
    assert found[0] == (0, "0")
    assert all(
        offset == 0 or str(offset).rstrip("0") in ("1", "2", "4", "6", "8", "5", "12", "15", "25", "3")
        for offset, _ in found
    )


def test_hops_without_length_are_drawn_inside_the_frame() -> None:
    root = parsed(
        waterfall([hop(None, "web", hop("web", "late", at_ms=10, duration_ms=0.0), duration_ms=0.0)])
    )

    assert overlaps(boxes(root)) == []
