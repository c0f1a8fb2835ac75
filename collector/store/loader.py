"""Moves what the journal holds into the database, and lets go of what a checkpoint covers. Never acknowledges.

Rows and position are one transaction, so a crash anywhere replays and never doubles. A segment is removed only
when a finished checkpoint covers it, so a damaged write-ahead log loses nothing either.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import duckdb

from bindtrace.collector.journal import loaded
from bindtrace.collector.journal.quarantine import fields_of
from bindtrace.collector.journal.reader import Batch, JournalReader
from bindtrace.collector.journal.record import Request
from bindtrace.collector.otlp.tables import Refused
from bindtrace.collector.store import accounting
from bindtrace.collector.store.ahead import Ahead, Group
from bindtrace.collector.store.divide import write_divided
from bindtrace.collector.store.faults import Fault, fault_of
from bindtrace.collector.store.writer import Writer, Written
from bindtrace.queries.database import ROW_GROUP_SIZE, cursor

GROUP_SPANS: Final = 2 * ROW_GROUP_SIZE
"""At most so many spans a transaction, and nearly as many where they wait: then row groups are full, and none has a
small rest behind it, which cost 1.3 us of CPU and 40 bytes a span. At 512 spans 42k/s, at 50,000 135-156k."""
GROUP_BYTES: Final = 48 * 1024 * 1024
FIRST_BYTES: Final = 8 * 1024 * 1024
log = logging.getLogger("bindtrace.store")


@dataclass(slots=True)
class Counts:
    """What this loader did since it was made; all but `checkpoints` are spans. `taken` are those of the journal."""

    taken: int = 0
    spans: int = 0
    deduplicated: int = 0
    quarantined: int = 0
    checkpoints: int = 0


class Loader:
    """One journal into one database. Its connection belongs to it; checkpoints are its own to begin."""

    def __init__(self, con: duckdb.DuckDBPyConnection, journal_root: Path) -> None:
        self.counts = Counts()
        self._con = con
        self._root = journal_root
        self._writer = Writer(con)
        self._reader = JournalReader(journal_root)
        self._ahead = Ahead(self._reader)
        self._positions = self._writer.positions()
        self._max_bytes = FIRST_BYTES
        # Of earlier lives too: each killed before it had loaded enough for a checkpoint, they would fill the journal.
        self._uncovered = self._reader.kept_bytes(self._positions)
        self._behind = False
        self._wal = _wal_of(con)
        # Nobody but `checkpoint` starts one: what an automatic one covered would not be known.
        con.execute("set checkpoint_threshold = '1TB'")
        # Decoding and receiving need the other half; CPU a span on 2 cores, one busy run each: 13.7 µs, with both 16.4.
        con.execute(f"set threads = {max(1, (os.cpu_count() or 2) // 2)}")

    @property
    def load_id(self) -> int:
        """Of the last transaction that brought spans."""
        return self._writer.load_id

    @property
    def positions(self) -> dict[UUID, int]:
        """How far each segment is loaded; a copy."""
        return dict(self._positions)

    def step(self) -> int:
        """Loads what is there, one group in one transaction. Returns the journal bytes taken, 0 for nothing.

        Raises `duckdb.Error` when the database fails, `OSError` when quarantine cannot be written; the journal
        then still has everything.
        """
        group = self._ahead.take(self._positions, self._max_bytes, GROUP_SPANS)
        if not group.batches:
            self._behind = False
            return 0
        self._behind = group.size_bytes > self._max_bytes // 2
        if self._behind:
            self._ahead.prepare(self._positions | group.positions, self._max_bytes, GROUP_SPANS)
        group, written = self._write(group)
        self._positions.update(group.positions)
        loaded.tell(self._root, self._positions)
        self._uncovered += group.size_bytes
        self._count(group.requests, written)
        self._size_next(group.size_bytes, sum(request.spans for request in group.requests))
        return group.size_bytes

    def _write(self, group: Group) -> tuple[Group, Written]:
        """What was written, and of which group: one that does not go in as it was decoded is read again, as bytes."""
        if group.decoded is not None and self._writer.are_new(group.decoded.requests):
            try:
                set_aside = partial(self._set_aside, group.batches)
                return group, self._writer.write(group.requests, group.positions, set_aside, group.decoded)
            except Exception as error:
                if fault_of(error) is not Fault.DATA:
                    raise
        group = self._ahead.whole(self._positions, group.size_bytes, GROUP_SPANS)
        set_aside = partial(self._set_aside, group.batches)
        return group, write_divided(self._writer, group.requests, group.positions, set_aside)

    def say_alive(self) -> None:
        """To the receivers, from any thread: no load is done, and one will be."""
        loaded.say_alive(self._root)

    def wal_bytes(self) -> int:
        """Size of the write-ahead log that a checkpoint would fold in; 0 in memory."""
        try:
            return os.stat(self._wal).st_size if self._wal else 0
        except OSError:
            return 0

    @property
    def behind(self) -> bool:
        """Whether the last group was a full one: more is waiting."""
        return self._behind

    def uncovered_bytes(self) -> int:
        """Journal that is loaded, and kept until a checkpoint covers it. Large groups hardly grow the log."""
        return self._uncovered

    def checkpoint(self, *, beside: bool = False) -> bool:
        """Folds the write-ahead log into the file and removes the segments that it covers.

        Others may write `beside` it; what was deleted then keeps its room until a checkpoint that nobody is beside.
        False where another writer's transaction stands in the way: then try again later. `beside` others also where no
        segment has a position that could be written (`_old_reader`).
        """
        covered = dict(self._positions)
        if beside and not covered:
            return False
        if self._wal and shutil.disk_usage(os.path.dirname(self._wal)).free < self.wal_bytes():
            # A full disk in the middle of a checkpoint closes the database; senders are refused before it comes to it.
            log.warning("event=checkpoint_postponed reason='the disk is full'")
            return False
        try:
            accounting.compact(self._con)
            with self._old_reader() if beside else nullcontext():
                self._con.execute("checkpoint")
        except duckdb.TransactionException as error:
            log.info("event=checkpoint_postponed reason=%s", str(error).splitlines()[0])
            return False
        self.counts.checkpoints += 1
        self._uncovered = 0
        self._ahead.settle()
        if self._reader.discard(covered):
            left = self._reader.segment_ids()
            self._writer.forget_positions(left)
            self._positions = {segment: at for segment, at in self._positions.items() if segment in left}
        return True

    @contextmanager
    def _old_reader(self) -> Iterator[None]:
        """While somebody reads what was before the last commit, a checkpoint moves no row, and so locks nobody out.

        The positions are written once more to have such a commit: without one, it moves rows and locks all out.

        source: DuckDB 1.5, `DuckTransactionManager::Checkpoint`, `CONCURRENT_CHECKPOINT`
        """
        reader = cursor(self._con)
        try:
            reader.execute("begin")
            reader.execute("select 1 from meta limit 1").fetchall()
            self._writer.write((), self._positions)
            yield
        finally:
            reader.close()

    def forget_orphans(self) -> int:
        """Removes what only deleted spans named; returns how many rows went."""
        return self._writer.forget_orphans()

    def waiting_bytes(self) -> int:
        """How much of the journal is not loaded yet."""
        return self._reader.waiting_bytes(self._positions)

    def on_disk(self, segment_id: UUID) -> bool:
        """Whether the segment is still there."""
        return segment_id in self._reader.segment_ids()

    def _set_aside(self, batches: Sequence[Batch], refused: Sequence[Refused]) -> None:
        """Keeps what cannot be decoded before its position is stored: a crash between finds it again."""
        reasons = {id(entry.request): entry.reason for entry in refused}
        for batch in batches if reasons else ():
            for ordinal, request in enumerate(batch.requests):
                if reason := reasons.get(id(request)):
                    # Its exact place is not known here, but within the batch; the ordinal tells two apart.
                    self._reader.quarantine.put(
                        request.body,
                        reason=f"undecodable request of {request.sender}: {reason}",
                        segment_id=batch.segment_id,
                        start=batch.start + ordinal,
                        end=batch.end,
                        details=fields_of(request),
                    )

    def _count(self, requests: Sequence[Request], written: Written) -> None:
        self.counts.taken += sum(request.spans for request in requests)
        self.counts.spans += written.spans
        self.counts.deduplicated += written.duplicate_spans
        self.counts.quarantined += sum(entry.request.spans for entry in written.refused)

    def _size_next(self, size: int, spans: int) -> None:
        wanted = size * GROUP_SPANS * 9 // 8 // max(1, spans)
        self._max_bytes = min(GROUP_BYTES, max(1024 * 1024, wanted))


def _wal_of(con: duckdb.DuckDBPyConnection) -> str:
    """Path of the write-ahead log; empty for a database in memory."""
    row = con.execute(
        "select path from duckdb_databases() where database_name = current_database()"
    ).fetchone()
    return f"{row[0]}.wal" if row and row[0] else ""
