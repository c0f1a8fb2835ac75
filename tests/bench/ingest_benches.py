"""The named measurements: each yields lines for a person. README.md says what was found, and against which bars."""

from __future__ import annotations

import gc
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import ingest_delay
import ingest_grown
import ingest_run
from ingest_bodies import prepared
from ingest_sender import Job
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bindtrace.collector.journal.record import Request
from bindtrace.collector.otlp import columnar, rows
from bindtrace.collector.otlp.admit import admit
from bindtrace.collector.store.loader import GROUP_SPANS
from bindtrace.collector.store.writer import Writer
from bindtrace.queries.database import open_database
from bindtrace.queries.live_source import LiveSource

SPANS = 512
SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
SUSTAINED_SECONDS = float(os.environ.get("BENCH_SECONDS", "120"))
_limits: list[float] = []
_half: dict[str, float] = {}


def decode() -> Iterator[str]:
    """The limit, what a receiver does before the journal, and both decoders without a database."""
    bodies = prepared(1, SPANS, 50_000)
    requests = [_request(body) for body in bodies]
    count = len(bodies) * SPANS
    parse = _best(lambda: [ExportTraceServiceRequest.FromString(body) for body in bodies]) / count
    admitted = _best(lambda: [admit(body, "protobuf") for body in bodies]) / count
    loop = _best(lambda: rows.to_tables(requests[:20], 1), 2) / (20 * SPANS)
    column = _best(lambda: columnar.to_tables(requests, 1)) / count
    _limits.append(1 / parse)
    yield f"{sum(map(len, bodies)) / count:.0f} protobuf bytes a span"
    yield f"FromString alone, one core: {parse * 1e6:.2f} us/span = {1 / parse:,.0f} spans/s (the limit)"
    yield f"admission: {admitted * 1e6:.2f} us/span"
    yield f"loop: {loop * 1e6:.1f} us/span; columnar: {column * 1e6:.1f} us/span, {loop / column:.1f} times faster"


def size() -> Iterator[str]:
    """Bytes a span in a checkpointed file, of spans none of which comes twice, in loads as the loader makes them."""
    load = GROUP_SPANS // SPANS
    bodies = prepared(3, SPANS, 3 * load * SPANS)
    with tempfile.TemporaryDirectory(prefix="bindtrace-bench-") as folder:
        path = Path(folder) / "size.duckdb"
        con = open_database(path)
        writer = Writer(con)
        began = time.perf_counter()
        for at in range(0, len(bodies), load):
            writer.write([_request(body) for body in bodies[at : at + load]])
        con.execute("checkpoint")
        took = time.perf_counter() - began
        count = len(bodies) * SPANS
        yield f"{count} spans, decode and store in turn: {took / count * 1e6:.1f} us/span"
        yield f"{path.stat().st_size / count:.1f} bytes a span in the file (bar 120, aim 80)"
        con.close()


def http() -> Iterator[str]:
    yield from _throughput("http", 32)


def grpc() -> Iterator[str]:
    yield from _throughput("grpc", 32)


def http_one() -> Iterator[str]:
    yield from _one_span("http", 5_000)


def grpc_one() -> Iterator[str]:
    yield from _one_span("grpc", 800)


def latency() -> Iterator[str]:
    """Paced at half of what the closed loop did in this run, in an open loop: timed from when each was due."""
    for protocol in ("http", "grpc"):
        rate = _half.get(protocol) or _sustained(protocol)
        with ingest_run.collector("--journal-max", "256MB") as serving:
            job = Job(protocol, serving.endpoints[protocol], 32, SPANS, SECONDS, 1, rate=rate / 2 / SPANS)
            result = ingest_run.run(serving, [job])
        yield (
            f"{protocol}, {result.acked / result.seconds:,.0f} spans/s offered: ack p50 {result.at(0.5):.1f} ms, "
            f"p99 {result.at(0.99):.1f} ms (bar 40), p99.9 {result.at(0.999):.1f} ms (bar 150), "
            f"{len(result.ms)} requests"
        )


def sealing() -> Iterator[str]:
    """Acknowledgements at 5,000 spans/s while sealing goes on without a pause, and where nothing is sealed."""
    for options in ((), ("--seal-after", "1s")):
        with ingest_run.collector(*options) as serving:
            job = Job("http", serving.endpoints["http"], 16, SPANS, 3 * SECONDS, 7, rate=10.0, warm_up_s=5.0)
            result = ingest_run.run(serving, [job])
            sealed = LiveSource(f"http://{serving.endpoints['api']}").status()["spans_sealed"]
            yield (
                f"{' '.join(options) or 'without a lake'}: {result.acked / result.seconds:,.0f} spans/s acked, "
                f"{result.refused} refused, {sealed:,} sealed; ack p50 {result.at(0.5):.1f} ms, "
                f"p99 {result.at(0.99):.1f}, longest {result.at(1.0):.1f}"
            )


def delay() -> Iterator[str]:
    """From the acknowledgement of one undeclared call to its finding, on an idle collector and on busy ones."""
    for rate in ingest_delay.RATES:
        with ingest_run.collector(manifest=ingest_delay.MANIFEST) as serving:
            waits = ingest_delay.delays(serving, rate / SPANS, SECONDS)
        yield (
            f"{f'{rate:,} spans/s' if rate else 'idle'}: rows {_delayed(waits.rows)} (bar 1 s); "
            f"hops {_delayed(waits.hops)}; a finding {_delayed(waits.findings)} (bar: p99 2 s); "
            f"{len(waits.hops)} probes"
        )


def overload() -> Iterator[str]:
    """Senders offer as much as they can, four processes of them."""
    with ingest_run.collector("--journal-max", "256MB") as serving:
        jobs = [Job("http", serving.endpoints["http"], 64, SPANS, SECONDS, seed) for seed in range(1, 5)]
        result = ingest_run.run(serving, jobs)
        yield (
            f"256 clients: {result.acked / result.seconds:,.0f} spans/s acked, {result.refused} refused, "
            f"peak RSS {result.rss_bytes / 2**20:,.0f} MiB of all processes (bar 1,024), "
            f"journal at most {max(result.journal_bytes, default=0) / 2**20:,.0f} MiB"
        )


def sustained() -> Iterator[str]:
    """Two minutes, or BENCH_SECONDS; the journal must not grow."""
    yield from _throughput("http", 32, SUSTAINED_SECONDS)


def grown() -> Iterator[str]:
    """Whether storing slows down as the database grows: interleaved pairs (BENCH_GROWN spans, 20 million)."""
    large = int(os.environ.get("BENCH_GROWN", "20000000"))
    with (
        tempfile.TemporaryDirectory(prefix="bindtrace-bench-") as folder,
        ingest_grown.grown(Path(folder), large // 20, 1) as little,
        ingest_grown.grown(Path(folder), large, 2) as much,
    ):
        yield f"{little.spans:,} and {much.spans:,} spans stored"
        little.turn(), much.turn()
        pairs = []
        for number in range(1, 8):
            pairs.append((little.turn(), much.turn()))
            yield f"pair {number}: CPU s of storing and analysis {_written(pairs[-1])}"
    for what in ("storing", "analysis"):
        costs = [(getattr(one, what), getattr(other, what)) for one, other in pairs]
        ratios = sorted(one / other for one, other in costs)
        spent = [_median([turn[place] for turn in costs]) / ingest_grown.STEP * 1e6 for place in (0, 1)]
        yield (
            f"{what}: {spent[0]:.1f} us CPU a span beside little, {spent[1]:.1f} beside much; rate beside much / "
            f"beside little, of 7 pairs: median {_median(ratios):.2f} ({ratios[0]:.2f} to "
            f"{ratios[-1]:.2f}; bar: 0.90 to 1.10)"
        )


def _throughput(protocol: str, clients: int, seconds: float = SECONDS) -> Iterator[str]:
    if not _limits:
        yield from decode()
    with ingest_run.collector("--journal-max", "256MB") as serving:
        job = Job(protocol, serving.endpoints[protocol], clients, SPANS, seconds, 1, warm_up_s=3.0)
        before = ingest_run.status_of(serving)["spans_loaded"]
        began = time.monotonic()
        result = ingest_run.run(serving, [job])
        stored = (ingest_run.status_of(serving)["spans_loaded"] - before) / (time.monotonic() - began)
        rows, hops = ingest_run.drained(serving)
        spans = ingest_run.status_of(serving)["spans"]
        size = serving.db.stat().st_size
    rate = result.acked / result.seconds
    _half[protocol] = max(1_000.0, min(rate, stored))
    third = max(1, len(result.journal_bytes) // 3)
    yield (
        f"{clients} clients, {SPANS} spans a request: {rate:,.0f} spans/s acked = {rate / _limits[-1]:.2f} of the "
        f"limit (bar 0.20), {stored:,.0f} stored, {result.refused} refused; ack p50 {result.at(0.5):.0f} ms, "
        f"p99 {result.at(0.99):.0f} ms"
    )
    cpu = {name: spent / max(1, result.acked) * 1e6 for name, spent in result.cpu_s.items()}
    yield "CPU us/span: " + ", ".join(f"{name} {spent:.1f}" for name, spent in cpu.items())
    yield (
        f"peak RSS {result.rss_bytes / 2**20:,.0f} MiB; "
        f"journal {max(result.journal_bytes[:third]) / 2**20:,.0f} MiB in the "
        f"first third, {max(result.journal_bytes[-third:]) / 2**20:,.0f} in the last; "
        f"all rows {rows:.1f} s after the end, all hops {_seconds(hops)}; "
        f"{size / max(1, spans):.0f} bytes a span before the last checkpoint, hops included"
    )


def _one_span(protocol: str, bar: int) -> Iterator[str]:
    with ingest_run.collector() as serving:
        job = Job(protocol, serving.endpoints[protocol], 256, 1, SECONDS, 1, warm_up_s=2.0)
        result = ingest_run.run(serving, [job])
        rows, hops = ingest_run.drained(serving)
    requests = len(result.ms) / result.seconds
    cpu = sum(result.cpu_s.values()) / max(1, result.acked) * 1e6
    yield (
        f"256 clients: {requests:,.0f} requests/s (bar {bar:,}), ack p50 {result.at(0.5):.0f} ms, "
        f"p99 {result.at(0.99):.0f} ms, {result.refused} refused, CPU {cpu:.0f} us a request, "
        f"all rows {rows:.1f} s after the end, all hops {_seconds(hops)}"
    )


def _sustained(protocol: str) -> float:
    for _ in _throughput(protocol, 32):
        pass
    return _half[protocol]


def _request(body: bytes) -> Request:
    return Request("bench/sdk", "http", "protobuf", 1, sha256(body).digest()[:16], SPANS, body)


def _best(work: Callable[[], object], times: int = 3) -> float:
    best = float("inf")
    for _ in range(times):
        gc.collect()
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def _written(pair: tuple[ingest_grown.Turn, ingest_grown.Turn]) -> str:
    return " beside much ".join(f"{turn.storing:.2f}, {turn.analysis:.2f}" for turn in pair)


def _seconds(found: float | None) -> str:
    return f"not within {ingest_run.DRAIN_S:.0f} s" if found is None else f"{found:.1f} s"


def _delayed(seconds: list[float]) -> str:
    return (
        f"after {_median(seconds):.2f} s, p99 {ingest_delay.at(seconds, 0.99):.2f} s, "
        f"at most {max(seconds):.2f} s"
    )


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


BENCHES: dict[str, Callable[[], Iterator[str]]] = {
    "decode": decode,
    "size": size,
    "http": http,
    "grpc": grpc,
    "http-one": http_one,
    "grpc-one": grpc_one,
    "latency": latency,
    "sealing": sealing,
    "delay": delay,
    "overload": overload,
    "sustained": sustained,
    "grown": grown,
}
