"""Moves traces between a database and its lake, each step whole or not at all. Decides nothing of when.

No transaction spans two databases. So a seal is noted in the file first (`sealing`), written into the lake in one
transaction with a row of its own (`sealed`), and cleared from the file in one transaction with the note. Whoever finds
the note asks the lake whether the seal is there, and then clears or forgets it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from bindtrace.queries import sql_files
from bindtrace.queries.lake.loss import NEWEST, newest_seal
from bindtrace.queries.lake.place import collector_of, is_attached
from bindtrace.queries.lake.settings import give
from bindtrace.queries.transaction import transaction
from bindtrace.queries.unsigned import unsigned

Connection = duckdb.DuckDBPyConnection
Seal = uuid.UUID


@dataclass(frozen=True, slots=True)
class Moved:
    """What one seal took out of the file, in rows; `seal` is null's where there was none to take."""

    spans: int
    traces: int


NOTHING = Moved(0, 0)


def due(con: Connection, before: int, waited: int, most_spans: int) -> int | None:
    """Up to which load the next seal goes: see `plan/due.sql`."""
    row = con.execute(
        sql_files.folder("lake/plan")["due"].text,
        unsigned({"before": before, "waited": waited, "most_spans": most_spans}),
    ).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def seal(
    con: Connection, upto: int, now_unix_nano: int, before_clearing: Callable[[], None] = lambda: None
) -> Moved:
    """Moves the traces that had no load after `upto`. Nobody else may change them meanwhile, but by new loads.

    `before_clearing` makes sure that what the lake wrote is on the disk. Raises `duckdb.Error`: then `reconcile` tells
    what became of it.
    """
    name = uuid.uuid4()
    with transaction(con):
        con.execute("delete from bindtrace.main.sealing")
        con.execute("insert into bindtrace.main.sealing values (?, ?)", [name, upto])
    _run(con, "plan", "closing", {"upto": upto})
    with transaction(con):
        _write(
            con,
            {"seal": name, "collector": collector_of(con), "upto": upto, "sealed_unix_nano": now_unix_nano},
        )
    before_clearing()
    return _clear(con, name, upto, now_unix_nano)


def newest_load(con: Connection) -> int:
    """Of the spans in the file; 0 where there are none."""
    (newest,) = con.execute("select coalesce(max(load_id), 0) from bindtrace.main.spans").fetchone() or (0,)
    return int(newest)


def reconcile(con: Connection, newest: int | None = None) -> Moved:
    """Ends what a crash or an error left: clears what the lake has, forgets what it has not. Raises `duckdb.Error`.

    `newest` is the load that the file had when it was opened, where there may be later ones, which the lake has not.
    """
    row = con.execute("select seal, upto_load_id from bindtrace.main.sealing").fetchone()
    if row is None:
        return _catch_up(con, newest_load(con) if newest is None else newest)
    name, upto = row
    found = con.execute("select sealed_unix_nano from lake.main.sealed where seal = ?", [name]).fetchone()
    if found is None:
        con.execute("delete from bindtrace.main.sealing")
        return NOTHING
    _run(con, "plan", "closing", {"upto": upto})
    return _clear(con, name, upto, int(found[0]))


def _catch_up(con: Connection, upto: int) -> Moved:
    """A file older than its lake, restored or back at its last checkpoint, still has what was sealed since."""
    known = newest_seal(con)
    values = {"collector": collector_of(con), "known": known}
    (newest,) = con.execute(
        "select coalesce(max(sealed_unix_nano), 0) from lake.main.sealed where collector = $collector",
        {"collector": values["collector"]},
    ).fetchone() or (0,)
    if newest <= known:
        return NOTHING
    _run(con, "plan", "behind", values)
    return _clear(con, None, upto, int(newest))


def recall(con: Connection, after: int, upto: int) -> int:
    """Takes back the sealed traces that the spans of these loads belong to, within the caller's transaction.

    They come as of load `after`, before their late spans. Returns how many traces.
    """
    values = {"after": after, "upto": upto, "forgotten": _noted(con, _FORGOTTEN)}
    _run(con, "plan", "late", values)
    if values["forgotten"]:
        _run(con, "plan", "long_gone", values)
    (traces,) = con.execute("select count(*) from late").fetchone() or (0,)
    if traces:
        for step in sql_files.ordered("lake/recall"):
            _run(con, "recall", step.name, {"load": max(1, after)})
    return int(traces)


def moved_spans(con: Connection) -> int:
    """How many spans of this collector are in its lake and not in its file; 0 without a lake."""
    if not is_attached(con):
        return 0
    row = con.execute(
        sql_files.folder("lake/plan")["moved"].text, {"collector": collector_of(con)}
    ).fetchone()
    return int(row[0]) if row else 0


def forget(con: Connection, before_unix_nano: int) -> None:
    """Forgets which traces were sealed before this moment, and what would have linked them."""
    values = [before_unix_nano]
    old = "(select trace_id from bindtrace.main.sealed_traces where sealed_unix_nano < ?)"
    if not con.execute(f"select 1 where exists {old}", values).fetchone():
        return
    with transaction(con):
        con.execute(f"delete from bindtrace.main.trace_links where trace_id in {old}", values)
        con.execute("delete from bindtrace.main.sealed_traces where sealed_unix_nano < ?", values)
        _note(con, _FORGOTTEN, before_unix_nano)


_FORGOTTEN: Final = "forgotten_unix_nano"
"""Of `meta`: until when seals are forgotten."""


def _noted(con: Connection, key: str) -> int:
    row = con.execute("select value from bindtrace.main.meta where key = ?", [key]).fetchone()
    return int(row[0]) if row else 0


def _note(con: Connection, key: str, unix_nano: int) -> None:
    con.execute("delete from bindtrace.main.meta where key = ?", [key])
    con.execute("insert into bindtrace.main.meta values (?, ?)", [key, str(unix_nano)])


def _write(con: Connection, values: Mapping[str, Any]) -> None:
    replaced = 0
    again = con.execute("select 1 from closing where again limit 1").fetchone() is not None
    for step in sql_files.ordered("lake/write"):
        if step.name.startswith("void_") and not again:
            continue
        gone = _run(con, "write", step.name, {**values, "replaced_spans": replaced})
        if step.name == "void_spans":
            replaced = gone
    give(con)


def _clear(con: Connection, name: Seal | None, upto: int, sealed_unix_nano: int) -> Moved:
    """Takes the traces of `closing` out of the file; of one seal just as many spans as the lake has of it."""
    with transaction(con):
        gone = {
            step.name: _run(con, "clear", step.name, {"upto": upto, "sealed_unix_nano": sealed_unix_nano})
            for step in sql_files.ordered("lake/clear")
        }
        # a clock that was set back makes no file older than its lake
        _note(con, NEWEST, max(sealed_unix_nano, newest_seal(con)))
        if name is not None:
            row = con.execute("select spans from lake.main.sealed where seal = ?", [name]).fetchone()
            if row is None or row[0] != gone["spans"]:
                raise RuntimeError(f"seal {name}: the lake has {row}, the file had {gone['spans']} spans")
    return Moved(gone["spans"], gone["traces"])


def _run(con: Connection, folder: str, name: str, values: Mapping[str, Any]) -> int:
    """Rows that the statement changed."""
    file = sql_files.folder(f"lake/{folder}")[name]
    row = con.execute(file.text, unsigned({key: values[key] for key in file.parameters})).fetchone()
    return int(row[0]) if row and isinstance(row[0], int) else 0
