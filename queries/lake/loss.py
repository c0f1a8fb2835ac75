"""A lake that lacks what a database sealed into it: told wherever it is asked, never taken for an empty one.

A database notes the newest of its seals, and each seal has a row in the lake that stays as long as the lake does. So a
lake without that row was deleted, or is an older copy. Only a person gives it up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import duckdb

from bindtrace.queries.cells import moment
from bindtrace.queries.lake.naming import PREFIX, Lake, is_object_store
from bindtrace.queries.lake.refusals import LakeAwayError
from bindtrace.queries.transaction import transaction

Connection = duckdb.DuckDBPyConnection
NEWEST: Final = "newest_seal_unix_nano"
LOST: Final = "lost_until_unix_nano"
"""Of `meta`: the newest seal that the file knows; of lakes that were given up, until when they were sealed into."""
NOT_THERE: Final = "creating a new DuckLake is explicitly disabled"
"""DuckLake's word for an empty catalog, where it may not make one."""
_NOT_FOUND: Final = 404
_OF_A_LAKE: Final = ("lake", NEWEST, "forgotten_unix_nano")
_FIX: Final = (
    "put it back, from a backup if need be; if it is lost for good, `bindtrace forget-lake` gives it up"
)


class LakeLostError(LakeAwayError):
    """It is not there, or is older than what is sealed into it."""


def newest_seal(con: Connection) -> int:
    """Of this database, Unix nanoseconds; 0 where it has sealed nothing."""
    row = con.execute("select value from bindtrace.main.meta where key = ?", [NEWEST]).fetchone()
    return int(row[0]) if row else 0


def lost(lake: Lake, newest_unix_nano: int) -> LakeLostError:
    """Of a lake that is not where it was."""
    return LakeLostError(
        f"the lake {lake.catalog} is gone, with what this database sealed until {moment(newest_unix_nano)} UTC",
        fix=_FIX,
    )


def check_place(lake: Lake, newest_unix_nano: int) -> None:
    """Raises `LakeLostError` where its catalog is a file that is not there, which attaching would make."""
    if newest_unix_nano and lake.kind() == "duckdb" and not Path(lake.catalog.removeprefix(PREFIX)).is_file():
        raise lost(lake, newest_unix_nano)


def check_files(con: Connection, lake: Lake) -> None:
    """Raises `LakeLostError` where the first of its files is not there: they were deleted, or are not mounted.

    Of object storage that is one request a table (HEAD). Raises `duckdb.Error` where it does not answer.
    """
    for table in ("spans", "hops"):
        for (file,) in con.execute(
            f"select data_file from ducklake_list_files('lake', '{table}') limit 1"
        ).fetchall():
            if not _is_there(con, file):
                raise LakeLostError(f"the lake {lake.catalog} lacks its files: no {file}", fix=_FIX)


def _is_there(con: Connection, file: str) -> bool:
    if not is_object_store(file):
        return Path(file).is_file()
    try:
        con.execute("select size from read_blob(?)", [file]).fetchall()
    except duckdb.HTTPException as error:
        if error.status_code != _NOT_FOUND:
            raise
        return False
    return True


def check_seals(con: Connection, lake: Lake) -> None:
    """Raises `LakeLostError` where the attached lake lacks the newest seal of this database."""
    newest = newest_seal(con)
    if not newest:
        return
    (found,) = con.execute(
        "select max(sealed_unix_nano) from lake.main.sealed "
        "where collector = (select value from bindtrace.main.meta where key = 'collector')"
    ).fetchone() or (None,)
    if found is None:
        raise lost(lake, newest)
    if found < newest:
        raise LakeLostError(
            f"the lake {lake.catalog} is an older copy: it ends {moment(found)} UTC, and this database sealed into it "
            f"until {moment(newest)} UTC",
            fix=_FIX,
        )


def forget(con: Connection) -> int:
    """Gives the lake up: the database has none now, and notes until when what it sealed is lost, which it returns."""
    newest = newest_seal(con)
    with transaction(con):
        con.execute(
            "delete from bindtrace.main.trace_links "
            "where trace_id in (select trace_id from bindtrace.main.sealed_traces)"
        )
        for table in ("sealing", "recalled", "sealed_traces"):
            con.execute(f"delete from bindtrace.main.{table}")
        con.execute("delete from bindtrace.main.meta where key in (select unnest($1))", [[*_OF_A_LAKE, LOST]])
        con.execute("insert into bindtrace.main.meta values (?, ?)", [LOST, str(newest)])
    return newest
