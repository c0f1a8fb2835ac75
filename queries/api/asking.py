"""Asks the database for a web request: in a thread, a few at once, each for a bounded time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final, TypeVar

import anyio
import duckdb

T = TypeVar("T")
Asked = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]

ASKED_AT_ONCE: Final = 8
LONGEST_S: Final = 30.0


class TookTooLongError(Exception):
    """The question was stopped after its time."""


class Asking:
    """`asked` opens a connection for one question; `longest_s` is how long one may take."""

    def __init__(self, asked: Asked, longest_s: float = LONGEST_S) -> None:
        self._asked = asked
        self._longest_s = longest_s
        self._limiter = anyio.CapacityLimiter(ASKED_AT_ONCE)

    async def ask(self, question: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """What `question` returns. Raises `TookTooLongError`, `Refusal` while storage is away, and what it raises."""
        return await anyio.to_thread.run_sync(self._in_time, question, limiter=self._limiter)

    def _in_time(self, question: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        with self._asked() as con, within(con, self._longest_s):
            return question(con)


@contextmanager
def within(con: duckdb.DuckDBPyConnection, longest_s: float = LONGEST_S) -> Iterator[None]:
    """Interrupts what the connection does after its time. Raises `TookTooLongError`."""
    timer = threading.Timer(longest_s, con.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException:
        raise TookTooLongError(f"stopped after {longest_s:g} s; ask for a shorter time") from None
    finally:
        timer.cancel()
