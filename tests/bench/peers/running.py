"""Each peer as a process of its own on free ports, with storage that goes when it ends. Sends and measures nothing."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from interop.peers import PLACES
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from serving import collecting
from support import free_port, listening


@dataclass(frozen=True, slots=True)
class Running:
    """`stored` says how many spans are stored when nobody sends any more, waiting for them where it must."""

    address: str
    processes: list[psutil.Process]
    stored: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Peer:
    """By `protocol` (http or grpc); `acknowledged` is what an acknowledgement promises, `program` None for ours."""

    name: str
    protocol: str
    acknowledged: str
    program: Path | None
    start: Callable[[Path], AbstractContextManager[Running]]


@contextlib.contextmanager
def _bindtrace(folder: Path, protocol: str) -> Iterator[Running]:
    with collecting(folder / "t.duckdb", receivers=1) as serving:

        def stored() -> int:
            assert serving.stop() == 0
            reading = (
                "import sys; from pathlib import Path; from bindtrace.queries.database import open_database; "
            )
            reading += (
                "print(open_database(Path(sys.argv[1])).execute('select count(*) from spans').fetchone()[0])"
            )
            done = subprocess.run(
                [sys.executable, "-c", reading, serving.db], capture_output=True, text=True, check=True
            )
            return int(done.stdout)

        processes = [psutil.Process(serving.process.pid)]
        yield Running(
            serving.endpoints[protocol],
            processes + [child for children in serving.children().values() for child in children],
            stored,
        )


@contextlib.contextmanager
def _collector(folder: Path, form: str) -> Iterator[Running]:
    port = free_port()
    out = folder / "out"
    settings = folder / "otelcol.yaml"
    settings.write_text(
        f"receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:{port}'}}}}}}}}\n"
        f"exporters: {{file: {{path: '{out}', format: {form}}}}}\n"
        "service:\n  telemetry: {metrics: {level: none}, logs: {level: error}}\n"
        "  pipelines: {traces: {receivers: [otlp], exporters: [file]}}\n"
    )
    with _process([PLACES["collector"], "--config", settings], port, {}, folder) as process:
        yield Running(f"127.0.0.1:{port}", [process], lambda: _spans_in(out, form))


def _spans_in(out: Path, form: str) -> int:
    """All requests hold the same number of spans: counted in the first."""
    time.sleep(2)  # its writer flushes every second
    if form == "json":
        with out.open("rb") as lines:
            first = lines.readline().count(b'"spanId"')
            return first * (1 + sum(1 for _ in lines))
    count = spans = 0
    with out.open("rb") as frames:
        while len(head := frames.read(4)) == 4:
            length = int.from_bytes(head, "big")
            if not count:
                message = ExportTraceServiceRequest.FromString(frames.read(length))
                spans = sum(len(scope.spans) for part in message.resource_spans for scope in part.scope_spans)
            else:
                frames.seek(length, os.SEEK_CUR)
            count += 1
    return count * spans


@contextlib.contextmanager
def _jaeger(folder: Path, consistent: bool) -> Iterator[Running]:
    http, grpc, admin = free_port(), free_port(), free_port()
    others = ["--query.http-server.host-port", "--query.grpc-server.host-port", "--collector.http-server.host-port",
              "--collector.grpc-server.host-port"]  # fmt: skip
    command: list[str | Path] = [
        PLACES["jaeger"], "--badger.ephemeral=false", f"--badger.directory-key={folder / 'key'}",
        f"--badger.directory-value={folder / 'value'}", f"--badger.consistency={str(consistent).lower()}",
        f"--collector.otlp.http.host-port=127.0.0.1:{http}", f"--collector.otlp.grpc.host-port=127.0.0.1:{grpc}",
        f"--admin.http.host-port=127.0.0.1:{admin}", "--collector.otlp.enabled=true", "--log-level=error",
        *(f"{option}=127.0.0.1:{free_port()}" for option in others),
    ]  # fmt: skip

    def metric(name: str) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        return int(
            sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))
        )

    def stored() -> int:
        """Its queue holds 2,000 requests, and it says nowhere how many are left: until no more are stored."""
        limit = time.monotonic() + 120
        before, found = -1, 0
        while found != before and time.monotonic() < limit:
            time.sleep(3)
            before, found = found, metric("jaeger_collector_spans_saved_by_svc_total")
        return found

    with _process(command, http, {"SPAN_STORAGE_TYPE": "badger"}, folder) as process:
        yield Running(f"127.0.0.1:{grpc}", [process], stored)


@contextlib.contextmanager
def _process(
    command: list[str | Path], port: int, settings: dict[str, str], folder: Path
) -> Iterator[psutil.Process]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env=os.environ | settings, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        limit = time.monotonic() + 30
        while not listening(port):
            if process.poll() is not None or time.monotonic() > limit:
                raise RuntimeError((folder / "log").read_text()[-1000:])
            time.sleep(0.05)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


@contextlib.contextmanager
def started(peer: Peer) -> Iterator[Running]:
    """Running, with a folder of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="bindtrace-peers-") as folder,
        peer.start(Path(folder)) as running,
    ):
        yield running


_FSYNCED: Final = "fsynced; then in DuckDB, analysed"
_BUFFERED: Final = "handed to a buffered file, no fsync"
PEERS: Final = (
    Peer("bindtrace", "http", _FSYNCED, None, lambda folder: _bindtrace(folder, "http")),
    Peer("OpenTelemetry Collector, file (proto)", "http", _BUFFERED, PLACES["collector"],
         lambda folder: _collector(folder, "proto")),
    Peer("OpenTelemetry Collector, file (JSON)", "http", _BUFFERED, PLACES["collector"],
         lambda folder: _collector(folder, "json")),
    Peer("bindtrace", "grpc", _FSYNCED, None, lambda folder: _bindtrace(folder, "grpc")),
    Peer("Jaeger 1.76, badger", "grpc", "in a queue in memory", PLACES["jaeger"],
         lambda folder: _jaeger(folder, False)),
    Peer("Jaeger 1.76, badger, consistent", "grpc", "in a queue in memory; badger fsyncs later", PLACES["jaeger"],
         lambda folder: _jaeger(folder, True)),
)  # fmt: skip
"""`make peers` gets them. Jaeger's OTLP over HTTP closes the connection after every request, so it is fed by gRPC."""
