"""T19: the log cut and flipped, the file cut, flipped, emptied, gone: it starts every time, says what may be lost."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from campaigning import SEED, quantity
from damaging import (
    Damage,
    cut_file,
    cut_log,
    empty_file,
    flip_file,
    flip_log,
    leave,
    no_file,
    no_log,
    start_after,
)

STARTS_S = 10.0


@pytest.mark.parametrize(
    ("damage", "rounds"),
    [
        (cut_log, quantity(100, 8)),
        (flip_log, quantity(100, 8)),
        (flip_file, quantity(100, 8)),
        (cut_file, quantity(40, 4)),
        (no_log, 1),
        (no_file, 1),
        (empty_file, 1),
    ],
)
def test_it_starts_whatever_is_damaged(tmp_path: Path, damage: Damage, rounds: int) -> None:
    left = leave(tmp_path / "left")
    for number in range(rounds):
        began = time.monotonic()
        what, started = start_after(left, tmp_path / "again", damage, SEED * 1000 + number)
        took = time.monotonic() - began
        assert took < STARTS_S, what
        found = set(started.spans)
        assert set(started.spans.values()) == {1}, what
        assert left.journaled <= found, what
        if damage in (cut_log, flip_log, no_log):
            assert found == left.sealed | left.journaled, what
        elif left.sealed - found:
            assert any(int(str(entry["lost_until_unix_nano"] or 0)) for entry in started.set_aside), what
