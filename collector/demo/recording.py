"""The demo's spans as OTLP JSON lines, which `bindtrace check` and others read. Never changes the database."""

from __future__ import annotations

from pathlib import Path

from bindtrace.collector.moving.exporting import write_otlp
from bindtrace.queries.database import open_database
from bindtrace.queries.query import FOREVER
from bindtrace.queries.source import ready_file


def write_recording(db: Path, file: Path, since_unix_nano: int) -> int:
    """Writes the spans that began at or after `since_unix_nano`; returns how many.

    The database's collector must have stopped. Raises `Refusal` where the file cannot be written.
    """
    ready_file(db)
    con = open_database(db)
    try:
        return write_otlp(con, file, since_unix_nano, FOREVER)
    finally:
        con.close()
