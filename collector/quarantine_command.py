"""`bindtrace quarantine`: what could not be stored, with the window that may be lost, and trying it again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from bindtrace.collector.journal.quarantine import Quarantine
from bindtrace.collector.store.divide import write_divided
from bindtrace.collector.store.faults import folder_of, recorded
from bindtrace.collector.store.opening import journal_of
from bindtrace.collector.store.writer import Writer
from bindtrace.collector.storing import held_database
from bindtrace.propagation.options import NamedPath, format_option
from bindtrace.propagation.wording import counted
from bindtrace.queries import render
from bindtrace.queries.analyse import analyse
from bindtrace.queries.options import TABLE_FORMATS
from bindtrace.queries.source import DEFAULT_DB, db_option, is_there, no_database

KEYS: Final = (
    "what", "reason", "segment", "start", "end", "bytes", "spans", "sender", "found", "lost_from", "lost_until",
    "file",
)  # fmt: skip
Row = dict[str, Any]

_db = click.option(
    "--db", type=NamedPath(dir_okay=False), default=DEFAULT_DB, envvar="BINDTRACE_DB",
    show_default=True, help="The database; its quarantine stands beside it.",
)  # fmt: skip


@click.group()
def quarantine() -> None:
    """What could not be stored: damage and refused requests."""


@quarantine.command("list", short_help="Every entry with its reason, and what may be lost.")
@_db
@format_option(TABLE_FORMATS)
def list_entries(db: Path, form: str) -> None:
    """Every entry with its reason, its place in the journal, and what may be lost. A collector may be running."""
    rows = [*map(_request_row, Quarantine(journal_of(db)).entries()), *_databases(db)]
    if not rows and not is_there(db):
        raise no_database(db)
    render.emit("quarantine", rows, form, KEYS)
    if not rows:
        render.say(f"nothing is in quarantine for {db}")
    elif any(row["what"] != "database" for row in rows):
        render.say(f"`bindtrace quarantine retry {db_option(db)}` tries again what could not be stored")


@quarantine.command()
@_db
def retry(db: Path) -> None:
    """Store what can be stored now, as after an update. What is stored leaves the quarantine; the rest stays."""
    held = Quarantine(journal_of(db))
    entries = held.entries()
    if not (db.exists() if entries else is_there(db)):
        raise no_database(db)
    if not entries:
        render.say(f"nothing to try again is in quarantine for {db}")
        return
    stored = left = 0
    with held_database(db) as con:
        writer = Writer(con)
        for entry in entries:
            requests, whole = held.requests_of(entry)
            refused = 0
            if requests:
                written = write_divided(writer, requests, {}, lambda _: None)
                stored += written.spans
                refused = len(written.refused)
            if requests and whole and not refused:
                held.remove(entry)
            else:
                left += 1
        if stored:
            analyse(con)
    render.say(f"{counted(stored, 'span')} stored, {left:,} left in quarantine")
    if left:
        click.get_current_context().exit(1)


def _request_row(entry: Mapping[str, Any]) -> Row:
    return {
        "what": "request" if "digest" in entry else "damage",
        "reason": entry["reason"],
        "segment": entry["segment"],
        "start": entry["start"],
        "end": entry["end"],
        "bytes": entry["bytes"],
        "spans": entry.get("spans"),
        "sender": entry.get("sender"),
        "found": entry["found_unix_nano"],
        "lost_from": entry.get("lost_from_unix_nano") or None,
        "lost_until": entry.get("lost_until_unix_nano") or None,
        "file": entry["file"],
    }


def _databases(db: Path) -> list[Row]:
    """Damaged files that were moved; nothing is tried with them, they are for a person."""
    rows = []
    for entry in recorded(db, "set-aside"):
        folder = folder_of(db) / str(entry["folder"])
        sizes = [path.stat().st_size for path in folder.iterdir()] if folder.is_dir() else []
        rows.append(
            dict.fromkeys(KEYS)
            | {
                "what": "database",
                "reason": entry["reason"],
                "bytes": sum(sizes),
                "found": entry["time_unix_nano"],
                "lost_from": entry["lost_from_unix_nano"] or None,
                "lost_until": entry["lost_until_unix_nano"] or None,
                "file": str(folder),
            }
        )
    return rows
