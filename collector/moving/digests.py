"""What a database holds, in numbers that two copies must share: rows and an order-free digest of every table."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import duckdb

from bindtrace.queries.database import ALIAS


class Held(NamedTuple):
    """Of one table. `digest` is the sum of its rows' hashes, so that the order of rows does not matter."""

    rows: int
    digest: str


def tables(con: duckdb.DuckDBPyConnection, within: str = ALIAS) -> list[str]:
    """Names of the tables of an attached database, sorted; views hold nothing of their own."""
    rows = con.execute(
        "select table_name from duckdb_tables() where database_name = ? and not internal order by 1", [within]
    ).fetchall()
    return [name for (name,) in rows]


def held(con: duckdb.DuckDBPyConnection, table: str, within: str = ALIAS) -> Held:
    """Rows and digest of a table of ours."""
    row = con.execute(
        f'select count(*), coalesce(sum(hash(one)), 0)::varchar from (select * from {within}.main."{table}") as one'
    ).fetchone()
    assert row is not None
    return Held(int(row[0]), str(row[1]))


def sha256_of(path: Path) -> str:
    """Of a file's bytes, in hex. Raises `OSError`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
