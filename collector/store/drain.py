"""Stores what a stopped collector's journal still holds, before its database is read. Starts no process."""

from __future__ import annotations

import contextlib
from pathlib import Path

import duckdb

from bindtrace.collector.journal import loaded
from bindtrace.collector.journal.reader import JournalReader
from bindtrace.collector.store.loader import Loader
from bindtrace.collector.store.opening import open_sound
from bindtrace.queries.analyse import analyse
from bindtrace.queries.database import join_lake
from bindtrace.queries.lock import acquire


def drain(path: Path) -> None:
    """Loads and analyses everything in `PATH.journal`, then removes it. Harmless when there is nothing.

    Raises `Refusal` when a running collector has the database.
    """
    root = path.with_name(f"{path.name}.journal")
    if not JournalReader(root).segment_ids():
        return
    lock = acquire(path)
    try:
        open_sound(path, lambda con: _load(con, root))
        loaded.forget(root)
        with contextlib.suppress(OSError):  # quarantine stays
            root.rmdir()
    finally:
        lock.release()


def _load(con: duckdb.DuckDBPyConnection, root: Path) -> None:
    join_lake(con)
    loader = Loader(con, root)
    while loader.step():
        pass
    analyse(con)
    loader.checkpoint()
    con.close()
