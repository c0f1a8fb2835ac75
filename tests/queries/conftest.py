"""A database in memory, with or without the policy of a small shop."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from shop_policy import settings, vercel

from bindtrace.queries.database import open_database
from bindtrace.queries.policy import install_policy


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in memory; no policy."""
    connection = open_database(None)
    # of a few spans: a second thread costs a quarter more CPU, and gains nothing
    connection.execute("set threads = 1")
    yield connection
    connection.close()


@pytest.fixture
def shop(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A database that knows who may call whom in a shop, its hosts and its public edge."""
    install_policy(con, [vercel(), settings()])
    return con
