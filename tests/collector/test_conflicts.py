"""Spans that come again with another content are counted by sender, once, however often their trace is read."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import duckdb
import pytest
from otlp_requests import one_span

from bindtrace.collector.journal.record import Request
from bindtrace.collector.store.writer import Writer
from bindtrace.queries.analyse import analyse, rebuild
from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import open_database
from bindtrace.queries.query import Query

TRACE = bytes(15) + b"\1"


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    made = open_database(None)
    yield made
    made.close()


def load(con: duckdb.DuckDBPyConnection, number: int, name: str, service: str = "orders") -> None:
    message = one_span(number, service=service, trace_id=TRACE)
    message.resource_spans[0].scope_spans[0].spans[0].name = name
    body = message.SerializeToString()
    Writer(con).write([Request(f"{service}/", "http", "protobuf", 5, sha256(body).digest()[:16], 1, body)])
    analyse(con)


def conflicts(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    return {row["service"]: row["conflicts"] for row in run_report(con, "senders", Query())}


def test_a_span_with_another_content_is_a_conflict_of_its_sender(con: duckdb.DuckDBPyConnection) -> None:
    load(con, 1, "GET /")
    load(con, 1, "GET /other")
    load(con, 2, "GET /", service="inventory")

    assert conflicts(con) == {"orders": 1}


def test_the_same_span_again_is_no_conflict(con: duckdb.DuckDBPyConnection) -> None:
    load(con, 1, "GET /")
    load(con, 1, "GET /")

    assert conflicts(con) == {}


def test_a_conflict_counts_once_when_its_trace_is_read_again(con: duckdb.DuckDBPyConnection) -> None:
    load(con, 1, "GET /")
    load(con, 1, "GET /other")
    load(con, 3, "late")
    rebuild(con)

    assert conflicts(con) == {"orders": 1}
