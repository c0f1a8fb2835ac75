"""How long a request takes from its acknowledgement to its rows, its hop and its finding. Measures only."""

from __future__ import annotations

import itertools
import json
import math
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import NamedTuple

import ingest_run
import recipe
from ingest_sender import Job
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from serving import Collector

RATES = [int(rate) for rate in os.environ.get("BENCH_RATES", "0,20000,27000").split(",")]
"""Spans/s that come beside the probes."""
PROBERS = 4
"""Threads that probe beside a load, each one call after the other: p99 needs many."""
PAUSE_S = 0.25
POLL_S = 0.02
DAY_NANO = 86_400 * 10**9
MANIFEST = """
[[grants]]
caller = "till"
callee = "vault"
"""
"""Each probe is a call to `vault` by a service that is granted nothing."""


class Delays(NamedTuple):
    """Of single requests, in seconds: until their rows are there, their hops, and the answer with their finding."""

    rows: list[float]
    hops: list[float]
    findings: list[float]


def delays(serving: Collector, rate: float, seconds: float) -> Delays:
    """While `rate` requests of 512 spans a second come beside them."""
    beside = None
    if rate:
        job = Job("http", serving.endpoints["http"], 32, 512, seconds, 7, rate=rate, warm_up_s=2.0)
        beside = threading.Thread(target=ingest_run.run, args=(serving, [job]))
        beside.start()
        time.sleep(8.0)  # the sender prepares its bodies, then warms up
    found, numbers, end = Delays([], [], []), itertools.count(1), time.monotonic() + seconds
    probers = PROBERS if rate else 1
    with ThreadPoolExecutor(probers) as pool:
        probing = [pool.submit(_probe, serving, found, numbers, end) for _ in range(probers)]
    for each in probing:
        each.result()
    if beside is not None:
        beside.join()
    return found


def at(delays_s: list[float], share: float) -> float:
    """The delay that at least that share of them does not exceed."""
    return sorted(delays_s)[math.ceil(len(delays_s) * share) - 1]


def _probe(serving: Collector, found: Delays, numbers: Iterator[int], end: float) -> None:
    while time.monotonic() < end:
        number = next(numbers)
        position = _send(serving, _undeclared_call(number))
        acked = time.monotonic()
        _wait_for_rows(serving, position)
        found.rows.append(time.monotonic() - acked)
        _wait(serving, position)
        found.hops.append(time.monotonic() - acked)
        _ask_for_finding(serving, number)
        found.findings.append(time.monotonic() - acked)
        time.sleep(PAUSE_S)


def _undeclared_call(number: int) -> bytes:
    """Of a day of its own, beside those of the recipe, as people ask for the last hour and not for all there is."""
    request = ExportTraceServiceRequest()
    start = _start(number)
    for service, kind, span_id, parent in (
        (f"intruder-{number}", Span.SPAN_KIND_CLIENT, b"callerid", b""),
        ("vault", Span.SPAN_KIND_SERVER, b"calleeid", b"callerid"),
    ):
        resource = request.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = service
        resource.scope_spans.add().spans.add(
            trace_id=number.to_bytes(16, "big"),
            span_id=span_id,
            parent_span_id=parent,
            name="GET /keys",
            kind=kind,
            start_time_unix_nano=start,
            end_time_unix_nano=start + 10**6,
            flags=0x300,
        )
    return request.SerializeToString()


def _start(number: int) -> int:
    return recipe.START + number * DAY_NANO


def _ask_for_finding(serving: Collector, number: int) -> None:
    """Its hop is there, so the first answer has it."""
    since = _start(number)
    url = (
        f"http://{serving.endpoints['api']}/api/reports/findings"
        f"?rule=undeclared-call&caller=intruder-{number}&since={since}&until={since + DAY_NANO}"
    )
    with urllib.request.urlopen(url, timeout=60) as answer:
        assert len(json.load(answer)) == 1, "the planted call is no finding"


def _send(serving: Collector, body: bytes) -> str:
    request = urllib.request.Request(
        f"http://{serving.endpoints['http']}/v1/traces",
        data=body,
        headers={"content-type": "application/x-protobuf"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.headers["bindtrace-position"])


def _wait_for_rows(serving: Collector, position: str) -> None:
    """The status tells how far each segment is loaded; a segment that it does not name was loaded and let go."""
    segment, _, offset = position.partition(":")
    seen = False
    while True:
        positions = dict(each.split(":") for each in ingest_run.status_of(serving)["positions"])
        seen = seen or segment in positions
        if int(positions.get(segment, offset if seen else -1)) >= int(offset):
            return
        time.sleep(POLL_S)


def _wait(serving: Collector, position: str) -> None:
    url = f"http://{serving.endpoints['api']}/api/wait?position={position}&timeout=30"
    while True:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                answer.read()
            return
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.GATEWAY_TIMEOUT:  # analysis is that far behind
                raise
