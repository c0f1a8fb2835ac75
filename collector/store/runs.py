"""How many spans one run of the analysis takes: as many as it does within a few seconds. A value that learns; no I/O.

While storing is behind, a run holds up checkpoints, and with them the journal. On a machine that is busy otherwise
100,000 spans took half a minute, and senders were refused.
"""

from __future__ import annotations

from typing import Final

ANALYSED_AT_ONCE: Final = 50_000
"""Where nothing is in the way: about a second. Twice as many do not fit into the memory, beside what loads hold."""
LEAST_AT_ONCE: Final = 10_000
"""A run costs 0.2 s whatever is in it."""
LONG_S: Final = 4.0
SHORT_S: Final = 1.5


class Runs:
    """`at_once` spans are what the next run should take, at most."""

    def __init__(self) -> None:
        self.at_once = self._most = ANALYSED_AT_ONCE

    def took(self, seconds: float) -> None:
        """A run is over: a long one makes the next smaller, a short one larger again."""
        if seconds > LONG_S:
            self.at_once = max(LEAST_AT_ONCE, self.at_once // 2)
        elif seconds < SHORT_S:
            self.at_once = min(self._most, self.at_once * 3 // 2)

    def had_too_little_memory(self) -> None:
        """From now on no run is as large as the last."""
        self.at_once = self._most = max(LEAST_AT_ONCE, self.at_once // 2)
