"""Waiting for one's own writes: a position is visible when it is loaded and analysed, not earlier."""

from __future__ import annotations

import threading
from uuid import UUID, uuid4

import pytest

from bindtrace.collector.store.progress import Progress

SEGMENT, OTHER = uuid4(), uuid4()


def progress(load_id: int = 0, positions: dict[UUID, int] | None = None) -> Progress:
    return Progress(load_id, positions or {}, lambda segment: segment == SEGMENT)


def at(offset: int, segment: UUID = SEGMENT) -> str:
    return f"{segment.hex}:{offset}"


def test_a_loaded_position_is_not_visible_before_its_analysis() -> None:
    state = progress()
    state.analysed_to(0)
    state.loaded(1, {SEGMENT: 100})

    before = state.wait(at(100), 0)
    state.analysed_to(1)

    assert (before, state.wait(at(100), 0), state.wait(at(101), 0)) == (False, True, False)


def test_a_segment_that_was_let_go_is_visible() -> None:
    state = progress()
    state.analysed_to(0)

    assert state.wait(at(5, OTHER), 0)
    assert not state.wait(at(5), 0)


def test_nothing_is_visible_before_the_first_analysis() -> None:
    assert not progress(3, {SEGMENT: 100}).wait(at(100), 0)


def test_who_waits_is_told_at_once() -> None:
    state = progress()
    answers: list[bool] = []
    waiter = threading.Thread(target=lambda: answers.append(state.wait(at(100), 30)))
    waiter.start()

    state.loaded(1, {SEGMENT: 100})
    state.analysed_to(1)
    waiter.join(10)

    assert answers == [True]


def test_the_end_lets_waiters_go() -> None:
    state = progress()
    answers: list[bool] = []
    waiter = threading.Thread(target=lambda: answers.append(state.wait(at(100), 30)))
    waiter.start()

    state.end()
    waiter.join(10)

    assert answers == [False]


def test_what_is_no_position_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="not a journal position"):
        progress().wait("here", 0)
