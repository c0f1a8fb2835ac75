"""A database in memory, without a policy."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from bindtrace.queries.database import open_database


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = open_database(None)
    yield connection
    connection.close()
