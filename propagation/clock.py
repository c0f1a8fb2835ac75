"""The wall clock, read here and nowhere else, so that a test can say what time it is. Never sleeps."""

from __future__ import annotations

import time


def now_unix_nano() -> int:
    """Nanoseconds since 1970-01-01 UTC."""
    return time.time_ns()
