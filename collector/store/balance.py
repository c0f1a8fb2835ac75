"""The accounting identity, checked while storing goes on: what was taken is stored, a duplicate, or set aside."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

import duckdb

from bindtrace.queries.lake.sealing import moved_spans

_LOOKS: Final = 10
_BETWEEN_S: Final = 0.05


class Counted(Protocol):
    """Spans since storing began, as `loader.Counts` has them."""

    taken: int
    spans: int
    deduplicated: int
    quarantined: int


class Balance:
    """Knows how many rows there were at the start, and so how many there must be."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._first = _rows(con)

    def difference(self, con: duckdb.DuckDBPyConnection, counts: Counted, retired: Callable[[], int]) -> int:
        """How many spans are unaccounted for; 0, or something is lost or doubled.

        `taken = stored + deduplicated + quarantined`, and the rows in the table are those that the counts say. A load
        that is committed in between is a difference for an instant: it counts where several looks agree.
        """
        found = 0
        for look in range(_LOOKS):
            if look:
                time.sleep(_BETWEEN_S)
            rows = _rows(con)
            unread = counts.taken - counts.spans - counts.deduplicated - counts.quarantined
            found = abs(unread) + abs(self._first + counts.spans - retired() - rows)
            if not found:
                break
        return found


def _rows(con: duckdb.DuckDBPyConnection) -> int:
    """Wherever they are: sealing takes no span out of the account."""
    row = con.execute("select count(*) from bindtrace.main.spans").fetchone()
    return (int(row[0]) if row else 0) + moved_spans(con)
