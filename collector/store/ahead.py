"""Reads and decodes the next group of the journal while the current one is being stored. Never touches the database.

One thread, one group ahead. Bodies are let go of piece by piece, as they are decoded: memory holds what a group comes
to, and never twice what it was. What is not taken is only read again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple
from uuid import UUID

from bindtrace.collector.journal.reader import Batch, JournalReader
from bindtrace.collector.journal.record import Request
from bindtrace.collector.otlp.columnar import CALL_BYTES, merged, to_tables
from bindtrace.collector.otlp.tables import Tables
from bindtrace.collector.store import accounting


class Decoded(NamedTuple):
    """Tables of just these requests, in this order; their load is still to be named."""

    requests: tuple[Request, ...]
    tables: Tables


class Group(NamedTuple):
    """What comes after the positions that it was asked for.

    Where it is decoded, its requests have no bodies but those that could not be.
    """

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
        """The group behind `positions`, decoded; without batches when all was read. Raises as reading does."""
        expected, self._next = self._next, None
        if expected is not None:
            group = expected[1].result()
            # A checkpoint forgets the positions of segments that are gone.
            if positions.items() <= expected[0].items() and group.batches:
                return group
        return self._decode(positions, max_bytes, max_spans)

    def whole(self, positions: Mapping[UUID, int], max_bytes: int, max_spans: int) -> Group:
        """As `take`, with bodies and not decoded. What is being read ahead stays as it is."""
        return _group(self._reader.read(positions, max_bytes, max_spans))

    def prepare(self, positions: Mapping[UUID, int], max_bytes: int, max_spans: int) -> None:
        """Begins with the group behind `positions`; returns at once."""
        at = dict(positions)
        self._next = (at, self._thread.submit(self._decode, at, max_bytes, max_spans))

    def settle(self) -> None:
        """Returns when nothing is being read: the journal may be tidied up."""
        if self._next is not None:
            self._next[1].exception()

    def _decode(self, positions: Mapping[UUID, int], max_bytes: int, max_spans: int) -> Group:
        batches: list[Batch] = []
        requests: list[Request] = []
        parts: list[Tables] = []
        known: set[bytes] = set()
        for piece in self._pieces(positions, max_bytes, max_spans):
            fresh = [
                request
                for request in unique(accounting.split(piece.requests)[0])
                if request.digest not in known
            ]
            known.update(request.digest for request in fresh)
            parts.append(to_tables(fresh, 0))
            kept = {id(entry.request) for entry in parts[-1].refused}
            slim = {
                id(request): _without_body(request) for request in piece.requests if id(request) not in kept
            }
            batches += [
                batch._replace(requests=tuple(slim.get(id(request), request) for request in batch.requests))
                for batch in piece.batches
            ]
            requests += [slim.get(id(request), request) for request in fresh]
        tables = merged(parts) if parts else to_tables((), 0)
        return _group(batches)._replace(decoded=Decoded(tuple(requests), tables))

    def _pieces(self, positions: Mapping[UUID, int], max_bytes: int, max_spans: int) -> Iterator[Group]:
        """The group in parts of about what is decoded at once."""
        at = dict(positions)
        while max_bytes > 0 and max_spans > 0:
            piece = _group(
                self._reader.read(at, min(max_bytes, CALL_BYTES), max_spans, at_least_one=at == positions)
            )
            if not piece.batches:
                return
            yield piece
            at |= piece.positions
            max_bytes -= piece.size_bytes
            max_spans -= sum(request.spans for request in piece.requests)


def unique(requests: Sequence[Request]) -> list[Request]:
    """Each digest's first request, in order."""
    first: dict[bytes, Request] = {}
    for request in requests:
        first.setdefault(request.digest, request)
    return list(first.values())


def _group(batches: list[Batch]) -> Group:
    return Group(
        batches,
        [request for batch in batches for request in batch.requests],
        {batch.segment_id: batch.end for batch in batches},
        sum(batch.end - batch.start for batch in batches),
        None,
    )


def _without_body(request: Request) -> Request:
    """Accounting is small, and is read only when it is stored."""
    return request if request.encoding == accounting.ENCODING else request._replace(body=b"")
