"""A transaction as a block: committed at its end, rolled back where anything is raised in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Raises what the block or the commit raises."""
    con.execute("begin")
    try:
        yield
        con.execute("commit")
    except BaseException:
        with suppress(duckdb.Error):  # a commit that failed has ended it
            con.execute("rollback")
        raise
