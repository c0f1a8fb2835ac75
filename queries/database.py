"""Opens bindtrace's DuckDB files and owns every connection; never decides what is asked of them."""

from __future__ import annotations

import hashlib
import shutil
from functools import cache
from pathlib import Path
from typing import Final

import duckdb

from bindtrace.propagation.errors import Refusal
from bindtrace.queries import sql_files
from bindtrace.queries.lake import naming, place
from bindtrace.queries.lake.refusals import LakeAwayError
from bindtrace.queries.lake.sealing import reconcile
from bindtrace.queries.lake.settings import take
from bindtrace.queries.lock import held_by, holder

BLOCK_SIZE = 65536
"""Of new files. A zstd column has blocks of its own in each row group: 122.8 B/span, 138.6 with the default 262144."""

ALIAS = "bindtrace"
"""The attached catalog. Files are attached, not opened, because only ATTACH takes a row group size."""

_TYPE = "type duckdb"
"""Said always: left to guess, DuckDB 1.5.5 takes a JSON, CSV or Parquet file for a database in memory, which forgets
what is stored in it, and asks the network for extensions where a file is of SQLite or a path looks like an address."""

SCHEMA_VERSION = "2"
STORAGE_VERSION = "v1.5.0"  # the first that honours `using compression zstd`; older ones ignore it silently
ROW_GROUP_SIZE = 40960
"""Of new files. 118.8 B/span, 122.0 with 30720, at equal CPU. A load that fills row groups to the end is written past
the log; a small rest behind a full one is written twice (`store/loader.py`, GROUP_SPANS)."""


def open_database(path: Path | None) -> duckdb.DuckDBPyConnection:
    """Opens or creates a database and its tables; `None` is a database in memory.

    Further connections come from `cursor`. Raises `Refusal` when the file is held by another process, is
    not a DuckDB file, or was written by a newer bindtrace or an unreleased one.
    """
    con = _attach(path, read_only=False)
    if path is not None:
        _check_version(con, path)
    for statement in sql_files.ordered("schema"):
        con.execute(statement.text)
    if not _has_digest(con):
        con.execute("delete from meta where key = $1", [_DIGEST])
        con.execute("insert into meta values ($1, $2)", [_DIGEST, _schema_digest()])
    if not con.execute("select 1 from meta where key = 'schema_version'").fetchall():
        con.executemany(
            "insert into meta values (?, ?)",
            [
                ("schema_version", SCHEMA_VERSION),
                ("storage_version", STORAGE_VERSION),
                ("duckdb_version", duckdb.__version__),
            ],
        )
    return con


def join_lake(con: duckdb.DuckDBPyConnection, lake: naming.Lake | None = None) -> bool:
    """Attaches the lake that this database is sealed into, to be written, and ends what a crash left half done.

    `lake` is where it is, where that is not known yet. False where there is none. Raises `LakeRefusal`, and
    `LakeAwayError` where it is known and cannot be opened now.
    """
    if not attach_lake(con, lake):
        return False
    with place.needing_lake(con):
        reconcile(con)
    return True


def attach_lake(con: duckdb.DuckDBPyConnection, lake: naming.Lake | None = None) -> bool:
    """As `join_lake`, and ends nothing: until `reconcile`, which of its traces the lake has may be unknown."""
    known = place.lake_of(con)
    if lake is not None and known not in (None, lake):
        raise naming.LakeRefusal(
            f"this database is sealed into {known.catalog}, and --lake names another",
            fix="leave --lake out, or begin another database",
        )
    wanted = lake or known
    if wanted is None:
        return False
    try:
        place.attach(con, wanted)
    except LakeAwayError as error:
        if known is None:
            raise naming.LakeRefusal(error.message, fix=error.fix) from None
        raise
    if known is None:
        place.remember(con, wanted)
    return True


def open_lake(catalog: str) -> duckdb.DuckDBPyConnection:
    """A lake alone, without any collector's file, to be read. Raises `LakeRefusal`."""
    lake = naming.lake_to_read(catalog)
    con = open_database(None)
    try:
        with place.needing_lake(con, catalog):  # its catalog may answer where its files do not
            place.attach(con, lake, read_only=True)
            take(con)
    except BaseException:
        con.close()
        raise
    place.read_both(con)
    return con


def open_read_only(path: Path, *, alone: bool = False) -> duckdb.DuckDBPyConnection:
    """Opens a stopped collector's file for a person's own SQL: no writing, no other file but its lake's, no network.

    `alone` leaves the lake out. Order of the lock-down as measured: attach, then close access, then lock.
    Raises `Refusal`.
    """
    if not path.exists():
        raise Refusal(f"no database at {path}", fix="name one with --db, or start `bindtrace serve`")
    con = _attach(path, read_only=True)
    _check_version(con, path)
    if not alone and (lake := place.lake_of(con)):
        place.attach(con, lake, read_only=True)
        place.read_both(con)
        con.execute("set allowed_directories = [$1]", [lake.data])
    con.execute("set enable_external_access = false")
    con.execute("set lock_configuration = true")
    return con


def version_of(path: Path) -> str:
    """The schema version of a file of ours. Raises `Refusal` where it is none."""
    if not path.exists():
        raise Refusal(f"no database at {path}", fix="name one with --db")
    con = _attach(path, read_only=True)
    try:
        found = con.execute("select value from meta where key = 'schema_version'").fetchone()
    except duckdb.CatalogException:
        found = None
    finally:
        con.close()
    if found is None:
        raise Refusal(f"{path} is a DuckDB file, but not bindtrace's", fix="name another file with --db")
    return str(found[0])


def attached_as(con: duckdb.DuckDBPyConnection, path: Path, name: str) -> None:
    """Attaches another file of ours beside the connection's own, to be read."""
    target = str(path).replace(chr(39), chr(39) * 2)
    con.execute(f"attach '{target}' as {name} ({_TYPE}, read_only)")


def cursor(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A second connection to the same database, for another thread; DuckDB forgets `use` in a bare cursor."""
    twin = con.cursor()
    twin.execute(f"use {ALIAS}")
    return twin


def reader(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A connection for questions: what it calls `spans` and `hops` are those of the lake, too, where there is one."""
    twin = cursor(con)
    place.read_both(twin)
    return twin


def bound_memory(con: duckdb.DuckDBPyConnection, path: Path, memory_bytes: int) -> None:
    """What DuckDB may hold in memory; beyond, it writes to `PATH.tmp`, of which nothing is left of an earlier life."""
    spill = path.with_name(f"{path.name}.tmp")
    shutil.rmtree(spill, ignore_errors=True)
    con.execute(f"set memory_limit = '{memory_bytes} B'")
    con.execute(f"set temp_directory = '{str(spill).replace(chr(39), chr(39) * 2)}'")


def _attach(path: Path | None, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(":memory:")
    target = ":memory:" if path is None else str(path)
    options = [_TYPE, *(["read_only"] if read_only else [] if path is None else [_storage(path)])]
    try:
        con.execute(f"attach '{target.replace(chr(39), chr(39) * 2)}' as {ALIAS} ({', '.join(options)})")
    except duckdb.Error as error:
        con.close()
        raise _refusal(path, error) from None
    con.execute(f"use {ALIAS}")
    con.execute("set preserve_insertion_order = true")
    con.execute("set enable_progress_bar = false")  # it would draw into whatever the command prints
    return con


def _storage(path: Path) -> str:
    options = f"storage_version '{STORAGE_VERSION}', row_group_size {ROW_GROUP_SIZE}"
    # A file keeps the block size that it was made with; naming another is an error.
    return options if path.exists() else f"{options}, block_size {BLOCK_SIZE}"


def _refusal(path: Path | None, error: duckdb.Error) -> Refusal:
    text = str(error).splitlines()[0]
    if "set lock on file" in text or "conflicting lock" in text.lower():
        if path is not None and (held := holder(path)):
            return held_by(path, held)
        return Refusal(f"{path} is held by another process: {text}", fix="stop that process")
    if "not a valid DuckDB" in text or "magic bytes" in text:
        return Refusal(f"{path} is not a DuckDB file", fix="name the file that `bindtrace serve --db` wrote")
    if "Corrupt database" in text or "Could not read enough bytes" in text:
        return Refusal(
            f"{path} is damaged: {text}",
            fix="`bindtrace restore` a backup, or `bindtrace serve` on it: that sets it aside and begins anew",
        )
    return Refusal(f"cannot open {path}: {text}", fix="check the path and its permissions")


def _check_version(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Raises `Refusal`, with the file let go."""
    try:
        _refuse_other_versions(con, path)
    except Refusal:
        con.close()
        raise


def _refuse_other_versions(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    tables = {row[0] for row in con.execute("select table_name from duckdb_tables()").fetchall()}
    if not tables:
        return
    if "meta" not in tables:
        raise Refusal(f"{path} is a DuckDB file, but not bindtrace's", fix="name another file with --db")
    found = con.execute("select value from meta where key = 'schema_version'").fetchone()
    if found and found[0] != SCHEMA_VERSION:
        raise Refusal(
            f"{path} has schema version {found[0]}, this bindtrace reads {SCHEMA_VERSION}",
            fix="use the version of bindtrace that wrote it, or `bindtrace migrate` an older one",
        )
    if _has_digest(con):
        return
    # a table that is not there will be made
    if lacking := [".".join(each) for each in sorted(_columns() - _columns_of(con)) if each[0] in tables]:
        raise Refusal(
            f"{path} is of an unreleased bindtrace: it lacks {', '.join(lacking[:3])}",
            fix="`bindtrace export` it with the bindtrace that wrote it, and `bindtrace import` that into another file",
        )


_DIGEST: Final = "schema_digest"


@cache
def _schema_digest() -> str:
    """A file made by this very schema need not be looked at column by column."""
    texts = "\n".join(statement.text for statement in sql_files.ordered("schema"))
    return hashlib.sha256(texts.encode()).hexdigest()


def _has_digest(con: duckdb.DuckDBPyConnection) -> bool:
    stored = con.execute("select value from meta where key = $1", [_DIGEST]).fetchone()
    return stored == (_schema_digest(),)


@cache
def _columns() -> frozenset[tuple[str, str]]:
    """Of every table, as this bindtrace makes it."""
    con = open_database(None)
    try:
        return _columns_of(con)
    finally:
        con.close()


def _columns_of(con: duckdb.DuckDBPyConnection) -> frozenset[tuple[str, str]]:
    found = con.execute(
        "select table_name, column_name from duckdb_columns() "
        "where table_name in (select table_name from duckdb_tables())"
    ).fetchall()
    return frozenset((table, column) for table, column in found)
