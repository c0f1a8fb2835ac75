"""What a lake needs besides telemetry to be read alone: manifests and settings, as the last collector had them."""

from __future__ import annotations

import json
from typing import Final

import duckdb

from bindtrace.queries.lake.place import NAME

Connection = duckdb.DuckDBPyConnection

TABLES: Final = (
    "manifests", "grant_revisions", "default_revisions", "policy_revisions", "exposure_revisions", "service_revisions",
    "hosts", "address_ranges", "probes", "service_matches", "exceptions",
)  # fmt: skip
_SCOPE: Final = "scope"
"""Of `meta`: whose services those are that name no scope."""


def give(con: Connection) -> None:
    """Writes them into the lake where they differ from what it has; within the caller's transaction."""
    ours = {table: _rows(con, table) for table in TABLES} | {_SCOPE: _scope(con)}
    theirs = dict(con.execute(f'select "table", rows from {NAME}.main.settings').fetchall())
    if ours == theirs:
        return
    con.execute(f"delete from {NAME}.main.settings")
    con.executemany(f"insert into {NAME}.main.settings values (?, ?)", list(ours.items()))


def take(con: Connection) -> None:
    """Fills an empty database with them, and with the names of those that sealed spans tell of."""
    for table, rows in con.execute(f'select "table", rows from {NAME}.main.settings').fetchall():
        if table in TABLES:
            kinds = json.dumps([dict(_columns(con, table))])
            con.execute(
                f"insert into bindtrace.main.{table} by name select unnest(from_json($1::json, $2), max_depth => 2)",
                [rows, kinds],
            )
        elif table == _SCOPE and rows:
            con.execute("insert into bindtrace.main.meta values ('scope', ?)", [rows])
    con.execute(
        f"insert into bindtrace.main.resources by name select *, 0 as load_id from {NAME}.main.resources"
    )
    con.execute(
        "insert into bindtrace.main.instrumentation_scopes by name "
        f"select * from {NAME}.main.instrumentation_scopes"
    )


def _rows(con: Connection, table: str) -> str:
    row = con.execute(
        f"select coalesce(to_json(list(one order by one)), '[]')::varchar from bindtrace.main.{table} as one"
    ).fetchone()
    return str(row[0]) if row else "[]"


def _scope(con: Connection) -> str:
    row = con.execute("select value from bindtrace.main.meta where key = 'scope'").fetchone()
    return str(row[0]) if row else ""


def _columns(con: Connection, table: str) -> list[tuple[str, str]]:
    return con.execute(
        "select column_name, data_type from duckdb_columns() "
        "where database_name = 'bindtrace' and table_name = ? order by column_index",
        [table],
    ).fetchall()
