"""How far loading and analysis have come, and waiting for it. Shared by threads; touches no database."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from uuid import UUID

from bindtrace.collector.journal.segment import Position


class Progress:
    """Told by the loader and the analysis, asked by whoever waits."""

    def __init__(self, load_id: int, positions: Mapping[UUID, int], on_disk: Callable[[UUID], bool]) -> None:
        """`on_disk` says whether a segment is still there: one that is not was loaded and let go."""
        self._changed = threading.Condition()
        self._on_disk = on_disk
        self._positions = dict(positions)
        self._load_id = load_id
        self._analysed = -1  # of what an earlier process loaded, nothing is known yet
        self._ended = False

    @property
    def load_id(self) -> int:
        return self._load_id

    @property
    def analysed(self) -> int:
        """Loads up to this one have their hops; -1 before the first run."""
        return self._analysed

    @property
    def ended(self) -> bool:
        """Whether loading is over."""
        return self._ended

    @property
    def positions(self) -> dict[UUID, int]:
        with self._changed:
            return dict(self._positions)

    def loaded(self, load_id: int, positions: Mapping[UUID, int]) -> None:
        """A transaction was committed."""
        with self._changed:
            self._load_id = load_id
            self._positions = dict(positions)
            self._changed.notify_all()

    def analysed_to(self, load_id: int) -> None:
        """Every load up to this one is analysed."""
        with self._changed:
            self._analysed = load_id
            self._changed.notify_all()

    def end(self) -> None:
        """Nothing will come any more: whoever waits is let go."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for_load(self, timeout_s: float) -> bool:
        """Whether there is a load that is not analysed; waits for one. False after the end, too."""
        with self._changed:
            self._changed.wait_for(lambda: self._load_id > self._analysed or self._ended, timeout_s)
            return self._load_id > self._analysed

    def wait(self, position: str, timeout_s: float) -> bool:
        """Whether the position became visible to queries in time. Raises `ValueError` for no position."""
        wanted = Position.parse(position)
        limit = time.monotonic() + timeout_s
        with self._changed:
            while not self._is_loaded(wanted):
                if not self._sleep(limit):
                    return False
            load_id = self._load_id
            while self._analysed < load_id:
                if not self._sleep(limit):
                    return False
        return True

    def _is_loaded(self, wanted: Position) -> bool:
        at = self._positions.get(wanted.segment_id)
        return at >= wanted.offset if at is not None else not self._on_disk(wanted.segment_id)

    def _sleep(self, limit: float) -> bool:
        left = limit - time.monotonic()
        return left > 0 and not self._ended and (self._changed.wait(left) or time.monotonic() < limit)
