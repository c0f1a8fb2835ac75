"""T20: every batch three times, at once, re-batched, across a restart: spans, calls and findings as if sent once."""

from __future__ import annotations

import http.client
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from campaigning import SEED, quantity
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_requests import one_span
from receiving import PROTOBUF
from serving import collecting, stored

from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import open_database
from bindtrace.queries.query import Query

SPANS = 5


def batch(number: int) -> ExportTraceServiceRequest:
    """A root of `storefront` and its calls into `orders`, of one trace."""
    merged = ExportTraceServiceRequest()
    trace_id = (number + 1).to_bytes(16, "big")
    for place in range(SPANS):
        name = "storefront" if place == 0 else "orders"
        message = one_span(number * SPANS + place + 1, service=name, trace_id=trace_id)
        if place:
            span = message.resource_spans[0].scope_spans[0].spans[0]
            span.parent_span_id = (number * SPANS + 1).to_bytes(8, "big")
        merged.MergeFrom(message)
    return merged


def send(address: str, bodies: list[bytes]) -> None:
    def one(body: bytes) -> None:
        connection = http.client.HTTPConnection(address, timeout=30)
        connection.request("POST", "/v1/traces", body, PROTOBUF)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        assert answer.status == 200

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(one, bodies))


def asked(db: Path) -> dict[str, list[dict[str, Any]]]:
    con = open_database(db)
    try:
        return {name: run_report(con, name, Query()) for name in ("edges", "chains", "findings", "hops")}
    finally:
        con.close()


def test_what_is_sent_again_changes_nothing(tmp_path: Path) -> None:
    rnd = random.Random(SEED)
    batches = [batch(number) for number in range(quantity(3000, 60))]
    bodies = [message.SerializeToString() for message in batches]
    once, thrice = tmp_path / "once.duckdb", tmp_path / "thrice.duckdb"
    with collecting(once) as collector:
        send(collector.endpoints["http"], bodies)
        assert collector.stop() == 0

    again = bodies * 3
    rnd.shuffle(again)
    half = len(again) // 2
    merged = []
    for first, second in zip(
        batches[::2], batches[1::2], strict=True
    ):  # re-batched: another digest, the same spans
        both = ExportTraceServiceRequest()
        both.MergeFrom(first)
        both.MergeFrom(second)
        merged.append(both.SerializeToString())
    for part in (again[:half], again[half:], merged):
        with collecting(thrice) as collector:
            send(collector.endpoints["http"], part)
            assert collector.stop() == 0

    found = stored(thrice)
    assert set(found) == set(stored(once))
    assert len(found) == len(batches) * SPANS
    assert Counter(found.values()) == {2: len(found)}  # as sent, and re-batched: removed when they are read
    assert asked(thrice) == asked(once)


def test_other_contents_of_one_span_are_conflicts_and_change_no_call(tmp_path: Path) -> None:
    batches = [batch(number) for number in range(quantity(3000, 60))]
    once, twice = tmp_path / "once.duckdb", tmp_path / "twice.duckdb"
    with collecting(once) as collector:
        send(collector.endpoints["http"], [message.SerializeToString() for message in batches])
        assert collector.stop() == 0
    with collecting(twice) as collector:
        send(collector.endpoints["http"], [message.SerializeToString() for message in batches])
        for message in batches:  # the root says something else the second time
            message.resource_spans[0].scope_spans[0].spans[0].name = "another name"
            del message.resource_spans[1:]
        send(collector.endpoints["http"], [message.SerializeToString() for message in batches])
        assert collector.stop() == 0

    con = open_database(twice)
    rows = {row["service"]: row["conflicts"] for row in run_report(con, "senders", Query())}
    con.close()
    assert rows == {"storefront": len(batches)}
    assert asked(twice)["edges"] == asked(once)["edges"]
