"""A database in a file; and receivers, by HTTP and gRPC, started once for the tests that only send to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import grpc
import httpx
import pytest
from receiving import Receivers, running_receivers

from bindtrace.queries.database import open_database


@pytest.fixture(scope="session")
def receivers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receivers]:
    """Two that share their ports. Others send to them too: a test looks for what it sent itself."""
    with running_receivers(tmp_path_factory.mktemp("receivers") / "journal") as running:
        yield running


@pytest.fixture
def client(receivers: Receivers) -> Iterator[httpx.Client]:
    """HTTP."""
    with httpx.Client(base_url=receivers.url, timeout=30) as client:
        yield client


@pytest.fixture
def channel(receivers: Receivers) -> Iterator[grpc.Channel]:
    """gRPC, whatever the size of a message."""
    with grpc.insecure_channel(receivers.grpc, options=[("grpc.max_send_message_length", -1)]) as channel:
        yield channel


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Where it is; no file yet."""
    return tmp_path / "t.duckdb"


@pytest.fixture
def con(db: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = open_database(db)
    yield connection
    connection.close()
