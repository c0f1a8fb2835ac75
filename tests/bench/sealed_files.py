"""`python tests/bench files [MOST]`: what a question costs as the lake has more files: of one trace, and of all. CPU.

Small seals that are not merged stand for the many large ones of a lake that takes a great deal: what is asked of each
file is its statistics, whatever is in it.
"""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path
from typing import Any

import recipe
from sealed_days import DAY_NANO, FIRST_DAY, SPANS_AT_ONCE, cpu

from bindtrace.collector.journal.record import Request
from bindtrace.collector.store.sealing import SEAL_SPANS
from bindtrace.collector.store.writer import Writer
from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import cursor, join_lake, open_database, reader
from bindtrace.queries.lake.naming import lake_beside
from bindtrace.queries.lake.sealing import due, seal
from bindtrace.queries.query import Query
from bindtrace.queries.stored_traces import of_traces, wanted

REQUESTS_A_SEAL = 2
LOOKED_UP = 9


def main(arguments: list[str]) -> None:
    most = int(arguments[0]) if arguments else 128
    with tempfile.TemporaryDirectory() as folder:
        for line in _measured(Path(folder) / "t.duckdb", most):
            print(line, flush=True)


def _measured(db: Path, most: int):  # type: ignore[no-untyped-def]
    con = open_database(db)
    con.execute("set threads = 1")
    join_lake(con, lake_beside(db))
    bodies, writer = recipe.requests(7, SPANS_AT_ONCE), Writer(cursor(con))
    recipe.START = FIRST_DAY * DAY_NANO
    told = 8
    for number in range(1, most + 1):
        received = FIRST_DAY * DAY_NANO + number * 10**9
        group = [
            Request(
                "bench/sdk", "http", "protobuf", received, uuid.uuid4().bytes, SPANS_AT_ONCE, next(bodies)[0]
            )
            for _ in range(REQUESTS_A_SEAL)
        ]
        writer.write(group)
        analyse(con)
        while (upto := due(con, received + 1, received + 1, SEAL_SPANS)) is not None:
            seal(con, upto, received)
        if number == told:
            yield _asked(con, number)
            told *= 2
    con.close()


def _asked(con: Any, seals: int) -> str:
    own = reader(con)
    text = f"select distinct trace_id from lake.main.spans using sample {LOOKED_UP}"
    traces = [row[0] for row in own.execute(text).fetchall()]
    by_id = sorted(cpu(lambda trace=trace: of_traces(own, "spans", wanted(own, [trace]))) for trace in traces)
    edges = min(cpu(lambda: run_report(own, "edges", Query(limit=100))) for _ in range(3))
    ((files, spans),) = own.execute(
        "select (select count(*) from ducklake_list_files('lake', 'spans')), (select count(*) from lake.main.spans)"
    ).fetchall()
    own.close()
    return (
        f"{files} files of spans after {seals} seals, {spans:,} spans: a trace by its id "
        f"{by_id[len(by_id) // 2] * 1e3:.0f} ms, edges of all {edges * 1e3:.0f} ms"
    )
