"""Where a moment lies between two edges of a picture, and which moments deserve a tick. Arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass

from bindtrace.queries import cells


@dataclass(frozen=True, slots=True)
class Scale:
    """From `start`, `length` nanoseconds long, onto the pixels [left, right]."""

    start_unix_nano: int
    length_nano: int
    left: float
    right: float

    def x(self, unix_nano: int) -> float:
        """The pixel of a moment, held inside the picture."""
        share = (unix_nano - self.start_unix_nano) / self.length_nano
        return self.left + min(1.0, max(0.0, share)) * (self.right - self.left)


def ticks(length_nano: int, most: int) -> list[tuple[int, str]]:
    """Round offsets from 0 to `length_nano`, at most `most` after the 0, with their texts."""
    step = 1
    while length_nano > step * most:
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    return [
        (offset, cells.milliseconds(offset / 1e6) if offset else "0")
        for offset in range(0, length_nano + 1, step)
    ]
