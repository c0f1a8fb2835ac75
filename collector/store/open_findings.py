"""The findings that are open now, kept for those who ask again and again: a scrape must not cost all rules."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

KEPT_FOR: Final = 9
"""Times as long as it took to find them: the rules take a tenth of one core at most, however much is stored."""


class OpenFindings:
    """Asks `find` for all findings, one at a time, and keeps those that nobody silenced."""

    def __init__(self, find: Callable[[], list[dict[str, Any]]]) -> None:
        self._find = find
        self._one = threading.Lock()
        self._rows: list[dict[str, Any]] = []
        self._next_s = 0.0

    def rows(self) -> list[dict[str, Any]]:
        """The open findings; not older than `KEPT_FOR` times their cost. Raises what `find` raises."""
        with self._one:
            began = time.monotonic()
            if began >= self._next_s:
                self._rows = [row for row in self._find() if row["silenced_until"] is None]
                done = time.monotonic()
                self._next_s = done + KEPT_FOR * (done - began)
            return self._rows
