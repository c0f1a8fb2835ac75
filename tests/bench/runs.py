"""`python tests/bench runs [SPANS…]`: what one run of the analysis costs over so many new spans, step by step. CPU.

The spans are those of the ingest benches (`recipe.py`), stored in loads as a collector under load makes them. DuckDB
has one thread, as in the storage process of a machine with two cores.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
from ingest_bodies import Stamped, prepared
from ingest_grown import SPANS, stored_request
from sealed_days import cpu
from steps import watched

from bindtrace.collector.store.writer import Writer
from bindtrace.queries.analyse import analyse
from bindtrace.queries.database import cursor, open_database

SIZES = (4_096, 20_480, 40_960)
LOAD = 4_096
"""Spans of one load."""
BEFORE = 5 * 40_960
"""Spans that are stored and analysed before the first run."""
TIMES = 5
SHOWN = 8


def main(arguments: list[str]) -> None:
    """Prints a line a size, and under it the steps that cost most."""
    print(f"load average at start: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="bindtrace-bench-") as folder:
        con = open_database(Path(folder) / "runs.duckdb")
        con.execute("set threads = 1")
        for line in _measured(con, [int(one) for one in arguments] or list(SIZES)):
            print(line, flush=True)
        con.close()


def _measured(con: duckdb.DuckDBPyConnection, sizes: list[int]) -> Iterator[str]:
    bodies, writer, analysis = iter(Stamped(prepared(1, SPANS), 1)), Writer(cursor(con)), cursor(con)

    def store(spans: int) -> None:
        for _ in range(spans // LOAD):
            writer.write([stored_request(next(bodies)) for _ in range(LOAD // SPANS)])

    store(BEFORE)
    analyse(analysis)
    for size in sizes:
        size -= size % LOAD
        runs = []
        for _ in range(TIMES):
            store(size)
            with watched() as steps:
                spent_s = cpu(lambda: analyse(analysis))
            runs.append((spent_s, {name: spent.cpu_s for name, spent in steps.items()}))
        spent_s, by_step = min(runs, key=lambda run: run[0])
        yield (
            f"{size:>7,} new spans: {spent_s * 1e3:6.0f} ms of CPU, least of {TIMES} "
            f"({spent_s / size * 1e6:.1f} us a span)"
        )
        most = sorted(by_step.items(), key=lambda step: -step[1])[:SHOWN]
        yield "         " + ", ".join(f"{name} {seconds * 1e3:.0f}" for name, seconds in most)
