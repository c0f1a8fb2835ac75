"""The map of who calls whom: what an arrow says, and that no label lies over another."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from drawn_hops import edge
from reading_svg import NS, boxes, classed, overlaps, parsed

from bindtrace.queries.drawing.edge_map import edge_map
from bindtrace.queries.drawing.facts import most_telling


def arrows(root: ET.Element) -> list[ET.Element]:
    """The arrows, each a group with a tooltip that names both ends."""
    return [one for one in root.iter(f"{NS}g") if "→" in (one.findtext(f"{NS}title") or "")]


def line(arrow: ET.Element) -> ET.Element:
    return classed(arrow, "line")[0]


def random_rows(seed: int) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    names = [f"service-{number}" for number in range(draw.randrange(2, 20))]
    return [
        edge(
            draw.choice([None, *names]),
            draw.choice(names),
            calls=draw.randrange(10**6),
            errors=draw.randrange(3),
            road=draw.choice(["binding", "private", "public", "unknown"]),
            verdict=draw.choice(["allowed", "denied", "unknown"]),
            p95_ms=draw.random() * 1000,
        )
        for _ in range(draw.randrange(1, 50))
    ]


def test_an_arrow_tells_calls_and_p95() -> None:
    texts = [
        one.text
        for one in boxes(parsed(edge_map([edge("web", "orders", calls=1204, errors=3, p95_ms=12.3)])))
    ]

    assert {"web", "orders", "1,204 calls · 3 errors", "p95 12.3ms"} <= set(texts)


@pytest.mark.parametrize(
    ("more", "word"),
    [({"verdict": "denied"}, "DENIED"), ({"road": "public"}, "PUBLIC ROAD"),
     ({"verdict": "denied", "road": "public"}, "DENIED · PUBLIC ROAD"),
     ({"grade": "contradicted"}, "CONTRADICTED"),
     ({"verdict": "denied", "grade": "contradicted"}, "DENIED")],
)  # fmt: skip
def test_a_violation_is_red_and_dashed_and_says_why(more: dict[str, str], word: str) -> None:
    (arrow,) = arrows(parsed(edge_map([edge("web", "orders", **more)])))

    assert {"alarm-line", "alarm-dash"} <= set(line(arrow).get("class", "").split())
    assert word in [one.text for one in boxes(arrow)]


def test_an_allowed_call_is_neither_red_nor_dashed() -> None:
    (arrow,) = arrows(parsed(edge_map([edge("web", "orders")])))

    assert line(arrow).get("class") == "line allowed-line"


def test_an_entry_by_a_public_address_is_no_violation() -> None:
    (arrow,) = arrows(parsed(edge_map([edge(None, "web", road="public")])))

    assert line(arrow).get("class") == "line allowed-line"


def test_more_calls_make_a_wider_line() -> None:
    rare, frequent = arrows(parsed(edge_map([edge("web", "a", calls=1), edge("web", "b", calls=10**6)])))

    assert 1 < float(line(rare).get("stroke-width", 0)) < float(line(frequent).get("stroke-width", 0)) <= 6


def test_two_roads_between_the_same_services_are_two_arrows() -> None:
    root = parsed(edge_map([edge("web", "orders"), edge("web", "orders", road="private")]))

    assert len(arrows(root)) == 2
    assert overlaps(boxes(root)) == []


def test_a_service_that_calls_itself_says_so_in_its_box() -> None:
    root = parsed(edge_map([edge("web", "web", calls=7)]))

    assert "calls itself, 7" in [one.text for one in boxes(root)]


def test_namesakes_of_two_environments_are_two_boxes_that_tell_them_apart() -> None:
    texts = [
        one.text
        for one in boxes(parsed(edge_map([edge(None, "web"), edge(None, "web", callee_env="preview")])))
    ]

    assert [texts.count(text) for text in ("web", "production", "preview")] == [2, 1, 1]


def test_an_empty_map_is_a_picture() -> None:
    assert "0 services, 0 edges, no violations" in [one.text for one in boxes(parsed(edge_map([])))]


@pytest.mark.parametrize("seed", range(40))
def test_no_text_lies_over_another_whatever_the_graph(seed: int) -> None:
    root = parsed(edge_map(random_rows(seed)))

    found = boxes(root)
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    assert overlaps(found) == []
    assert all(
        one.left >= 0 and one.right <= width and one.top >= 0 and one.bottom <= height for one in found
    )


@pytest.mark.parametrize("name", ["a" * 300, "長い名前" * 40])
def test_a_long_name_is_shortened_and_whole_in_the_tooltip(name: str) -> None:
    root = parsed(edge_map([edge("web", name)]))

    assert max(one.right - one.left for one in boxes(root)) < 400
    assert any(name in (title.text or "") for title in root.iter(f"{NS}title"))


def test_of_more_edges_than_a_map_shows_the_wrong_ones_and_the_busiest_stay() -> None:
    busy = {"caller": "a", "callee": "b", "calls": 9, "verdict": "allowed", "road": "binding"}
    wrong = busy | {"callee": "c", "calls": 1, "verdict": "denied"}
    entry = busy | {"caller": None, "callee": "a", "calls": 90}
    rare = busy | {"callee": "d", "calls": 2}

    assert most_telling([entry, rare, busy, wrong], 2) == [wrong, busy]
    assert most_telling([entry, rare], 2) == [entry, rare]
