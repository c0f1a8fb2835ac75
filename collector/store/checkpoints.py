"""When the log is folded into the file, and whether others wait for it. Decides; the loader does it.

A checkpoint that has the gate to itself frees the room of what was deleted. One that is made beside a run of the
analysis does not, and the run waits only while the hops of earlier runs are written: without it a finding beside 20,000
spans/s was later by the rest of a run, a checkpoint, and the load of what had come meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from bindtrace.collector.store.gate import Gate
from bindtrace.collector.store.loader import Loader
from bindtrace.collector.store.retention import CHECKPOINT_BYTES

CHECKPOINT_JOURNAL_BYTES: Final = 96 * 1024 * 1024
"""DuckDB writes large groups past its log: the journal would grow to gigabytes before the log is 64 MB."""
BESIDE_IN_A_ROW: Final = 8
"""Each load replaces its positions, and a trace that goes on its hops: now and then their room is needed."""
ORPHANS_S: Final = 600.0
log = logging.getLogger("bindtrace.store")


class Checkpoints:
    """Made by the thread that loads; analysis asks whether one is `due` before it begins."""

    def __init__(
        self,
        loader: Loader,
        gate: Gate,
        freed: Callable[[], int],
        *,
        log_bytes: int = CHECKPOINT_BYTES,
        journal_bytes: int = 4 * CHECKPOINT_JOURNAL_BYTES,
        beside: bool = True,
        orphans: bool = True,
    ) -> None:
        """One is wanted from `log_bytes` on; senders are refused at `journal_bytes`, and it must come long before.

        `freed` spans left the file until now. Without `beside`, each waits until nobody writes: where the file has a
        bound, room counts. Without `orphans`, resources stay that no span in the file names: the lake's spans do.
        """
        self.due = threading.Event()
        """One has been put off: analysis begins no run before it is made."""
        self._loader = loader
        self._gate = gate
        self._freed = freed
        self._log_bytes = log_bytes
        self._journal_bytes = min(CHECKPOINT_JOURNAL_BYTES, journal_bytes // 4)
        self._most_beside = BESIDE_IN_A_ROW if beside else 0
        self._orphans = orphans
        self._beside = self._freed_at = self._forgot_at = 0
        self._forgot_s = -ORPHANS_S

    def wanted(self) -> bool:
        """Whether the log, or the journal that it covers, has grown enough."""
        return (
            self._loader.wal_bytes() > self._log_bytes or self._loader.uncovered_bytes() > self._journal_bytes
        )

    def make(self, wait_s: float | None = None) -> bool:
        """Whether it was made, beside who has the gate or when it is free; waits at most so long.

        Where it was not, the next load asks again.
        """
        if not self._gate.acquire(0):
            if self._may_be_beside() and self._loader.checkpoint(beside=True):
                self._beside += 1
                self.due.clear()
                return True
            self.due.set()
            urgent = self._loader.uncovered_bytes() > 2 * self._journal_bytes
            if not self._gate.acquire(None if urgent else wait_s):
                return False
        try:
            freed = self._freed()
            if self._orphans:
                self._forget_orphans(freed)
            if made := self._loader.checkpoint():
                self._beside, self._freed_at = 0, freed
            return made
        finally:
            self._gate.release()
            self.due.clear()

    def _may_be_beside(self) -> bool:
        """Where storing is behind, both together would not fit into the memory."""
        return (
            self._beside < self._most_beside and self._freed() == self._freed_at and not self._loader.behind
        )

    def _forget_orphans(self, freed: int) -> None:
        """Pods come and go: what only spans named that went goes too, now and then."""
        if freed > self._forgot_at and time.monotonic() - self._forgot_s > ORPHANS_S:
            self._forgot_at, self._forgot_s = freed, time.monotonic()
            log.info("event=orphans_forgotten rows=%d", self._loader.forget_orphans())
