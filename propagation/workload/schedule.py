"""When credentials are renewed, and how long to wait after a failure. Pure: times and dice in, seconds out.

SPIRE's rule: at half of the life, jittered by a tenth of that half, so that a fleet does not renew at once and an
outage of the authority shorter than about 45 % of the life costs nothing.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, Literal

JITTER: Final = 0.1
FIRST_BACKOFF_S: Final = 1.0
MAX_BACKOFF_S: Final = 60.0
JUMP_S: Final = 30.0
LOOK_EVERY_S: Final = 5.0
"""How often wall and monotonic time are compared."""


@dataclass(frozen=True, slots=True)
class Life:
    """Of one generation, by the clock of who signed it: how long it is does not depend on the clock here.

    Times in seconds since 1970; ages are of monotonic time, so that a clock that is wrong does not make us spin.
    """

    signed_s: float
    expires_s: float

    @property
    def length_s(self) -> float:
        return max(self.expires_s - self.signed_s, 1.0)

    def renew_after_s(self, dice: random.Random) -> float:
        half_s = self.length_s / 2
        return half_s + dice.uniform(-JITTER, JITTER) * half_s

    def urgency(self, age_s: float) -> Literal["none", "warning", "error"]:
        """A warning from two thirds of the life, an error from five sixths."""
        spent = age_s / self.length_s
        return "error" if spent >= 5 / 6 else "warning" if spent >= 2 / 3 else "none"


def backoff_s(failures: int, life_s: float, dice: random.Random) -> float:
    """Full jitter between nothing and the doubled limit; short lives are not slept through."""
    limit = min(FIRST_BACKOFF_S * 2 ** min(failures, 10), MAX_BACKOFF_S, max(life_s / 20, 0.05))
    return dice.uniform(limit / 10, limit)


def jumped(wall_s: float, steady_s: float) -> bool:
    """Whether the wall clock moved otherwise than the monotonic one by more than half a minute."""
    return abs(wall_s - steady_s) > JUMP_S
