"""Reads and decodes the next group of the journal while the current one is being stored. Never touches the database.

One thread, one group ahead: memory stays bounded, and what is not taken is only read again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple
from uuid import UUID

from bindtrace.collector.journal.reader import Batch, JournalReader
from bindtrace.collector.journal.record import Request
from bindtrace.collector.otlp.columnar import to_tables
from bindtrace.collector.otlp.tables import Tables
from bindtrace.collector.store import accounting


class Decoded(NamedTuple):
    """Tables of just these requests, in this order; their load is still to be named."""

    requests: tuple[Request, ...]
    tables: Tables


class Group(NamedTuple):
    """What comes after the positions that it was asked for. `decoded` only where it was read ahead."""

    batches: list[Batch]
    requests: list[Request]
    positions: dict[UUID, int]
    size_bytes: int
    decoded: Decoded | None


class Ahead:
    """The journal as groups, in order. Used by one thread, and has one of its own."""

    def __init__(self, reader: JournalReader) -> None:
        self._reader = reader
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="decode")
        self._next: tuple[dict[UUID, int], Future[Group]] | None = None

    def take(self, positions: Mapping[UUID, int], max_bytes: int, max_spans: int) -> Group:
        """The group behind `positions`; without batches when all was read. Raises as reading does."""
        expected, self._next = self._next, None
        if expected is not None:
            group = expected[1].result()
            # A checkpoint forgets the positions of segments that are gone.
            if positions.items() <= expected[0].items() and group.batches:
                return group
        return self._read(positions, max_bytes, max_spans)

    def prepare(self, positions: Mapping[UUID, int], max_bytes: int, max_spans: int) -> None:
        """Begins with the group behind `positions`; returns at once."""
        at = dict(positions)
        self._next = (at, self._thread.submit(self._decode, at, max_bytes, max_spans))

    def settle(self) -> None:
        """Returns when nothing is being read: the journal may be tidied up."""
        if self._next is not None:
            self._next[1].exception()

    def _read(self, positions: Mapping[UUID, int], max_bytes: int, max_spans: int) -> Group:
        batches = self._reader.read(positions, max_bytes, max_spans)
        return Group(
            batches,
            [request for batch in batches for request in batch.requests],
            {batch.segment_id: batch.end for batch in batches},
            sum(batch.end - batch.start for batch in batches),
            None,
        )

    def _decode(self, positions: Mapping[UUID, int], max_bytes: int, max_spans: int) -> Group:
        group = self._read(positions, max_bytes, max_spans)
        requests = unique(accounting.split(group.requests)[0])
        return group._replace(decoded=Decoded(tuple(requests), to_tables(requests, 0)))


def unique(requests: Sequence[Request]) -> list[Request]:
    """Each digest's first request, in order."""
    first: dict[bytes, Request] = {}
    for request in requests:
        first.setdefault(request.digest, request)
    return list(first.values())
