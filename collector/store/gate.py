"""Who may change stored traces: one at a time, and none while it is not known which of them the lake has."""

from __future__ import annotations

import threading
from types import TracebackType


class Gate:
    """A lock for analysis, retention, sealing and checkpoints that free room; loading goes by it.

    `in_doubt` says why nobody may touch traces just now, though a checkpoint may be made; empty where all may. It is
    read and changed by who holds the lock.
    """

    def __init__(self) -> None:
        self.in_doubt = ""
        self._lock = threading.Lock()

    def acquire(self, timeout_s: float | None = None) -> bool:
        """Whether it is the caller's now; waits at most so many seconds, or as long as it takes."""
        return self._lock.acquire(timeout=-1 if timeout_s is None else timeout_s)

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> Gate:
        self._lock.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()
