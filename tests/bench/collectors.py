"""`python tests/bench collectors`: what 1, 2 and 3 collectors on one machine take and seal into a lake. Only measures.

Each has senders of its own, in a closed loop, which stand for a router by trace id. CPU beside rates: on two cores
three collectors share what one has.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ingest_run
import psutil
from ingest_sender import Job
from postgres import Postgres, postgres
from serving import collecting

from bindtrace.queries.database import open_lake

SPANS = 512
SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
SEALED_S = 30 * SECONDS


def collectors() -> Iterator[str]:
    """Acknowledged spans by second and by second of CPU; the catalog's share of it; files and commits of the lake."""
    with postgres() as server:
        os.environ.update(server.environment)
        for count in (1, 2, 3):
            yield from _of(server, count)


def _of(server: Postgres, count: int) -> Iterator[str]:
    catalog = server.new_catalog()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bindtrace-bench-")))
        options = ("--lake", catalog, "--data", str(folder / "data"), "--seal-after", "1s")
        serving = []
        for number in range(count):
            (folder / str(number)).mkdir()
            db = folder / str(number) / "bench.duckdb"
            serving.append(stack.enter_context(collecting(db, *options, receivers=1)))
        before, began = _cpu(server), time.monotonic()
        with ThreadPoolExecutor(count) as pool:
            results = list(
                pool.map(
                    lambda each: ingest_run.run(
                        each[1], [Job("http", each[1].endpoints["http"], 8, SPANS, SECONDS, each[0] + 1)]
                    ),
                    enumerate(serving),
                )
            )
        lake = stack.enter_context(contextlib.closing(open_lake(catalog)))
        sent = sum(result.acked for result in results)
        while _sealed(lake) < sent and time.monotonic() - began < SEALED_S:
            time.sleep(1)
        sealed, took_s = _sealed(lake), time.monotonic() - began
        own = sum(sum(sum(process.cpu_times()[:2]) for process in one.seen) for one in serving)
        spent = _cpu(server) - before
        meta = "__ducklake_metadata_lake"
        ((commits,),) = lake.execute(f"select max(snapshot_id) from {meta}.ducklake_snapshot").fetchall()
        ((files, size),) = lake.execute(
            f"select count(*), sum(file_size_bytes) from {meta}.ducklake_data_file where end_snapshot is null"
        ).fetchall()
        asked = time.monotonic()
        lake.execute("select count(*), count(distinct trace_id) from spans").fetchall()
        asked_s = time.monotonic() - asked
    each = (size or 0) / max(1, sealed)  # nothing may be sealed yet
    rate = sum(result.acked / result.seconds for result in results)
    yield (
        f"{count} collector(s): {rate:,.0f} spans/s acked, {sum(result.refused for result in results)} refused; "
        f"{sealed:,} of {sent:,} and more spans sealed {took_s:.0f} s after the beginning; "
        f"CPU {own:.1f} s of the collectors, {spent:.1f} s of PostgreSQL ({spent / (own + spent):.1%}); "
        f"{commits} commits, {files} files, {each:.1f} bytes a span; counted in {asked_s * 1000:.0f} ms"
    )


def _sealed(lake: object) -> int:
    rows = lake.execute("select coalesce(sum(spans - replaced_spans), 0)::bigint from lake.main.sealed")  # type: ignore[attr-defined]
    return int(rows.fetchall()[0][0])


def _cpu(server: Postgres) -> float:
    """Of the server and of connections that have ended: seconds of CPU since it began."""
    first = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
    main = psutil.Process(first)
    ended = main.cpu_times()
    spent = ended.user + ended.system + ended.children_user + ended.children_system
    for child in main.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            spent += sum(child.cpu_times()[:2])
    return spent
