"""Places the nodes of a directed graph in layers from left to right, few crossings, no overlap. Arithmetic only.

After Sugiyama: cycles are opened, nodes ranked by their longest path, long arrows cut at every rank, ranks ordered by
barycentre, heights settled by least squares. A label is a node of its own, so that it can overlap nothing.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

GAP: Final = 14
"""Pixels between neighbours of one rank."""
_SWEEPS: Final = 12


@dataclass(slots=True)
class Slot:
    """A node, a label, or a bend of a long arrow: what takes room in a rank."""

    rank: int
    width: float
    height: float
    x: float = 0
    y: float = 0
    before: list[Slot] = field(default_factory=list)
    after: list[Slot] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Layout:
    """Slots by node; by arrow the slots it runs through, from left to right, and whether it runs against that."""

    nodes: tuple[Slot, ...]
    routes: tuple[tuple[Slot, ...], ...]
    reversed: tuple[bool, ...]
    labels: tuple[Slot, ...]
    ranks: tuple[tuple[Slot, ...], ...]


def layered(
    sizes: Sequence[tuple[float, float]],
    arrows: Sequence[tuple[int, int]],
    label_sizes: Sequence[tuple[float, float]],
    between: float,
) -> Layout:
    """Places nodes of the given sizes; `arrows` are (from, to) places of nodes, none from a node to itself.

    `x` and `y` of a slot are its middle; all slots of a rank become as wide as its widest, and `between` is the room
    to the next. The picture begins at 0, 0.
    """
    against = _against(len(sizes), arrows)
    forward = [
        (head, tail) if back else (tail, head) for (tail, head), back in zip(arrows, against, strict=True)
    ]
    ranks = _ranked(len(sizes), forward)
    # nodes stand at even ranks, labels at the odd ones between
    nodes = [Slot(2 * rank, *size) for rank, size in zip(ranks, sizes, strict=True)]
    routes, labels, slots = [], [], list(nodes)
    for (tail, head), size in zip(forward, label_sizes, strict=True):
        first, last = nodes[tail].rank, nodes[head].rank
        middle = first + 1 + 2 * ((last - first - 1) // 4)
        own = [Slot(rank, *(size if rank == middle else (0.0, 6.0))) for rank in range(first + 1, last)]
        labels.append(own[middle - first - 1])
        route = (nodes[tail], *own, nodes[head])
        for left, right in pairwise(route):
            left.after.append(right)
            right.before.append(left)
        routes.append(route)
        slots += own
    columns: list[list[Slot]] = [[] for _ in range(max((one.rank for one in slots), default=-1) + 1)]
    for one in slots:
        columns[one.rank].append(one)
    _order(columns)
    _settle(columns)
    _columns(columns, between)
    return Layout(tuple(nodes), tuple(routes), tuple(against), tuple(labels), tuple(map(tuple, columns)))


def _against(count: int, arrows: Sequence[tuple[int, int]]) -> list[bool]:
    """Which arrows close a cycle on a walk from the sources down; turned round, they open it."""
    out: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    entered = [0] * count
    for place, (tail, head) in enumerate(arrows):
        out[tail].append((place, head))
        entered[head] += 1
    against = [False] * len(arrows)
    state = [0] * count  # 0 new, 1 on the way down, 2 done
    for root in sorted(range(count), key=lambda node: (entered[node] > 0, node)):
        if state[root]:
            continue
        state[root], stack = 1, [(root, iter(out[root]))]
        while stack:
            node, rest = stack[-1]
            for place, head in rest:
                if state[head] == 1:
                    against[place] = True
                elif state[head] == 0:
                    state[head] = 1
                    stack.append((head, iter(out[head])))
                    break
            else:
                state[node] = 2
                stack.pop()
    return against


def _ranked(count: int, arrows: Sequence[tuple[int, int]]) -> list[int]:
    """The longest way from a source to each node; `arrows` are free of cycles."""
    out: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for tail, head in arrows:
        out[tail].append(head)
        waiting[head] += 1
    rank = [0] * count
    ready = [node for node in range(count) if waiting[node] == 0]
    for node in ready:
        for head in out[node]:
            rank[head] = max(rank[head], rank[node] + 1)
            waiting[head] -= 1
            if waiting[head] == 0:
                ready.append(head)
    return rank


def _order(columns: list[list[Slot]]) -> None:
    """Sorts every rank by the mean place of its neighbours, back and forth; keeps the order with fewest crossings."""
    place = {id(one): y for column in columns for y, one in enumerate(column)}
    best, fewest = [list(column) for column in columns], _crossings(columns, place)
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        forth = sweep % 2 == 0
        for column in columns[1:] if forth else columns[-2::-1]:
            column.sort(key=lambda one: _mean(one.before if forth else one.after, place, place[id(one)]))
            place.update((id(one), y) for y, one in enumerate(column))
        now = _crossings(columns, place)
        if now < fewest:
            best, fewest = [list(column) for column in columns], now
    columns[:] = best


def _mean(neighbours: Sequence[Slot], place: Mapping[int, int], otherwise: float) -> float:
    return sum(place[id(one)] for one in neighbours) / len(neighbours) if neighbours else otherwise


def _crossings(columns: Sequence[Sequence[Slot]], place: Mapping[int, int]) -> int:
    count = 0
    for column in columns:
        above: list[int] = []
        for one in column:
            ends = sorted(place[id(other)] for other in one.after)
            count += sum(len(above) - bisect_right(above, end) for end in ends)
            for end in ends:
                insort(above, end)
    return count


def _settle(columns: Sequence[Sequence[Slot]]) -> None:
    """Heights: every slot as near to the mean of its neighbours as the order and the gaps allow."""
    for column in columns:
        y = 0.0
        for one in column:
            one.y = y + one.height / 2
            y += one.height + GAP
    for sweep in range(2 * _SWEEPS):
        forth = sweep % 2 == 0
        for column in columns if forth else reversed(columns):
            wanted = []
            for one in column:
                near = (one.before if forth else one.after) or one.after or one.before
                wanted.append(sum(other.y for other in near) / len(near) if near else one.y)
            _spread(column, wanted)
    top = min((one.y - one.height / 2 for column in columns for one in column), default=0.0)
    for column in columns:
        for one in column:
            one.y -= top


def _spread(column: Sequence[Slot], wanted: Sequence[float]) -> None:
    """The least squares to `wanted` under the gaps: neighbours that push each other share their mean."""
    offsets, offset = [], 0.0
    for place, one in enumerate(column):
        if place:
            offset += (column[place - 1].height + one.height) / 2 + GAP
        offsets.append(offset)
    blocks: list[tuple[float, int]] = []  # sum and count of what moves as one
    for target, offset in zip(wanted, offsets, strict=True):
        blocks.append((target - offset, 1))
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, many = blocks.pop()
            blocks[-1] = (blocks[-1][0] + total, blocks[-1][1] + many)
    level = [total / many for total, many in blocks for _ in range(many)]
    for one, base, offset in zip(column, level, offsets, strict=True):
        one.y = base + offset


def _columns(columns: Sequence[Sequence[Slot]], between: float) -> None:
    left = 0.0
    for column in columns:
        width = max((one.width for one in column), default=0.0)
        for one in column:
            one.x, one.width = left + width / 2, width
        left += width + between
