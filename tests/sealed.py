"""A database with a lake beside it, and how tests fill it from call graphs and seal it. Asks nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import duckdb

from bindtrace.queries.analyse import analyse
from bindtrace.queries.database import join_lake, open_database, reader
from bindtrace.queries.lake.naming import lake_beside
from bindtrace.queries.lake.sealing import due, seal

FAR: Final = 2**62
Con = duckdb.DuckDBPyConnection


def database(path: Path) -> Con:
    """One that has its lake beside it, opened as a collector does."""
    con = open_database(path)
    join_lake(con, lake_beside(path))
    return con


def seal_all(con: Con, most_spans: int = FAR) -> int:
    """Everything that is analysed goes into the lake; how many spans."""
    analyse(con)
    spans = 0
    while (upto := due(con, FAR, FAR, most_spans)) is not None:
        spans += seal(con, upto, FAR).spans
    return spans


def hot(con: Con, table: str = "spans") -> int:
    """Rows of a table of the file itself."""
    return int(con.execute(f"select count(*) from bindtrace.main.{table}").fetchall()[0][0])


def rows(con: Con, table: str) -> list[tuple[Any, ...]]:
    """What a reader sees of a table, in a fixed order; not the load, which is the file's own affair."""
    own = reader(con)
    try:
        return own.execute(f"select * exclude (load_id) from {table} order by all").fetchall()
    finally:
        own.close()
