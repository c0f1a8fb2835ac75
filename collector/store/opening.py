"""Opens the database so that it can be used: what is damaged is moved aside, and the journal brings back the rest.

Never deletes a byte, never tries the same damaged file twice. A log alone is moved where only the log is damaged:
then nothing is lost, because a segment of the journal stays until a finished checkpoint covers it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import duckdb

from bindtrace.collector.journal.reader import JournalReader
from bindtrace.collector.store.faults import Fault, fault_of, folder_of, one_line, record
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.durable import sync_path
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.database import open_database
from bindtrace.queries.file_kind import is_duckdb
from bindtrace.queries.lake.naming import LakeRefusal

T = TypeVar("T")
_BLOCK: Final = 65_536  # the smallest that we ever wrote files with; larger ones are multiples
_HEADERS: Final = 3 * 4096
log = logging.getLogger("bindtrace.store")


def journal_of(db: Path) -> Path:
    """`PATH.journal`."""
    return db.with_name(f"{db.name}.journal")


def open_sound(db: Path, use: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
    """What `use` makes of the database, which it reads all of that loading needs; damage met there is moved aside.

    Raises `Refusal` for a file that is not ours to move, and `duckdb.Error` for what is no damage.
    """
    if not db.exists() and _logs_of(db):
        set_aside(db, "the database file is missing, only its write-ahead log is there")
    while True:
        con: duckdb.DuckDBPyConnection | None = None
        try:
            con = open_database(db)
            return use(con)
        except (duckdb.Error, Refusal) as error:
            if con is not None:
                con.close()
            if isinstance(error, LakeRefusal):
                raise
            if fault_of(one_line(error)) is not Fault.DAMAGE or not _is_ours(db):
                raise
            set_aside(db, one_line(error))


def set_aside(db: Path, reason: str) -> Path:
    """Moves the damaged file, or only its log where that is at fault, to `PATH.quarantine/<time>/`.

    Nobody may have it open. The window that may be lost is recorded. Raises `Refusal` where it cannot be moved.
    """
    logs = _logs_of(db)
    log_alone = db.exists() and bool(logs) and "wal" in reason.lower()
    target = _folder(db)
    names = [path.name for path in ([] if log_alone else [db]) + logs if path.exists()]
    try:
        target.mkdir(parents=True, mode=0o700)
        for name in names:
            (db.parent / name).rename(target / name)
        for folder in (target, target.parent, db.parent):
            sync_path(folder)
    except OSError as error:
        raise Refusal(
            f"{db} is damaged ({reason}), and cannot be moved: {error}", fix="move it and its .wal away"
        ) from None
    window = ("", "") if log_alone else ("0", str(_first_journaled(db)))
    record(
        db,
        "set-aside",
        reason=reason,
        folder=target.name,
        files=names,
        lost_from_unix_nano=window[0],
        lost_until_unix_nano=window[1],
    )
    log.error(
        "event=database_set_aside files=%s folder=%r lost_until_unix_nano=%s reason=%r",
        ",".join(names), str(target), window[1] or "nothing", reason,
    )  # fmt: skip
    return target


def _first_journaled(db: Path) -> int:
    """From when on the journal has everything, Unix nanoseconds: now, where it has nothing."""
    return JournalReader(journal_of(db)).oldest_unix_nano() or now_unix_nano()


def _is_ours(db: Path) -> bool:
    """Whether the file was a database of ours: never move away what somebody named by mistake."""
    if _logs_of(db) or JournalReader(journal_of(db)).segment_ids():
        return True
    try:
        with db.open("rb") as file:
            head = file.read(_HEADERS)
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return False
    return size == 0 or is_duckdb(head) or (size >= _HEADERS and (size - _HEADERS) % _BLOCK == 0)


def _logs_of(db: Path) -> list[Path]:
    """The write-ahead log, and a second one that DuckDB begins while it folds the first into the file."""
    names = (f"{db.name}.wal{ending}" for ending in ("", ".checkpoint", ".recovery"))
    return [path for path in map(db.with_name, names) if path.exists()]


def _folder(db: Path) -> Path:
    moment = datetime.fromtimestamp(now_unix_nano() // 10**9, UTC).strftime("%Y%m%dT%H%M%SZ")
    target = folder_of(db) / moment
    number = 1
    while target.exists():
        number += 1
        target = folder_of(db) / f"{moment}-{number}"
    return target
