"""T36: crafted numbers, names and keys without end: time stays linear, and `/metrics` stays bounded."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from campaigning import SEED, quantity
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_requests import as_request, one_span

from bindtrace.collector.journal.segment import JournalWriter
from bindtrace.collector.store.loader import Counts, Loader
from bindtrace.collector.store.metrics import MOST_SERIES, Facts, exposition
from bindtrace.collector.store.opening import journal_of
from bindtrace.queries.analyse import analyse
from bindtrace.queries.database import cursor, open_database

A_REQUEST = 500
Name = Callable[[int, random.Random], tuple[str, int, dict[str, str | int]]]


def ordinary(number: int, rnd: random.Random) -> tuple[str, int, dict[str, str | int]]:
    """Few services, random ids."""
    return f"service-{number % 20}", rnd.getrandbits(63) + 1, {"http.route": f"/{number % 50}"}


def many_services(number: int, _: random.Random) -> tuple[str, int, dict[str, str | int]]:
    return f"service-{number}", number + 1, {"http.route": "/"}


def crafted_numbers(number: int, _: random.Random) -> tuple[str, int, dict[str, str | int]]:
    """Multiples of the modulus that Python hashes integers by: all in one bucket where one is a key."""
    modulus = 2**61 - 1
    return "service", (number * modulus) % 2**64 or 1, {"n": (number % 4) * modulus}


def many_keys(number: int, _: random.Random) -> tuple[str, int, dict[str, str | int]]:
    return "service", number + 1, {f"key.{number}": number}


def taken_s(folder: Path, name: Name, spans: int) -> tuple[float, int]:
    """CPU seconds of loading and analysing, whoever else uses the machine; series that `/metrics` then has."""
    rnd = random.Random(SEED)
    db = folder / "t.duckdb"
    folder.mkdir()
    writer = JournalWriter(journal_of(db) / "receiver")
    for start in range(0, spans, A_REQUEST):
        merged = ExportTraceServiceRequest()
        for number in range(start, start + A_REQUEST):
            service, span_id, attributes = name(number, rnd)
            trace_id = (number + 1).to_bytes(16, "big")
            named = {key.replace(".", "__"): value for key, value in attributes.items()}
            message = one_span(number + 1, service=service, trace_id=trace_id, **named)
            message.resource_spans[0].scope_spans[0].spans[0].span_id = span_id.to_bytes(8, "big")
            merged.MergeFrom(message)
        writer.append([as_request(merged, received=2**62)])
    writer.close()
    con = open_database(db)
    loader = Loader(cursor(con), journal_of(db))
    began = time.process_time()
    while loader.step():
        pass
    analyse(con)
    took = time.process_time() - began
    text = exposition(con, Facts(Counts(), 0, 0, True, 0, 0)).decode()
    con.close()
    return took, sum(line.startswith("bindtrace_calls_total{") for line in text.splitlines())


@pytest.mark.parametrize("flood", [many_services, crafted_numbers, many_keys])
def test_a_flood_costs_no_more_than_its_size(tmp_path: Path, flood: Name) -> None:
    spans = quantity(1_000_000, 10_000)
    base, _ = taken_s(tmp_path / "base", ordinary, spans)
    took, series = taken_s(tmp_path / "flood", flood, spans)
    half, _ = taken_s(tmp_path / "half", flood, spans // 2)

    assert series <= MOST_SERIES + 1
    said = (
        f"{flood.__name__}: {took:.2f} s for {spans}, {half:.2f} s for half, {base:.2f} s for ordinary ones"
    )
    print(said)
    assert took <= 3 * half + 1.0, said  # linear: twice the spans, at most thrice the time
