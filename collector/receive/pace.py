"""Holds answers while the journal is too far ahead of storage: senders then go as fast as storage does. Refuses nobody.

What is held is durable already, so its sender waits and loses nothing, and a crash meanwhile costs a re-sent request
that changes nothing. Storage that stands still is not waited for: the journal takes what it has room for.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Final

from bindtrace.collector.journal.loaded import Waiting

HOLD_S: Final = 5.0
"""Longest that one answer is held: Python's exporters give up after 10 s in all."""
AHEAD_BYTES: Final = 96 * 1024 * 1024
"""About a second of storing at its full speed."""
STILL_S: Final = 5.0
"""Storage that said nothing for so long is away or blocked."""
_LOOK_S: Final = 0.1
_LOOK_HELD_S: Final = 0.02


class Pace:
    """Used on one event loop. `held` counts the answers that had to wait."""

    def __init__(self, waiting: Waiting, ahead_bytes: int = AHEAD_BYTES) -> None:
        self.held = 0
        self._waiting = waiting
        self._ahead_bytes = ahead_bytes
        self._looked_s = -_LOOK_S
        self._watch: asyncio.Task[None] | None = None
        self._open = asyncio.Event()
        self._released = False

    async def hold(self) -> None:
        """Returns when storage is near enough, stands still, or `HOLD_S` have passed."""
        now = time.monotonic()
        if self._watch is None:
            if self._released or now - self._looked_s < _LOOK_S:
                return
            self._looked_s = now
            if not self._far_ahead(anew=True):
                return
            self._open.clear()
            self._watch = asyncio.get_running_loop().create_task(self._until_near())
        self.held += 1
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._open.wait(), HOLD_S)

    def release(self) -> None:
        """Lets everybody go, now and from now on: the receiver is stopping."""
        self._released = True
        self._open.set()

    async def _until_near(self) -> None:
        try:
            while not self._released and self._far_ahead(anew=False):
                await asyncio.sleep(_LOOK_HELD_S)
        finally:
            self._watch = None
            self._looked_s = time.monotonic() - _LOOK_S
            self._open.set()

    def _far_ahead(self, *, anew: bool) -> bool:
        waiting, quiet_s = self._waiting(anew=anew)
        return waiting > self._ahead_bytes and quiet_s < STILL_S
