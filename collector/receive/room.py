"""Whether the journal may grow: not when the disk is nearly full, or storage far behind. Only looks."""

from __future__ import annotations

import shutil
from pathlib import Path

from bindtrace.collector.journal.loaded import segments

JOURNAL_BYTES = 1024**3
RESERVE_BYTES = 512 * 1024**2  # a DuckDB checkpoint needs room, and a full disk there closes the database
CHECK_S = 0.5


class Room:
    """A look at the disk, at most every `CHECK_S` of the clock that is passed in."""

    def __init__(
        self, root: Path, *, journal_bytes: int = JOURNAL_BYTES, reserve_bytes: int = RESERVE_BYTES
    ) -> None:
        self._root = root
        self._journal_bytes = journal_bytes
        self._reserve_bytes = reserve_bytes
        self._looked_s = -CHECK_S
        self._shortage = ""

    def shortage(self, now_s: float) -> str:
        """Why nothing may be written now; empty when it may. `now_s` is monotonic."""
        if now_s - self._looked_s >= CHECK_S:
            self._looked_s = now_s
            self._shortage = self._look()
        return self._shortage

    def _look(self) -> str:
        try:
            free = shutil.disk_usage(self._root).free
        except OSError as error:
            return f"the journal's disk cannot be read: {error.strerror}"
        if free < self._reserve_bytes:
            return f"the disk has {free >> 20} MiB left, {self._reserve_bytes >> 20} MiB are kept in reserve"
        used = sum(size for _, size in segments(self._root))
        if used > self._journal_bytes:
            return f"the journal holds {used >> 20} MiB that are not stored yet"
        return ""
