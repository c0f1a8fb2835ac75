"""An older schema into the current one: a new file is made and verified beside the old, which is kept.

Telemetry and its accounting are carried over; hops are computed anew; what manifests declare is read from them again,
because tables of policies are what changes between versions.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import duckdb

from bindtrace.propagation.errors import Refusal
from bindtrace.queries.analyse import analyse
from bindtrace.queries.database import ALIAS, SCHEMA_VERSION, attached_as, open_database, version_of
from bindtrace.queries.lock import acquire, held_by, holder

OnStep = Callable[[str], None]

CARRIED: Final = (
    "resources", "instrumentation_scopes", "spans", "requests", "journal_positions", "senders", "trace_links",
)  # fmt: skip
"""Tables that every version has had; columns that one has not are null."""
_OLD: Final = "older"


def migrate(db: Path, on_step: OnStep = lambda _: None) -> tuple[str, Path] | None:
    """Brings a file to the current schema; returns the version it had and where the old file is kept.

    `None` where it is current already. Raises `Refusal` where it is held, is not ours, or is newer.
    """
    if held := holder(db):
        raise held_by(db, held)
    found = version_of(db)
    if found == SCHEMA_VERSION:
        return None
    if not found.isdigit() or int(found) > int(SCHEMA_VERSION):
        raise Refusal(
            f"{db} has schema version {found}, this bindtrace knows up to {SCHEMA_VERSION}",
            fix="use the version of bindtrace that wrote it",
        )
    kept = db.with_name(f"{db.name}.v{found}")
    if kept.exists():
        raise Refusal(f"{kept} is there already", fix="move it away: it is where the old file will be kept")
    partly = db.with_name(f"{db.name}.partly")
    partly.unlink(missing_ok=True)
    lock = acquire(db)
    try:
        con = open_database(partly)
        try:
            _carry(con, db, on_step)
            on_step("computing the hops")
            analyse(con)
            con.execute("checkpoint")
        except BaseException:
            con.close()
            partly.unlink(missing_ok=True)
            raise
        con.close()
        db.rename(kept)
        partly.rename(db)
    finally:
        lock.release()
    return found, kept


def _carry(con: duckdb.DuckDBPyConnection, db: Path, on_step: OnStep) -> None:
    attached_as(con, db, _OLD)
    for table in CARRIED:
        on_step(f"carrying {table}")
        columns = ", ".join(
            name
            for (name,) in con.execute(
                """
                select new.column_name
                from duckdb_columns() as new
                join duckdb_columns() as old using (table_name, column_name)
                where new.table_name = ? and new.database_name = ? and old.database_name = ?
                order by new.column_index
                """,
                [table, ALIAS, _OLD],
            ).fetchall()
        )
        con.execute(f"insert into {table} by name select {columns} from {_OLD}.main.{table} order by rowid")
        (before,) = con.execute(f"select count(*) from {_OLD}.main.{table}").fetchone() or (0,)
        (after,) = con.execute(f"select count(*) from {table}").fetchone() or (0,)
        if before != after:
            raise Refusal(
                f"{table}: {before} rows became {after}", fix="the old file is untouched; report this"
            )
    con.execute(f"detach {_OLD}")
