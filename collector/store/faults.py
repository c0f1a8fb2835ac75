"""What kind of failure a database error is, and the record of those that a person must know of. Repairs nothing."""

from __future__ import annotations

import contextlib
import enum
import json
import os
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.durable import sync_path, write_durably
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.lake.refusals import is_of_lake

INDEX: Final = "index.jsonl"
AGAIN_NANO: Final = 600 * 10**9
"""A second fatal error within this time is no accident: storage stays away until it has passed."""

_DAMAGE: Final = (
    "corrupt database file",
    "corrupt wal",
    "replaying wal",
    "could not read enough bytes",
    "computed checksum",
    "not a valid duckdb",
    "is not a duckdb file",
    "serialization error",
    "failed to deserialize",
    "database file is missing",
)
_NO_ROOM: Final = ("no space left", "disk quota", "could not write all bytes", "enospc", "out of disk")
_OF_DATA: Final = (
    duckdb.DataError,
    duckdb.IntegrityError,
    duckdb.InvalidInputException,
    duckdb.NotSupportedError,
    pa.ArrowException,
    UnicodeError,
)


class Fault(enum.Enum):
    """What a failure asks for."""

    DATA = "data"  # one request cannot be stored; the database is sound
    DAMAGE = "damage"  # bytes of the file or its log are not what was written
    LAKE = "lake"  # its catalog or its files are away; the database is sound
    NO_ROOM = "no_room"  # passes when the disk has room
    SQL = "sql"  # a statement of ours is wrong; the database is sound
    FATAL = "fatal"  # the handle is unusable: close it, open another, never repeat the sync


def fault_of(error: BaseException | str) -> Fault:
    """Decided by the error's type, then by DuckDB's words; an invalidated database is always `FATAL` or worse."""
    text = str(error).lower()
    if any(words in text for words in _NO_ROOM):
        return Fault.NO_ROOM
    if any(words in text for words in _DAMAGE):
        return Fault.DAMAGE
    if "invalidated" in text:
        return Fault.FATAL
    if isinstance(error, _OF_DATA):
        return Fault.DATA
    if is_of_lake(error):
        return Fault.LAKE
    return Fault.SQL if isinstance(error, duckdb.ProgrammingError) else Fault.FATAL


def folder_of(db: Path) -> Path:
    """`PATH.quarantine`: damaged database files, and the record of what happened to them."""
    return db.with_name(f"{db.name}.quarantine")


def record(db: Path, event: str, **facts: Any) -> bool:
    """Adds one line to the record, durably. False where even that cannot be written."""
    folder = folder_of(db)
    entry = {"event": event, "time_unix_nano": str(now_unix_nano()), **facts}
    try:
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o700)
            sync_path(folder.parent)
        write_durably(folder / INDEX, (json.dumps(entry) + "\n").encode(), os.O_APPEND)
    except OSError:
        return False
    return True


def recorded(db: Path, event: str | None = None) -> list[dict[str, Any]]:
    """Entries, oldest first; of one event, or of all (`fatal`, `set-aside`)."""
    try:
        lines = (folder_of(db) / INDEX).read_text("utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        with contextlib.suppress(ValueError):  # a line that a crash cut short
            found.append(json.loads(line))
    return [entry for entry in found if event is None or entry.get("event") == event]


def failed_lately(db: Path) -> bool:
    """Whether storage had a fatal error within the last ten minutes."""
    since = now_unix_nano() - AGAIN_NANO
    return any(int(entry["time_unix_nano"]) >= since for entry in recorded(db, "fatal"))


def one_line(error: BaseException | str) -> str:
    """The error as a log line and a person see it."""
    if isinstance(error, Refusal):
        return error.message
    text = " ".join(str(error).split())
    return text if isinstance(error, str) else f"{type(error).__name__}: {text}"
