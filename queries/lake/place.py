"""Attaching a lake beside a database, which remembers it. Knows no telemetry; the lake's tables are `tables/*.sql`."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final
from uuid import uuid4

import duckdb

from bindtrace.propagation import environment
from bindtrace.queries import sql_files
from bindtrace.queries.file_kind import HEAD_BYTES, is_duckdb
from bindtrace.queries.lake import loss, object_store
from bindtrace.queries.lake.extensions import load_extension, quoted
from bindtrace.queries.lake.naming import PREFIX, Lake, LakeRefusal, is_object_store
from bindtrace.queries.lake.refusals import LakeAwayError, is_of_lake, refused

NAME: Final = "lake"
"""The attached catalog."""

META_KEY: Final = "lake"
_TWINS: Final = ("identities", "linked_traces")
"""Views of the schema that readers have of both, by the same text."""
_BOTH: Final = "set search_path = 'memory.main,bindtrace.main'"
_OPTIONS: Final = {
    "parquet_compression": "zstd",
    # 57.1 B/span for 5.9 us of writing; with 3, the default, 60.0 for 2.7; with 15, 55.4 for 27.5
    "parquet_compression_level": "9",
    # delta encodings of ids and times: 85.5 B/span against 88.0
    "parquet_version": "2",
    # a trace is looked up by reading one row group, and what writes one holds it in memory
    "parquet_row_group_size": "40960",
    "target_file_size": "128MB",
}
"""Of new lakes; DuckLake keeps them in its catalog."""
_SHARED_OPTIONS: Final = {"data_inlining_row_limit": "0"}
"""Of those that several collectors may write: few rows go into a file, too. Of deletions that DuckLake notes in the
catalog instead, 1.5.5 loses some where two processes flush them at once (of three collectors: a span was twice)."""

_BEGUN_BY_OTHERS: Final = re.compile(
    "duplicate key value|already exists|conflict|could not serialize|concurrent|deadlock", re.IGNORECASE
)
CONNECT_S: Final = 10
_TRIES: Final = 20
_PAUSE_S: Final = 0.3


def lake_of(con: duckdb.DuckDBPyConnection) -> Lake | None:
    """The lake that this database's rows are sealed into; None where they are not."""
    row = con.execute("select value from bindtrace.main.meta where key = ?", [META_KEY]).fetchone()
    return Lake(**json.loads(row[0])) if row else None


def collector_of(con: duckdb.DuckDBPyConnection) -> str:
    """The name of this database among those that share a lake; it gets one when it is first asked."""
    row = con.execute("select value from bindtrace.main.meta where key = 'collector'").fetchone()
    if row is None:
        name = uuid4().hex
        con.execute("insert into bindtrace.main.meta values ('collector', ?)", [name])
        return name
    return str(row[0])


def remember(con: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Writes the lake's place into the database, for all who open it later."""
    con.execute("delete from bindtrace.main.meta where key = ?", [META_KEY])
    con.execute("insert into bindtrace.main.meta values (?, ?)", [META_KEY, json.dumps(asdict(lake))])
    collector_of(con)


def attach(con: duckdb.DuckDBPyConnection, lake: Lake, *, read_only: bool = False) -> None:
    """Attaches it as `lake`, and adds what it lacks; makes it where nothing was sealed yet. Raises `LakeRefusal`."""
    newest = loss.newest_seal(con)
    loss.check_place(lake, newest)
    _refuse_other_files(lake)
    load_extension(con, "ducklake")
    if lake.kind() == "postgres":
        load_extension(con, "postgres_scanner")
    if not read_only:
        _make_folders(lake)
    of_new = _OPTIONS if lake.kind() == "duckdb" else _OPTIONS | _SHARED_OPTIONS
    options = ["read_only"] if read_only else [f"data_path {quoted(lake.data)}"]
    if newest:
        options.append("create_if_not_exists false")
    try:
        if is_object_store(lake.data):
            object_store.admit(con, lake.data)
        _attach(con, lake, options, {} if read_only else of_new)
        if not lake.data and is_object_store(data := data_path(con)):
            object_store.admit(con, data)
        loss.check_seals(con, lake)
        loss.check_files(con, lake)
        _join_views(con)
    except loss.LakeLostError:
        con.execute(f"detach {NAME}")
        raise
    except duckdb.Error as error:
        con.execute(f"detach database if exists {NAME}")
        if newest and loss.NOT_THERE in str(error):
            raise loss.lost(lake, newest) from None
        raise refused(lake.catalog, str(error)) from None


def _attach(
    con: duckdb.DuckDBPyConnection, lake: Lake, options: Sequence[str], of_new: Mapping[str, str]
) -> None:
    """Raises `duckdb.Error`. Collectors that start together make it together, and all but one of them fail at first."""
    for tries_left in reversed(range(_TRIES)):
        try:
            con.execute(f"attach {quoted(_bounded(lake))} as {NAME} ({', '.join(options)})")
            if of_new:
                _prepare(con, of_new)
            return
        except duckdb.Error as error:
            con.execute(f"detach database if exists {NAME}")
            text = str(error)
            if "'httpfs'" in text and tries_left:  # only its catalog knew where its data are
                object_store.load(con)
                continue
            if not tries_left or not of_new or not _BEGUN_BY_OTHERS.search(text):
                raise
            time.sleep(random.uniform(0, _PAUSE_S))  # noqa: S311  nobody guesses it


def move(con: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Tells a catalog that is a file, and that was copied, where its data are now. Raises `duckdb.Error`."""
    con.execute(f"attach {quoted(lake.catalog.removeprefix(PREFIX))} as moved (type duckdb)")
    con.execute(
        "update moved.main.ducklake_metadata set value = ? where key = 'data_path'",
        [f"{lake.data.rstrip('/')}/"],
    )
    con.execute("detach moved")


def _bounded(lake: Lake) -> str:
    """The catalog's address, with a bound on how long it is tried: libpq has none, and who starts must not hang."""
    if lake.kind() != "postgres" or "://" in lake.catalog or environment.read("PGCONNECT_TIMEOUT"):
        return lake.catalog
    return (
        lake.catalog if "connect_timeout" in lake.catalog else f"{lake.catalog} connect_timeout={CONNECT_S}"
    )


def data_path(con: duckdb.DuckDBPyConnection) -> str:
    """Where the attached lake's files are, as its catalog says."""
    row = con.execute(
        f"select value from __ducklake_metadata_{NAME}.ducklake_metadata where key = 'data_path'"
    ).fetchone()
    return str(row[0]) if row else ""


def _join_views(con: duckdb.DuckDBPyConnection) -> None:
    for view in sql_files.ordered("lake/views"):
        con.execute(view.text)
    twin = con.cursor()
    twin.execute(_BOTH)  # what it reads of the file in the file's own schema, it reads here of both
    for name in _TWINS:
        twin.execute(sql_files.folder("schema")[name].text)
    twin.close()


def read_both(con: duckdb.DuckDBPyConnection) -> None:
    """From now on this connection's unqualified names mean the views that join file and lake, where one is attached."""
    if is_attached(con):
        con.execute(_BOTH)


def is_attached(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether this connection's database has its lake beside it."""
    return bool(con.execute("select 1 from duckdb_databases() where database_name = ?", [NAME]).fetchone())


@contextmanager
def needing_lake(con: duckdb.DuckDBPyConnection, catalog: str | None = None) -> Iterator[None]:
    """Raises `LakeAwayError` for what fails as files or catalog of the database's lake are gone or out of reach.

    `catalog`: of a lake that is read without a database; whatever fails is its fault then.
    """
    try:
        yield
    except duckdb.OperationalError as error:
        if catalog is None:
            if not is_of_lake(error) or (lake := lake_of(con)) is None:
                raise
            catalog = lake.catalog
        raise refused(catalog, str(error)) from None


def _prepare(con: duckdb.DuckDBPyConnection, of_new: Mapping[str, str]) -> None:
    text = "select table_name from duckdb_tables() where database_name = ?"
    known = {row[0] for row in con.execute(text, [NAME]).fetchall()}
    if not known:
        for option, value in of_new.items():
            con.execute(f"call {NAME}.set_option('{option}', '{value}')")
    for table in sql_files.ordered("lake/tables"):
        if table.name not in known:
            con.execute(table.text)
        else:
            _add_columns(con, table.name)


def _add_columns(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """A column that this version's tables have and the lake's does not."""
    text = f"select column_name, data_type from duckdb_columns() where database_name = ? and table_name = '{table}'"
    there = dict(con.execute(text, [NAME]).fetchall())
    for name, kind in con.execute(text, ["bindtrace"]).fetchall():
        if name not in there and name != "load_id":
            con.execute(f'alter table {NAME}.main.{table} add column "{name}" {kind}')


def _refuse_other_files(lake: Lake) -> None:
    """Raises `LakeAwayError` for a catalog that is no file of DuckDB, or cannot be read.

    DuckLake does not ask what a file is: DuckDB would take JSON for a catalog in memory, and look in the network for
    what reads SQLite's. A file without any content is let pass: a first start was killed there.
    """
    path = Path(lake.catalog.removeprefix(PREFIX))
    if lake.kind() != "duckdb" or not path.is_file():
        return
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise LakeAwayError(
            f"cannot open the lake {lake.catalog}: {error.strerror}",
            fix="let this user read and write that file",
        ) from None
    if head and not is_duckdb(head):
        raise LakeAwayError(
            f"cannot open the lake {lake.catalog}: that file is not the catalog of one",
            fix="name its catalog, as PATH.lake/catalog.ducklake, or put it back from a backup",
        )


def _make_folders(lake: Lake) -> None:
    wanted = [Path(lake.data)] if "://" not in lake.data else []
    if lake.kind() == "duckdb":
        wanted.append(Path(lake.catalog.removeprefix(PREFIX)).parent)
    for folder in wanted:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise LakeRefusal(
                f"cannot make {folder}: {error.strerror}", fix="name a place that can be written"
            ) from None
