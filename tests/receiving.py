"""What tests of receiving share: receiver processes over a journal, requests to send them, and reading it back."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bindtrace.collector.journal.reader import JournalReader
from bindtrace.collector.journal.record import Request
from bindtrace.collector.ports import Address, reserve

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Receivers:
    """Receiver processes that share their ports, as the supervisor starts them."""

    journal: Path
    grpc: str
    http: str
    processes: list[subprocess.Popen[str]]
    pipe: int  # its end is the supervisor's end

    @property
    def url(self) -> str:
        return f"http://{self.http}"

    def journaled(self) -> list[Request]:
        batches = JournalReader(self.journal).read({}, 1 << 40)
        return [item for batch in batches for item in batch.requests if item.encoding != "accounting"]

    def accounted(self) -> list[Request]:
        """Accounting records."""
        batches = JournalReader(self.journal).read({}, 1 << 40)
        return [item for batch in batches for item in batch.requests if item.encoding == "accounting"]

    def stored_span_ids(self) -> list[bytes]:
        return [span_id for item in self.journaled() for span_id in span_ids(item.body)]


@contextlib.contextmanager
def running_receivers(journal: Path, count: int = 2, options: Sequence[str] = ()) -> Iterator[Receivers]:
    """Ends every process at the end, however the test ends."""
    reserved = [reserve(Address("127.0.0.1", 0)) for _ in range(2)]
    grpc, http = (f"127.0.0.1:{held.getsockname()[1]}" for held in reserved)
    watched, pipe = os.pipe()
    command = [sys.executable, "-P", "-m", "bindtrace.collector.receive.process", "--journal", str(journal)]
    command += ["--grpc", grpc, "--http", http, "--supervisor-fd", str(watched), *options]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pass_fds=[watched]) for _ in range(count)
    ]
    os.close(watched)
    try:
        for process in processes:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["http"] == http
        yield Receivers(journal, grpc, http, processes, pipe)
    finally:
        with contextlib.suppress(OSError):
            os.close(pipe)
        for process in processes:
            process.kill()
            process.communicate()
        for held in reserved:
            held.close()


def export(*ids: bytes, service: str = "orders", trace_id: bytes | None = None) -> ExportTraceServiceRequest:
    """One span for each span id; all of one new trace unless it is given."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    attribute = resource_spans.resource.attributes.add(key="service.name")
    attribute.value.string_value = service
    scope_spans = resource_spans.scope_spans.add()
    trace_id = os.urandom(16) if trace_id is None else trace_id
    for span_id in ids:
        scope_spans.spans.add(
            trace_id=trace_id,
            span_id=span_id,
            name="GET /",
            start_time_unix_nano=1_700_000_000_000_000_000,
            end_time_unix_nano=1_700_000_000_001_000_000,
        )
    return request


def one_request() -> tuple[bytes, bytes]:
    """A new span id, and a request that holds it."""
    span_id = os.urandom(8)
    return span_id, export(span_id).SerializeToString()


def span_ids(body: bytes) -> list[bytes]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        span.span_id
        for resource_spans in request.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]


class Load:
    """Requests over HTTP, as fast as they are answered, through restarts; each span is sent once.

    `acknowledged` are ids of spans, `answers` how often each status came.
    """

    def __init__(self, address: str, senders: int = 8, spans: int = 1) -> None:
        self.acknowledged: list[bytes] = []
        self.answers: Counter[int] = Counter()
        self._address = address
        self._spans = spans
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(senders)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> list[bytes]:
        """Ids of the spans that were acknowledged."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self.acknowledged

    def _send(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=10)
        while not self._stop.is_set():
            ids = [os.urandom(8) for _ in range(self._spans)]
            try:
                connection.request("POST", "/v1/traces", export(*ids).SerializeToString(), PROTOBUF)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                connection = http.client.HTTPConnection(self._address, timeout=10)
                time.sleep(0.01)  # nobody listens: the receiver is being started again
                continue
            self.answers[answer.status] += 1
            if answer.status == 200:
                self.acknowledged += ids
            else:
                time.sleep(0.05)
        connection.close()
