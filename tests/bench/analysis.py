"""How long analysis and its questions take, at one million stored spans and at ten; sends and receives nothing.

`python tests/bench analysis [SPANS…]`: 8 to 40 spans a trace, 20 services, a quarter of them behind a sidecar, loads
of 5,000 spans, 278 spans/s of telemetry time, so that the last hour is one million spans whatever is stored. Beside
each figure stands the plain recursive query that a reader would write over the spans (the baseline of the same run).
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
from steps import watched

from bindtrace.queries import analyse as analysis
from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import open_database
from bindtrace.queries.query import Query

Con = duckdb.DuckDBPyConnection

MILLION = 1_000_000
LOAD = 5_000
MEAN = 24  # spans a trace
START = 1_790_000_000 * 10**9
TRACE_NANO = 86_400_000  # between two traces: one million spans an hour
PAIRS = 9

_RESOURCES = """
insert into resources by name
select md5('r' || i || side)::uuid as resource_id,
    '{"service.name":"svc' || i || '","side":"' || side || '"}' as attributes,
    0 as dropped_attributes_count, 1 as load_id, 'svc' || i as service, case when side = 'proxy' then 'envoy' end as sdk
from range(20) as a(i), (values ('app'), ('proxy')) as b(side)
"""

# Visits of four spans: a sidecar's server span (or the service's own), the service's (or one inside), and up to two
# calls, each to a visit of its own as long as there are spans for it. A call of which no callee is there is unanswered.
# Who calls whom is one of 23 call graphs.
_SPANS = """
insert into spans by name
with traces as (
    select t, 8 + (hash(t) % 33)::bigint as size, (hash(t) % 23 * 64)::bigint as route
    from range($first, $last) as a(t)
),
drawn as (
    select t, k, k // 4 as visit, k % 4 as place, (hash(route + k // 4) % 20)::bigint as service,
        route, k // 4 * 2 + k % 4 - 1 as called, $start + t * $gap + k * 100000 as start, size
    from traces, range(40) as b(k)
    where k < size
),
told as (
    select *, place = 3 or (place = 2 and called * 4 < size) as calls, service % 4 = 0 as meshed from drawn
)
select
    md5('t' || t)::uuid as trace_id,
    (t * 64 + k + 1)::ubigint as span_id,
    case
        when k = 0 then null
        when place = 0 then t * 64 + (visit - 1) // 2 * 4 + 3 - visit % 2 + 1
        when place = 3 then t * 64 + k - 1
        else t * 64 + k
    end::ubigint as parent_span_id,
    (case when place = 0 then 768 else 256 end)::uinteger as flags,
    'GET /orders' as name,
    (case when place = 0 or (place = 1 and meshed) then 2 when calls then 3 else 1 end)::utinyint as kind,
    start::ubigint as start_time_unix_nano,
    (start + 8000000 - k * 150000)::ubigint as end_time_unix_nano,
    (case when hash(t * 64 + k) % 200 = 0 then 2 else 0 end)::utinyint as status_code,
    0 as dropped_attributes_count, 0 as dropped_events_count, 0 as dropped_links_count,
    md5('r' || service || case when place = 0 and meshed then 'proxy' else 'app' end)::uuid as resource_id,
    md5('scope')::uuid as instrumentation_scope_id,
    start::ubigint as received_unix_nano,
    (1 + (t * $mean) // $load)::ubigint as load_id,
    case when calls or place = 0 then 'GET' end as http_method,
    case when calls or place = 0 then 200 end::usmallint as http_status,
    case when calls then 'svc' || (hash(route + called) % 20) || '.internal' end as server_host,
    case when calls or place = 0 then '/orders/' || (hash(t) % 97) end as url_path,
    case when place = 0 and meshed then 'proxy' end as component,
    {attributes} as attributes
from told
"""

_BASELINE = """
with recursive own as (
    select s.trace_id, s.span_id, any_value(s.parent_span_id) as parent_span_id, any_value(r.service) as service,
        any_value(s.kind = 2 and s.component is null) as serves,
        any_value(s.end_time_unix_nano - s.start_time_unix_nano) as nano,
        bool_or(s.status_code = 2) as error
    from spans as s join resources as r using (resource_id)
    where s.start_time_unix_nano >= $since
    group by s.trace_id, s.span_id
),
roots as (
    select o.* from own as o
    left join own as p on p.trace_id = o.trace_id and p.span_id = o.parent_span_id
    where p.span_id is null
),
walk as (
    select trace_id, span_id, nano, error, service as path, 0 as depth from roots
    union all
    select o.trace_id, o.span_id, o.nano, o.error,
        case when o.serves then w.path || '>' || o.service else w.path end, w.depth + 1
    from walk as w
    join own as o on o.trace_id = w.trace_id and o.parent_span_id = w.span_id
    where w.depth < 64
)
select path, count(*), quantile_cont(nano, 0.5), quantile_cont(nano, 0.95), count(*) filter (error)
from walk
group by path
"""


def main(arguments: list[str]) -> None:
    """Prints one table a size. Each size is generated and measured in a process of its own, for its peak memory."""
    sizes = [int(one) for one in arguments] or [MILLION]
    with tempfile.TemporaryDirectory(prefix="bindtrace-bench-") as folder:
        stored = {size: Path(folder) / f"{size}.duckdb" for size in sizes}
        print(f"load average at start: {os.getloadavg()[0]:.1f}")
        rebuilt: dict[int, float] = {}
        for size, path in stored.items():
            _apart(_generate, path, size)
            lines, rebuilt[size] = _apart(_measure, path, size)
            print("\n".join(lines), flush=True)
        if len(sizes) > 1:
            small, large = min(sizes), max(sizes)
            print(f"rebuild of {large:,} takes {rebuilt[large] / rebuilt[small]:.1f} times that of {small:,}")
        for line in _apart(_incremental, list(stored.items())):
            print(line, flush=True)


def _apart(work: Callable[..., Any], *arguments: Any) -> Any:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def _open(path: Path) -> Con:
    con = open_database(path)
    con.execute("set enable_progress_bar = false")
    return con


def _generate(path: Path, size: int, attributes: str = "null") -> None:
    """`attributes`: SQL for the JSON of a span's attributes, over trace `t` and place `k`."""
    con = _open(path)
    con.execute(_RESOURCES)
    traces = size // MEAN
    for first in range(0, traces, 20_000):
        _draw(con, first, min(first + 20_000, traces), attributes)
    con.execute("checkpoint")
    con.close()


def _draw(con: Con, first: int, last: int, attributes: str = "null") -> None:
    values = {"first": first, "last": last, "start": START, "gap": TRACE_NANO, "mean": MEAN, "load": LOAD}
    con.execute(_SPANS.replace("{attributes}", attributes), values)


def _measure(path: Path, size: int) -> tuple[list[str], float]:
    """The lines to print, and the seconds of the rebuild."""
    con = _open(path)
    count = _one(con, "select count(*) from spans")
    lines = [
        f"{count:,} spans stored, DuckDB {duckdb.__version__}, "
        f"{_one(con, 'select current_setting($$threads$$)')} threads"
    ]
    cpu_s = time.process_time()
    with watched() as steps:
        seconds = _timed(lambda: analysis.rebuild(con, shares=analysis.cores(con)))
    cpu_s = time.process_time() - cpu_s
    seconds_of = {name: spent.wall_s for name, spent in steps.items()}
    hops = _one(con, "select count(*) from hops")
    peak = _peak_mib()
    plain = _timed(lambda: con.execute(_BASELINE, {"since": 0}).fetchall())
    lines.append(
        f"  rebuild            {seconds:8.2f} s  {cpu_s / count * 1e6:.1f} us CPU a span  {hops:,} hops"
        f"  peak {peak:,.0f} MiB"
        f"  plain recursive query {plain:.2f} s ({seconds / plain:.1f} of it)"
    )
    lines += [
        f"    {name:<14} {spent:8.2f} s  {spent / sum(seconds_of.values()):5.0%}"
        for name, spent in sorted(seconds_of.items(), key=lambda kv: -kv[1])[:12]
    ]
    trace = _one(con, f"select replace(md5('t{size // MEAN // 2}')::uuid::varchar, '-', '')")
    one = _median(lambda: run_report(con, "chain", Query(filters={"trace_id": trace})))
    since = int(_one(con, "select max(start_time_unix_nano) from spans")) - 3600 * 10**9
    hour = _median(lambda: run_report(con, "chains", Query(since_unix_nano=since)))
    plain = _timed(lambda: con.execute(_BASELINE, {"since": since}).fetchall())
    lines.append(f"  one chain          {one * 1e3:8.1f} ms")
    lines.append(f"  chains, last hour  {hour * 1e3:8.1f} ms  plain recursive query {plain * 1e3:,.0f} ms")
    lines.append(f"  peak memory        {_peak_mib():8,.0f} MiB")
    con.close()
    return lines, seconds


def _incremental(stored: list[tuple[int, Path]]) -> list[str]:
    """New loads of 5,000 spans, the sizes taking turns, so that a busy machine slows both alike."""
    open_ = [(size, _open(path)) for size, path in stored]
    spent: dict[int, list[float]] = defaultdict(list)
    lines = []
    for turn in range(PAIRS):
        for size, con in open_:
            load = size // LOAD + 2 + turn
            _draw(con, -(-load * LOAD // MEAN), -(-(load + 1) * LOAD // MEAN))
            spent[size].append(_timed(lambda con=con: analysis.analyse(con)))  # type: ignore[misc]
    for size, times in spent.items():
        lines.append(
            f"incremental at {size:>11,}: {LOAD:,} new spans in {statistics.median(times) * 1e3:6.0f} ms"
            f" (median of {PAIRS})"
        )
    if len(spent) > 1:
        small, large = (spent[size] for size in (min(spent), max(spent)))
        ratio = statistics.median(b / a for a, b in zip(small, large, strict=True))
        lines.append(f"incremental, ratio of the pairs: {ratio:.2f}")
    return lines


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _median(work: Callable[[], object], times: int = 9) -> float:
    return statistics.median(_timed(work) for _ in range(times))


def _one(con: Con, sql: str) -> Any:
    row = con.execute(sql).fetchone()
    assert row is not None
    return row[0]


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(sys.argv[1:])
