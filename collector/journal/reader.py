"""The loader's side of the journal: gives what writers wrote, sets damage aside, removes what is stored.

One reader at a time (the process that holds the database). Damage never raises out of `read`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from bindtrace.collector.journal.quarantine import FOLDER, Quarantine
from bindtrace.collector.journal.record import Flaw, Request, Unpacked, find_next, unpack
from bindtrace.collector.journal.segment import (
    HEADER_SIZE,
    LOCK_FILE,
    SegmentName,
    is_held,
)
from bindtrace.propagation.durable import sync_path


class Batch(NamedTuple):
    """Requests of one segment, in order. `end` is the position to store with them.

    `requests` is empty where the bytes from `start` to `end` were damaged and are in quarantine.
    """

    segment_id: UUID
    start: int
    end: int
    requests: tuple[Request, ...]


class _Segment(NamedTuple):
    path: Path
    name: SegmentName
    final: bool  # its writer will add nothing


class JournalReader:
    """Reads every receiver's directory under `root`, which need not exist yet."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._quarantine = Quarantine(root)
        self._dead: set[Path] = set()  # directories whose writer is gone; it never comes back

    def read(
        self,
        positions: Mapping[UUID, int],
        max_bytes: int,
        max_spans: int = sys.maxsize,
        *,
        at_least_one: bool = True,
    ) -> list[Batch]:
        """What lies behind `positions` (segment id to offset; absent: its beginning), oldest segment first.

        About `max_bytes` of journal, or one record where a record is larger, and at most `max_spans`, or one record
        where `at_least_one`. Empty when all was read, or nothing fits.
        A short tail is waited for while its writer lives, and set aside as torn after.
        """
        batches: list[Batch] = []
        for segment in self._segments():
            if max_bytes <= 0:
                break
            start = max(positions.get(segment.name.segment_id, 0), HEADER_SIZE)
            batch, cut = self._read_segment(
                segment, start, max_bytes, max_spans, first=not batches, at_least_one=at_least_one
            )
            if batch is not None:
                batches.append(batch)
                max_bytes -= batch.end - batch.start
                max_spans -= sum(request.spans for request in batch.requests)
            if cut:  # what is newer waits for the rest of this one
                break
        return batches

    def discard(self, positions: Mapping[UUID, int]) -> int:
        """Removes final segments that lie wholly before `positions`, then the empty directories of the dead.

        Give only positions that a finished checkpoint covers. Returns how many segments went.
        """
        touched: set[Path] = set()
        gone = 0
        for segment in self._segments():
            loaded = max(positions.get(segment.name.segment_id, 0), HEADER_SIZE)
            with contextlib.suppress(OSError):
                if segment.final and segment.path.stat().st_size <= loaded:
                    segment.path.unlink()
                    gone += 1
                    touched.add(segment.path.parent)
        for directory in touched:
            with contextlib.suppress(OSError):
                sync_path(directory)
        for directory in self._directories():
            with contextlib.suppress(OSError):
                if self._is_dead(directory) and os.listdir(directory) in ([], [LOCK_FILE]):
                    (directory / LOCK_FILE).unlink(missing_ok=True)
                    directory.rmdir()
                    self._dead.discard(directory)
        return gone

    def waiting_bytes(self, positions: Mapping[UUID, int]) -> int:
        """How much journal lies behind `positions`, a tail that is not complete yet included."""
        total = 0
        for segment in self._segments():
            start = max(positions.get(segment.name.segment_id, 0), HEADER_SIZE)
            with contextlib.suppress(OSError):
                total += max(0, segment.path.stat().st_size - start)
        return total

    def kept_bytes(self, positions: Mapping[UUID, int]) -> int:
        """How much journal before `positions` is still here."""
        kept = self.segment_ids()
        return sum(at for segment_id, at in positions.items() if segment_id in kept)

    def segment_ids(self) -> set[UUID]:
        """Segments that are there; a stored position of any other is history."""
        return {segment.name.segment_id for segment in self._segments()}

    def oldest_unix_nano(self) -> int | None:
        """When the oldest segment was begun, Unix nanoseconds: from then on, everything is here."""
        return min((segment.name.created_unix_nano for segment in self._segments()), default=None)

    @property
    def quarantine(self) -> Quarantine:
        """Also for a request that passed its checksum and yet cannot be loaded."""
        return self._quarantine

    def _directories(self) -> Iterator[Path]:
        with contextlib.suppress(FileNotFoundError), os.scandir(self._root) as entries:
            for entry in entries:
                if entry.name[0] != "." and entry.name != FOLDER and entry.is_dir(follow_symlinks=False):
                    yield self._root / entry.name

    def _is_dead(self, directory: Path) -> bool:
        if directory not in self._dead and not is_held(directory):
            self._dead.add(directory)
        return directory in self._dead

    def _segments(self) -> list[_Segment]:
        """Oldest first. Locks are asked before listing: a writer that was gone then added nothing since."""
        found: list[_Segment] = []
        for directory in self._directories():
            dead = self._is_dead(directory)
            try:
                names = sorted(filter(None, map(SegmentName.parse, os.listdir(directory))))
            except OSError:
                continue
            found += [
                _Segment(directory / name.file, name, dead or number < len(names))
                for number, name in enumerate(names, start=1)
            ]
        return sorted(found, key=lambda segment: segment.name)

    def _read_segment(
        self,
        segment: _Segment,
        start: int,
        max_bytes: int,
        max_spans: int,
        *,
        first: bool,
        at_least_one: bool,
    ) -> tuple[Batch | None, bool]:
        """A batch, and whether a limit cut it; the `first` of a round has one record, however large."""
        least = first and at_least_one
        try:
            fd = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None, False
        try:
            size = os.fstat(fd).st_size
            if size <= start:
                return None, False
            data = _bytes_at(fd, start, min(max_bytes, size - start))
            cut = start + len(data) < size
            batch, full = self._parse(segment, start, data, max_bytes, max_spans, least=least, whole=not cut)
            if (
                batch is None and cut and first and not full
            ):  # a large record, or damage: all of the rest decides
                rest = _bytes_at(fd, start, size - start)
                batch, full = self._parse(segment, start, rest, max_bytes, max_spans, least=least, whole=True)
                cut = batch is not None and batch.end < size
            return batch, cut or full
        except OSError:  # an unreadable sector: nothing is lost while the segment stays where it is
            return None, False
        finally:
            os.close(fd)

    def _parse(
        self,
        segment: _Segment,
        start: int,
        data: bytes,
        max_bytes: int,
        max_spans: int,
        *,
        least: bool,
        whole: bool,
    ) -> tuple[Batch | None, bool]:
        """A batch, and whether `max_spans` ended it; with `least` not before it has one record.

        `whole`: `data` reaches the end of the file, so what is flawed in it is judged.
        """
        requests: list[Request] = []
        seed, view, at = segment.name.seed, memoryview(data), 0
        full = False
        while at < min(len(data), max_bytes):
            found = unpack(view, at, seed)
            if isinstance(found, Unpacked):
                max_spans -= found.request.spans
                if max_spans < 0 and (requests or not least):
                    full = True
                    break
                requests.append(found.request)
                at = found.end
                continue
            resume = find_next(view, at + 1, seed) if whole else None
            if resume is None and not (whole and segment.final):
                break
            end = len(data) if resume is None else resume
            torn = found is Flaw.SHORT and resume is None
            window = _window(requests, view, resume, seed, segment)
            if not self._set_aside(segment, start + at, data[at:end], "torn" if torn else "damaged", window):
                break
            at = end
        return (Batch(segment.name.segment_id, start, start + at, tuple(requests)) if at else None), full

    def _set_aside(
        self, segment: _Segment, start: int, data: bytes, reason: str, window: tuple[int, int]
    ) -> bool:
        try:
            self._quarantine.put(
                data,
                reason=reason,
                segment_id=segment.name.segment_id,
                start=start,
                end=start + len(data),
                details={
                    "seed": segment.name.seed,
                    "lost_from_unix_nano": str(window[0]),
                    "lost_until_unix_nano": str(window[1]),
                },
            )
        except OSError:  # no room to keep it: it stays in the journal and is tried again
            return False
        return True


def _window(
    before: Sequence[Request], view: memoryview, resume: int | None, seed: int, segment: _Segment
) -> tuple[int, int]:
    """Between which times, Unix nanoseconds, the bytes were received that lie between two good records."""
    following = None if resume is None else unpack(view, resume, seed)
    until = following.request.received_unix_nano if isinstance(following, Unpacked) else None
    if until is None:
        with contextlib.suppress(OSError):
            until = segment.path.stat().st_mtime_ns
    since = before[-1].received_unix_nano if before else segment.name.created_unix_nano
    return since, max(since, until or since)


def _bytes_at(fd: int, start: int, count: int) -> bytes:
    pieces = []
    while count > 0 and (piece := os.pread(fd, count, start)):
        pieces.append(piece)
        start, count = start + len(piece), count - len(piece)
    return b"".join(pieces)
