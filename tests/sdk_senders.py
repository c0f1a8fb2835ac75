"""Processes of real OpenTelemetry SDK exporters that send as fast as they are answered, and remember every answer.

As a script it is one such process: `python sdk_senders.py http|grpc ENDPOINT THREADS SPANS FILE`. It sends until its
standard input closes, writes the ids of acknowledged spans (8 bytes each) to FILE, and prints one JSON line.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

_DROPPED = re.compile(r"code: (?:StatusCode\.)?(\w+)")
"""What an exporter logs of a batch that it gives up; of one that it sends again it logs `Transient error`."""
GIVEN_UP = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "503", "429", "None"}
"""Codes of batches that were to be sent again and whose time was up; None is a connection that broke."""


class Exporter(Protocol):
    def export(self, spans: list[ReadableSpan]) -> SpanExportResult: ...


class SdkSenders:
    """`threads` exporters of each protocol, each protocol in a process of its own."""

    def __init__(
        self, folder: Path, endpoints: dict[str, str], *, threads: int = 6, spans: int = 200
    ) -> None:
        self._files = {protocol: folder / f"acknowledged-{protocol}" for protocol in ("http", "grpc")}
        self._processes = {
            protocol: subprocess.Popen(
                [sys.executable, __file__, protocol, endpoints[protocol], str(threads), str(spans), str(file)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )
            for protocol, file in self._files.items()
        }  # fmt: skip

    def stop(self) -> dict[str, dict[str, Any]]:
        """By protocol: `batches`, `given_up`, and `codes`, what of those was said how often."""
        said: dict[str, dict[str, Any]] = {}
        for process in self._processes.values():
            assert process.stdin is not None
            process.stdin.close()
        for protocol, process in self._processes.items():
            assert process.stdout is not None
            said[protocol] = json.loads(process.stdout.read())
            process.wait(30)
        return said

    def acknowledged(self) -> pa.Table:
        """Column `span_id`, as the database has it."""
        data = pa.py_buffer(b"".join(file.read_bytes() for file in self._files.values()))
        return pa.table({"span_id": pa.Array.from_buffers(pa.uint64(), len(data) // 8, [None, data])})

    def kill(self) -> None:
        """Nothing is left, whatever the test did."""
        for process in self._processes.values():
            process.kill()
            process.wait(10)


class _Codes(logging.Handler):
    """Counts the codes of what an exporter gives up."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        if found := _DROPPED.search(record.getMessage()):
            self.seen[found[1]] += 1


def _exporter(protocol: str, endpoint: str) -> Exporter:
    if protocol == "http":
        return HttpExporter(endpoint=f"http://{endpoint}/v1/traces")
    return GrpcExporter(endpoint=f"http://{endpoint}", insecure=True)


def _batch(resource: Resource, spans: int) -> list[ReadableSpan]:
    trace, now = random.getrandbits(128) | 1, time.time_ns()
    contexts = [
        SpanContext(trace, random.getrandbits(64) | 1, is_remote=False, trace_flags=TraceFlags(1))
        for _ in range(spans)
    ]
    return [
        ReadableSpan(
            name="GET /orders/{id}",
            context=context,
            parent=contexts[0] if number else None,
            resource=resource,
            attributes={"http.request.method": "GET", "url.path": f"/orders/{number}"},
            kind=SpanKind.SERVER if number == 0 else SpanKind.CLIENT,
            start_time=now - 1_000_000,
            end_time=now,
        )
        for number, context in enumerate(contexts)
    ]


def main(protocol: str, endpoint: str, threads: int, spans: int, file: Path) -> None:
    codes, stop, guard = _Codes(), threading.Event(), threading.Lock()
    logging.getLogger().addHandler(codes)
    counted: Counter[str] = Counter()
    with file.open("wb") as acknowledged:

        def send(number: int) -> None:
            exporter = _exporter(protocol, endpoint)
            resource = Resource.create({"service.name": f"sender-{protocol}-{number}"})
            while not stop.is_set():
                batch = _batch(resource, spans)
                taken = exporter.export(batch) is SpanExportResult.SUCCESS
                with guard:
                    counted["batches"] += 1
                    if taken:
                        acknowledged.write(
                            b"".join(span.context.span_id.to_bytes(8, sys.byteorder) for span in batch)
                        )
                    else:
                        counted["given_up"] += 1

        running = [threading.Thread(target=send, args=(number,)) for number in range(threads)]
        for thread in running:
            thread.start()
        with contextlib.suppress(OSError):
            os.read(0, 1)
        stop.set()
        for thread in running:
            thread.join()
    print(json.dumps({"batches": counted["batches"], "given_up": counted["given_up"], "codes": codes.seen}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
