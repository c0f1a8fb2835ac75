"""Loading and analysis take turns: who asks is answered by the next look, and nobody waits for who is away."""

from __future__ import annotations

import threading
import time

from bindtrace.collector.store.turns import Turns

LONG_S = 20.0


def began_beside(target: threading.Thread) -> threading.Thread:
    target.start()
    return target


def test_who_asks_wakes_who_rests_and_has_what_it_found() -> None:
    turns, found = Turns(), []

    def load() -> None:
        turns.rest(LONG_S)
        with turns.look():
            found.append("all that had come")

    loading = began_beside(threading.Thread(target=load))
    turns.meet(LONG_S)

    assert found == ["all that had come"]
    loading.join()


def test_nobody_waits_for_who_is_away_nor_after_the_end() -> None:
    turns = Turns()
    began_s = time.monotonic()

    with turns.away():
        turns.meet(LONG_S)
    turns.end()
    turns.meet(LONG_S)
    turns.rest(LONG_S)

    assert time.monotonic() - began_s < LONG_S / 2


def test_who_is_not_answered_goes_on() -> None:
    Turns().meet(0.01)


def test_who_asked_before_has_what_was_found_since() -> None:
    turns = Turns()
    turns.ask()
    turns.rest(LONG_S)
    with turns.look():
        pass
    began_s = time.monotonic()

    turns.meet(LONG_S)

    assert time.monotonic() - began_s < LONG_S / 2


def test_an_answer_serves_only_who_asked_before_it() -> None:
    turns = Turns()
    with turns.look():
        pass
    began_s = time.monotonic()

    turns.meet(0.2)

    assert time.monotonic() - began_s > 0.1


def test_who_asks_in_the_middle_of_a_look_has_the_next_which_comes_at_once() -> None:
    """What came since it began is not in it."""
    turns = Turns()
    with turns.look():
        turns.ask()
    began_s = time.monotonic()
    turns.rest(LONG_S)
    assert time.monotonic() - began_s < LONG_S / 2

    began_s = time.monotonic()
    turns.meet(0.2)

    assert time.monotonic() - began_s > 0.1
