"""Layers: callers left of callees, nothing over anything else, whatever the graph."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from bindtrace.queries.drawing.layers import GAP, Layout, layered

NODE, LABEL = (100.0, 40.0), (80.0, 36.0)


def laid_out(count: int, *arrows: tuple[int, int]) -> Layout:
    return layered([NODE] * count, arrows, [LABEL] * len(arrows), 40)


def random_arrows(seed: int) -> tuple[int, list[tuple[int, int]]]:
    draw = random.Random(seed)
    count = draw.randrange(2, 25)
    arrows = [(draw.randrange(count), draw.randrange(count)) for _ in range(draw.randrange(60))]
    return count, [(tail, head) for tail, head in arrows if tail != head]


def test_a_callee_stands_right_of_every_caller() -> None:
    layout = laid_out(4, (0, 1), (0, 2), (1, 3), (2, 3), (0, 3))

    assert [slot.rank for slot in layout.nodes] == [0, 2, 2, 4]
    assert not any(layout.reversed)


def test_a_cycle_is_opened_by_turning_one_arrow_round() -> None:
    layout = laid_out(3, (0, 1), (1, 2), (2, 0))

    assert layout.reversed == (False, False, True)
    assert layout.routes[2][0] is layout.nodes[0]


def test_a_crossing_that_can_be_avoided_is_avoided() -> None:
    layout = laid_out(4, (0, 3), (1, 2))

    first, second = layout.nodes[0].y < layout.nodes[1].y, layout.nodes[3].y < layout.nodes[2].y
    assert first == second


def test_a_straight_chain_lies_on_one_height() -> None:
    assert len({round(slot.y, 6) for slot in laid_out(4, (0, 1), (1, 2), (2, 3)).nodes}) == 1


@pytest.mark.parametrize("seed", range(60))
def test_slots_of_a_rank_keep_their_distance(seed: int) -> None:
    count, arrows = random_arrows(seed)

    layout = laid_out(count, *arrows)

    for rank in layout.ranks:
        for above, below in pairwise(rank):
            assert below.y - below.height / 2 >= above.y + above.height / 2 + GAP - 1e-6


@pytest.mark.parametrize("seed", range(60))
def test_ranks_do_not_touch_and_every_arrow_runs_to_the_right(seed: int) -> None:
    count, arrows = random_arrows(seed)

    layout = laid_out(count, *arrows)

    for left, right in pairwise(layout.ranks):
        assert max(one.x + one.width / 2 for one in left) < min(one.x - one.width / 2 for one in right)
    for (tail, head), route, back in zip(arrows, layout.routes, layout.reversed, strict=True):
        assert [one.rank for one in route] == list(range(route[0].rank, route[-1].rank + 1))
        ends = (layout.nodes[tail], layout.nodes[head])
        assert (route[0], route[-1]) == (ends[::-1] if back else ends)


def test_nothing_has_a_layout_too() -> None:
    assert laid_out(0).ranks == ()


def test_a_tangle_of_two_hundred_arrows_is_placed() -> None:
    draw = random.Random(1)
    arrows = [(draw.randrange(60), draw.randrange(60)) for _ in range(200)]

    layout = laid_out(60, *((tail, head) for tail, head in arrows if tail != head))

    assert len(layout.nodes) == 60
