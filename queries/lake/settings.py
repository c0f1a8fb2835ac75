"""What a lake needs besides telemetry to be read alone: manifests and settings, as the last collector had them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

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
    if _untimed(ours) == _untimed(theirs):
        return
    con.execute(f"delete from {NAME}.main.settings")
    con.executemany(f"insert into {NAME}.main.settings values (?, ?)", list(ours.items()))


def take(con: Connection) -> None:
    """Fills an empty database with them."""
    # two collectors that found none at once have both written them
    text = f'select "table", any_value(rows) from {NAME}.main.settings group by "table"'
    for table, rows in con.execute(text).fetchall():
        if table in TABLES:
            kinds = json.dumps([dict(_columns(con, table))])
            con.execute(
                f"insert into bindtrace.main.{table} by name select unnest(from_json($1::json, $2), max_depth => 2)",
                [rows, kinds],
            )
        elif table == _SCOPE and rows:
            con.execute("insert into bindtrace.main.meta values ('scope', ?)", [rows])


def _untimed(settings: Mapping[str, str]) -> dict[str, Any]:
    """When each of those that share a lake read its manifests is no difference between them."""
    return {
        table: [
            {key: value is None if key.endswith("_unix_nano") else value for key, value in row.items()}
            for row in json.loads(rows)
        ]
        if table == "manifests"
        else rows
        for table, rows in settings.items()
    }


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
