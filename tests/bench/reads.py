"""How long the questions of Grafana and Jaeger take over stored spans, and what they cost ingest that runs beside.

`python tests/bench reads [SPANS…]` (default ten million; 0 measures only the cost beside ingest, which `BENCH_BESIDE=0`
leaves out): the data of the bench `analysis` with attributes, analysed, asked over HTTP on loopback as the data sources
ask. One million spans an hour. `BENCH_FOLDER` keeps what was built there, and is read where it is.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import analysis
import duckdb
import httpx
import ingest_run
from analysis import MEAN, START, TRACE_NANO
from answering import asked_of, served
from ingest_sender import Job
from starlette.applications import Starlette
from starlette.routing import Mount

from bindtrace.collector.store.traces import trace_bytes, trace_json
from bindtrace.queries import analyse
from bindtrace.queries.absent import note_absent
from bindtrace.queries.api.asking import Asked
from bindtrace.queries.api.jaeger import build_jaeger
from bindtrace.queries.api.prometheus import build_prometheus
from bindtrace.queries.api.tempo import build_tempo
from bindtrace.queries.catalog import run_report
from bindtrace.queries.policy import install_policy
from bindtrace.queries.query import Query

DEFAULT: Final = 10_000_000
TIMES: Final = 9
BY_ID_MS: Final = 20
TRACES: Final = 60
"""Different traces asked for by id, spread over all of history; each once, after a first one that is not counted."""
PAIRS: Final = 7
WINDOW_S: Final = 10.0
EVERY_S: Final = 5.0
HOUR_S: Final = 3600

_ATTRIBUTES: Final = """'{"app.tenant":"t' || (hash(t) % 5000) || '","app.step":' || k
        || ',"thread.id":' || (hash(t * 64 + k) % 100000)
        || ',"user_agent.original":"python-httpx/0.' || (hash(t) % 8) || '"}'"""

Ask = tuple[str, Mapping[str, str]]


def questions(span: tuple[int, int]) -> dict[str, tuple[float, list[Ask]]]:
    """Name -> bar in ms (0: none) and the requests that make one question. `span`: the last hour in Unix seconds."""
    start, end = map(str, span)
    window = {"start": start, "end": end}

    def tempo(text: str) -> list[Ask]:
        return [("/tempo/api/search", {"q": text, "limit": "20", "spss": "3", **window})]

    def graph() -> Iterator[Ask]:
        names = (
            "request_total",
            "request_failed_total",
            "request_server_seconds_sum",
            "request_server_seconds_bucket",
        )
        for metric in (f"traces_service_graph_{name}" for name in names):
            rate = f"sum by (client, server) (rate({metric}[{HOUR_S}s]))"
            yield "/prometheus/api/v1/query", {"query": rate, "time": end}

    def named() -> Iterator[Ask]:
        for name in ("request_total", "request_failed_total"):
            text = f"group by (client, connection_type, server) (traces_service_graph_{name})"
            yield "/prometheus/api/v1/query", {"query": text, "time": end}

    jaeger = {"start": f"{start}000000", "end": f"{end}000000", "limit": "20"}
    return {
        "search, promoted attribute": (200, tempo('{ span.http.request.method = "GET" }')),
        "search, promoted attribute that nothing has": (200, tempo('{ span.http.request.method = "PATCH" }')),
        "search, service and status": (200, tempo('{ resource.service.name = "svc7" && status = error }')),
        "search, any attribute": (1000, tempo('{ span.app.tenant = "t77" }')),
        "search, any attribute, number": (1000, tempo("{ span.app.step > 38 }")),
        "search, any attribute that nothing has": (1000, tempo('{ .nothing = "nobody" }')),
        "search, Jaeger, service and tag": (
            1000, [("/jaeger/api/traces", {"service": "svc7", "tags": '{"app.tenant":"t77"}', **jaeger})]
        ),
        "service graph, one of its questions": (200, [next(graph())]),
        "service graph, all four": (0, list(graph())),
        "service graph, which edges there are": (0, list(named())),
        "descendants": (0, tempo('{ resource.service.name = "svc3" } >> { status = error }')),
        "by road": (0, tempo('{ span.bindtrace.road = "unknown" && status = error }')),
        "rate by service": (
            0, [("/tempo/api/metrics/query_range",
                 {"q": "{} | rate() by (resource.service.name)", "step": "60s", **window})]
        ),
        "values of service.name": (
            0, [("/tempo/api/v2/search/tag/resource.service.name/values", {"tag": "resource.service.name", **window})]
        ),
        "dependencies, Jaeger": (0, [("/jaeger/api/dependencies", {"endTs": f"{end}000", "lookback": "3600000"})]),
    }  # fmt: skip


def main(arguments: list[str]) -> None:
    """Prints a table a size, then what the questions cost ingest."""
    for size in [int(one) for one in arguments] or [DEFAULT]:
        with tempfile.TemporaryDirectory(prefix="bindtrace-bench-") as folder:
            path = Path(os.environ.get("BENCH_FOLDER", folder)) / f"reads-{size}.duckdb"
            path.parent.mkdir(parents=True, exist_ok=True)
            if size:
                for line in analysis._apart(_measured, path, size):
                    print(line, flush=True)
    if os.environ.get("BENCH_BESIDE") != "0":
        for line in _beside():
            print(line, flush=True)


def _built(path: Path, size: int) -> None:
    analysis._generate(path, size, _ATTRIBUTES)
    con = analysis._open(path)
    con.execute(
        "insert into instrumentation_scopes by name select md5('scope')::uuid as instrumentation_scope_id, "
        "'bench' as name, 0 as dropped_attributes_count"
    )
    install_policy(con, [])  # as a collector without manifests does
    analyse.rebuild(con)
    con.execute("checkpoint")
    con.close()


def _measured(path: Path, size: int) -> list[str]:
    if not path.exists():
        _built(path, size)
    note_absent()  # as the storage process does, which answers
    con = analysis._open(path)
    lines = [
        f"{size:,} spans stored, {path.stat().st_size / size:.0f} bytes a span, hops and traces included; "
        f"load average {os.getloadavg()[0]:.1f}"
    ]
    traces = size // MEAN
    end = START // 10**9 + traces * TRACE_NANO // 10**9 + 1
    asked = asked_of(con)
    app = Starlette(
        routes=[
            Mount("/tempo", build_tempo(asked, trace_bytes)),
            Mount("/jaeger", build_jaeger(asked, trace_json)),
            Mount("/prometheus", build_prometheus(asked, list)),
        ]
    )
    with served(app) as url, httpx.Client(base_url=url, timeout=120) as client:
        by_id: dict[str, Callable[[str], object]] = {
            "trace by id, Tempo": lambda one: _ask(client, [(f"/tempo/api/v2/traces/{one}", {})]),
            "trace by id, Jaeger": lambda one: _ask(client, [(f"/jaeger/api/traces/{one}", {})]),
            "one chain": lambda one: _chain(asked, one),
        }
        for turn, (name, work) in enumerate(by_id.items()):
            lines.append(_by_id(name, work, _spread(con, traces, turn / len(by_id))))
        for name, (bar, requests) in questions((end - HOUR_S, end)).items():
            took = _median(lambda requests=requests: _ask(client, requests))  # type: ignore[misc]
            told = "" if not bar else f"  bar {bar:,.0f}: {'met' if took * 1e3 <= bar else 'MISSED'}"
            lines.append(f"  {name:<45} {took * 1e3:8.1f} ms{told}")
    con.close()
    return lines


def _spread(con: duckdb.DuckDBPyConnection, traces: int, turn: float) -> list[str]:
    """Ids of traces from all of history, in no order of time; others for each `turn`, from 0 to 1."""
    numbers = [int(traces * (7 * k % (TRACES + 1) + turn) / (TRACES + 1)) for k in range(TRACES + 1)]
    named = con.execute("select md5('t' || unnest($1::bigint[]))::uuid", [numbers]).fetchall()
    return [row[0].hex for row in named]


def _by_id(name: str, work: Callable[[str], object], ids: list[str]) -> str:
    spent, cpu = _times_ms(work, ids)
    half, most = statistics.median(spent[1:]), statistics.quantiles(spent[1:], n=20)[-1]
    # what is read of the file is in DuckDB's memory then
    again = statistics.median(_times_ms(work, ids)[0])
    told = "met" if half <= BY_ID_MS else "MISSED"
    return (
        f"  {name:<45} {half:8.1f} ms  bar {BY_ID_MS}: {told}  "
        f"p95 {most:.1f}, least {min(spent):.1f}, CPU {statistics.median(cpu[1:]):.1f} (of who asks, too); "
        f"asked again {again:.1f}"
    )


def _times_ms(work: Callable[[str], object], ids: list[str]) -> tuple[list[float], list[float]]:
    """Of each: how long it took, and its CPU."""
    spent, cpu = [], []
    for one in ids:
        began, before = time.perf_counter(), time.process_time()
        work(one)
        spent.append((time.perf_counter() - began) * 1e3)
        cpu.append((time.process_time() - before) * 1e3)
    return spent, cpu


def _chain(asked: Asked, trace: str) -> int:
    with asked() as con:
        return len(run_report(con, "chain", Query(filters={"trace_id": trace})))


def _ask(client: httpx.Client, requests: list[Ask]) -> int:
    size = 0
    for path, values in requests:
        reply = client.get(path, params=values)
        reply.raise_for_status()
        size += len(reply.content)
    return size


def _median(work: Callable[[], object]) -> float:
    work()
    spent = []
    for _ in range(TIMES):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent)


def _beside() -> Iterator[str]:
    """Windows with and without questions in turn, on one collector under half of the load that it sustains."""
    import ingest_benches as benches

    rate = benches._sustained("http") / 2
    ratios: dict[str, list[float]] = {"acked": [], "p99": [], "cpu": []}
    for pair in range(PAIRS):
        found = {}
        for asking in (False, True) if pair % 2 else (True, False):
            found[asking] = _window(rate, asking)
        plain, asked = found[False], found[True]
        ratios["acked"].append(asked.acked / max(1, plain.acked))
        ratios["p99"].append(asked.at(0.99) / plain.at(0.99))
        ratios["cpu"].append(
            (sum(asked.cpu_s.values()) / max(1, asked.acked))
            / (sum(plain.cpu_s.values()) / max(1, plain.acked))
        )
    medians = {name: statistics.median(values) for name, values in ratios.items()}
    yield (
        f"beside {rate:,.0f} spans/s offered, one of each question every {EVERY_S:.0f} s, "
        f"{PAIRS} pairs of {WINDOW_S:.0f} s: "
        f"acked {medians['acked']:.2f} of what it is without (bar 0.90), p99 {medians['p99']:.2f}, "
        f"CPU a span {medians['cpu']:.2f}, questions included"
    )


def _window(rate: float, asking: bool) -> ingest_run.Result:
    with ingest_run.collector("--journal-max", "256MB") as serving:
        job = Job("http", serving.endpoints["http"], 32, 512, WINDOW_S, 1, rate=rate / 512, warm_up_s=3.0)
        done = threading.Event()
        asker = threading.Thread(target=_ask_often, args=(serving.endpoints["api"], done), daemon=True)
        if asking:
            asker.start()
        result = ingest_run.run(serving, [job])
        done.set()
        if asking:
            asker.join(60)
    return result


def _ask_often(address: str, done: threading.Event) -> None:
    span = (START // 10**9, START // 10**9 + HOUR_S)
    with httpx.Client(base_url=f"http://{address}", timeout=60) as client:
        while not done.wait(EVERY_S):
            for _, requests in questions(span).values():
                _ask(client, requests)


if __name__ == "__main__":
    main(sys.argv[1:])
