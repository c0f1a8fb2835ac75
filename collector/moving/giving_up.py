"""Gives up the lake of a stopped collector's database. Its journal waits for the next start."""

from __future__ import annotations

from pathlib import Path

import duckdb

from bindtrace.propagation.errors import Refusal
from bindtrace.queries.database import attach_lake, open_database
from bindtrace.queries.lake import loss
from bindtrace.queries.lake.naming import Lake
from bindtrace.queries.lake.place import lake_of
from bindtrace.queries.lake.refusals import LakeAwayError
from bindtrace.queries.lock import acquire


def give_up(db: Path, *, whatever: bool = False) -> tuple[str, int]:
    """The catalog of the lake that is given up, and until when it was sealed into, Unix nanoseconds. Raises `Refusal`.

    A lake that is there, or that does not answer and so may be there still, is given up only if `whatever`.
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
            if not whatever:
                _check_lost(con, lake)
            until = loss.forget(con)
            con.execute("checkpoint")
            return lake.catalog, until
        finally:
            con.close()
    finally:
        lock.release()


def _check_lost(con: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    try:
        attach_lake(con)
    except loss.LakeLostError:
        return
    except LakeAwayError as away:
        raise Refusal(away.message, fix=f"{away.fix}; --force gives up what does not answer") from None
    raise Refusal(
        f"the lake {lake.catalog} is there: nothing is lost",
        fix="go on with it; --force gives it up all the same",
    )
