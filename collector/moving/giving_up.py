"""Gives up the lake of a stopped collector's database, where it is gone. Its journal waits for the next start."""

from __future__ import annotations

from pathlib import Path

from bindtrace.propagation.errors import Refusal
from bindtrace.queries.database import attach_lake, open_database
from bindtrace.queries.lake import loss
from bindtrace.queries.lake.place import lake_of
from bindtrace.queries.lock import acquire


def give_up(db: Path) -> tuple[str, int]:
    """The catalog of the lake that is given up, and until when it was sealed into, Unix nanoseconds. Raises `Refusal`.

    A lake that does not answer may be there still, and is not given up.
    """
    if not db.exists():
        raise Refusal(f"no database at {db}", fix="name one with --db")
    lock = acquire(db)
    try:
        con = open_database(db)
        try:
            lake = lake_of(con)
            if lake is None:
                raise Refusal(f"{db} has no lake", fix="name another database with --db")
            try:
                attach_lake(con)
            except loss.LakeLostError:
                until = loss.forget(con)
                con.execute("checkpoint")
                return lake.catalog, until
            raise Refusal(f"the lake {lake.catalog} is there: nothing is lost", fix="go on with it")
        finally:
            con.close()
    finally:
        lock.release()
