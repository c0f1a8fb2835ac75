"""`python tests/bench sealed [DAYS [SPANS [TIMES]]]`: days of load in a file that seals, then questions. Measures only.

Days are simulated: spans are stored as received on that day, and sealed some hours later. The questions are asked TIMES
over, a line each. Times are CPU seconds: clocks tell more of the neighbours than of us.
"""

from __future__ import annotations

import resource
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import recipe

from bindtrace.collector.journal.record import Request
from bindtrace.collector.store.retention import used_bytes
from bindtrace.collector.store.sealing import SEAL_SPANS
from bindtrace.collector.store.writer import Writer
from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import cursor, join_lake, open_database, reader
from bindtrace.queries.lake import upkeep
from bindtrace.queries.lake.naming import lake_beside
from bindtrace.queries.lake.sealing import due, seal
from bindtrace.queries.query import Query
from bindtrace.queries.stored_traces import spans_of, wanted

DAY_NANO = 86_400 * 10**9
HOUR_NANO = 3600 * 10**9
FIRST_DAY = 20_800
SPANS_AT_ONCE = 512
LOADS_A_DAY = 8
LOOKED_UP = 25


class Day(NamedTuple):
    """CPU seconds of one day's work, and bytes at its end."""

    stored_s: float
    analysed_s: float
    sealed_s: float
    kept_s: float
    longest_step_s: float
    file_bytes: int
    used_bytes: int


def main(arguments: list[str]) -> None:
    days, spans, times = (
        int(arguments[place]) if len(arguments) > place else default
        for place, default in enumerate((7, 160_000, 1))
    )
    with tempfile.TemporaryDirectory() as folder:
        for line in _measured(Path(folder), days, spans, times):
            print(line, flush=True)


def _measured(folder: Path, days: int, spans: int, times: int):  # type: ignore[no-untyped-def]
    db = folder / "t.duckdb"
    con = open_database(db)
    con.execute("set threads = 1")
    con.execute("set memory_limit = '384 MiB'")
    con.execute("set checkpoint_threshold = '1TB'")
    join_lake(con, lake_beside(db))
    bodies = recipe.requests(7, SPANS_AT_ONCE)
    writer = Writer(cursor(con))
    for number in range(days):
        day = _one_day(con, writer, bodies, db, FIRST_DAY + number, spans)
        each = spans / 1e6
        yield (
            f"day {number + 1}: us/span stored {day.stored_s / each:.1f}, analysed {day.analysed_s / each:.1f}, "
            f"sealed {day.sealed_s / each:.1f}, upkeep {day.kept_s / each:.1f}; "
            f"longest seal {day.longest_step_s:.2f} s; "
            f"file {day.file_bytes / 2**20:.0f} MiB, used {day.used_bytes / 2**20:.0f}"
        )
    for table in ("spans", "hops"):
        files = list((Path(lake_beside(db).data) / "main" / table).rglob("*.parquet"))
        rows = _number(con, f"select count(*) from lake.main.{table}")
        size = sum(file.stat().st_size for file in files)
        yield f"{table}: {rows:,} rows, {size / rows:.1f} bytes each, {len(files)} files"
    for _ in range(times):
        yield from _questions(con)
    con.close()


def _one_day(con: Any, writer: Writer, bodies: Any, db: Path, day: int, spans: int) -> Day:
    stored = analysed = sealed = longest = 0.0
    groups = max(1, spans // LOADS_A_DAY // SPANS_AT_ONCE)
    for part in range(LOADS_A_DAY):
        received = day * DAY_NANO + part * DAY_NANO // LOADS_A_DAY
        # its traces begin within the hour before
        recipe.START = received - 3600 * 10**9
        requests = [
            Request(
                "bench/sdk", "http", "protobuf", received, uuid.uuid4().bytes, SPANS_AT_ONCE, next(bodies)[0]
            )
            for _ in range(groups)
        ]
        stored += cpu(lambda requests=requests: writer.write(requests))
        analysed += cpu(lambda: analyse(con))
        closed = received - DAY_NANO // LOADS_A_DAY // 2
        while (upto := due(con, closed, closed, SEAL_SPANS)) is not None:
            took = cpu(lambda upto=upto, received=received: seal(con, upto, received))
            sealed, longest = sealed + took, max(longest, took)
        con.execute("checkpoint")
    kept = cpu(lambda: [step(con, (day + 1) * DAY_NANO, upkeep.Upkeep()) for step in upkeep.STEPS])
    con.execute("checkpoint")
    return Day(stored, analysed, sealed, kept, longest, db.stat().st_size, used_bytes(con))


def _questions(con: Any):  # type: ignore[no-untyped-def]
    own = reader(con)
    (high,) = own.execute("select max(start_time_unix_nano) + 1 from lake.main.hops").fetchone()
    (rare,) = own.execute(
        "select arg_min(trace_id, start_time_unix_nano) from lake.main.hops where start_time_unix_nano > $1",
        [high - HOUR_NANO],
    ).fetchone()
    of_one = {"trace_id": rare.hex}
    for name, filters in (("chain", of_one), ("hops", of_one), ("edges", {}), ("chains", {})):
        pair = [
            min(cpu(lambda name=name, query=query: run_report(own, name, query)) for _ in range(3))
            for query in (
                Query(
                    since_unix_nano=since,
                    until_unix_nano=high,
                    filters=filters,
                    limit=None if filters else 100,
                )
                for since in (high - HOUR_NANO, 0)
            )
        ]
        what = "of one trace" if filters else "100 rows"
        hour, every = (seconds * 1e3 for seconds in pair)
        yield f"{name}, {what}: {hour:.0f} ms of an hour, {every:.0f} ms of all days: x{every / hour:.1f}"
    traces = [
        row[0]
        for row in own.execute(
            f"select distinct trace_id from lake.main.spans using sample {LOOKED_UP}"
        ).fetchall()
    ]
    took = sorted(cpu(lambda trace=trace: spans_of(own, wanted(own, [trace]))) for trace in traces)
    yield f"trace by id in the lake: {took[len(took) // 2] * 1e3:.0f} ms, at most {took[-1] * 1e3:.0f}"
    own.close()


def _number(con: Any, text: str) -> int:
    return int(con.execute(text).fetchall()[0][0])


def cpu(work: Callable[[], object]) -> float:
    began = resource.getrusage(resource.RUSAGE_SELF)
    work()
    ended = resource.getrusage(resource.RUSAGE_SELF)
    return ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
