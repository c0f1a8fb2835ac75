"""The writer's side of the journal: appends groups of requests to segments, never reads or removes one.

A directory belongs to one writer for life: its `lock` file is flocked while the writer lives. Its name and
segment ids are never used again. A segment is final when a later one is beside it or the lock is free.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct
import uuid
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bindtrace.collector.journal.record import Request, pack
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.durable import sync_path

SEGMENT_BYTES = 64 * 1024 * 1024
LOCK_FILE = "lock"
_HEADER = struct.Struct("<8s16sQ")
_MAGIC = b"btjrnl\x00\x01"  # the last byte is the version of the format
HEADER_SIZE = _HEADER.size
_NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{32})\.seg")


class JournalError(Exception):
    """The journal could not be written or synced: the group is refused, and its senders try again."""


class Position(NamedTuple):
    """How far a journal goes: every byte of the segment before `offset`. Text form `<32 hex>:<offset>`."""

    segment_id: uuid.UUID
    offset: int

    def __str__(self) -> str:
        return f"{self.segment_id.hex}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """Raises `ValueError` for anything but the text form."""
        segment, _, offset = text.partition(":")
        if len(segment) != 32 or not (offset.isascii() and offset.isdigit()):
            raise ValueError(f"not a journal position: {text!r}")
        return cls(uuid.UUID(hex=segment), int(offset))


class SegmentName(NamedTuple):
    """What a segment's file name says: when it was made, for the order, and its id."""

    created_unix_nano: int
    segment_id: uuid.UUID

    @property
    def file(self) -> str:
        return f"{self.created_unix_nano:016x}-{self.segment_id.hex}.seg"

    @property
    def header(self) -> bytes:
        return _HEADER.pack(_MAGIC, self.segment_id.bytes, self.created_unix_nano)

    @property
    def seed(self) -> int:
        """Mark and start of each record's checksum; made of the name, so a damaged header loses nothing."""
        return zlib.crc32(self.header)

    @classmethod
    def parse(cls, file: str) -> SegmentName | None:
        """None for a file that is not a segment."""
        found = _NAME.fullmatch(file)
        return found and cls(int(found[1], 16), uuid.UUID(hex=found[2]))


class JournalWriter:
    """Appends to one directory, which it makes and locks. Used by one thread at a time."""

    def __init__(self, directory: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Raises `OSError` when the directory cannot be made, or is another writer's (`FileExistsError`)."""
        self.directory = directory
        self._segment_bytes = segment_bytes
        self._name: SegmentName | None = None
        self._fd = -1
        self._size = 0
        self._newest_unix_nano = 0
        self._lock = _claim(directory)

    def append(self, requests: Sequence[Request]) -> Position:
        """Writes and syncs a group; when it returns, every request of it is durable up to the position.

        Raises `JournalError` when a write or a sync fails. That file is then never written or synced again
        (a second fsync after a failed one reports success for lost pages); the next group opens another.
        """
        try:
            if self._name is None or self._size >= self._segment_bytes:
                self._open_next()
            assert self._name is not None
            seed = self._name.seed
            data = b"".join(piece for request in requests for piece in pack(request, seed))
            _write_all(self._fd, data)
            _sync_data(self._fd)
        except OSError as error:
            self._abandon()
            raise JournalError(f"journal {self.directory}: {error.strerror or error}") from error
        self._size += len(data)
        return Position(self._name.segment_id, self._size)

    def close(self) -> None:
        """Lets go of the segment and of the directory: what is in it is final from now on, or it goes."""
        self._abandon()
        if self._lock >= 0:
            if not self._newest_unix_nano:
                with contextlib.suppress(OSError):
                    (self.directory / LOCK_FILE).unlink()
                    self.directory.rmdir()
            os.close(self._lock)
            self._lock = -1

    def _open_next(self) -> None:
        self._abandon()
        created = max(now_unix_nano(), self._newest_unix_nano + 1)
        name = SegmentName(created, uuid.uuid4())
        self._fd = os.open(
            self.directory / name.file,
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC,
            0o600,
        )
        _write_all(self._fd, name.header)
        os.fsync(self._fd)
        sync_path(self.directory)
        self._name, self._size, self._newest_unix_nano = name, HEADER_SIZE, created

    def _abandon(self) -> None:
        fd, self._fd, self._name, self._size = self._fd, -1, None, 0
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)


def is_held(directory: Path) -> bool:
    """Whether the directory's writer lives."""
    try:
        fd = os.open(directory / LOCK_FILE, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _claim(directory: Path) -> int:
    """Makes the directory with its lock already held, so that no reader takes it for a dead writer's."""
    if directory.exists():
        raise FileExistsError(f"journal directory {directory} is used already")
    root = directory.parent
    if not root.exists():
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        sync_path(root.parent)
    hidden = root / f".{directory.name}"
    hidden.mkdir(mode=0o700)
    lock = os.open(hidden / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        hidden.rename(directory)
        sync_path(directory)
        sync_path(root)
    except OSError:
        os.close(lock)
        raise
    return lock


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _sync_data(fd: int) -> None:
    if hasattr(fcntl, "F_FULLFSYNC"):  # macOS: fsync alone does not reach the disk
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(fd)
