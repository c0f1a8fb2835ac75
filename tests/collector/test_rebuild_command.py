"""`bindtrace rebuild`: the same hops again, a running collector left alone, and a kill at any moment survived."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from call_graphs import graph
from click.testing import CliRunner, Result
from graph_rows import declare_edge, shuffled_loads, store
from support import fixture

from bindtrace.collector.import_command import import_files
from bindtrace.collector.rebuild_command import rebuild
from bindtrace.queries.analyse import analyse
from bindtrace.queries.database import open_database
from bindtrace.queries.lock import acquire

GRAPHS, LOADS, AT_ONCE = 20, 8, 120
REBUILD = """
import sys
from pathlib import Path
from bindtrace.queries.analyse import Shares, rebuild
from bindtrace.queries.database import open_database
con = open_database(Path(sys.argv[1]))
print("open", flush=True)
rebuild(con, int(sys.argv[2]), shares=Shares(2, 1))
print("done", flush=True)
"""


def run(db: Path) -> Result:
    return CliRunner().invoke(rebuild, ["--db", str(db)])


def hops(db: Path) -> list[Any]:
    con = open_database(db)
    try:
        return con.execute("from hops order by all").fetchall()
    finally:
        con.close()


def test_the_hops_are_the_same_again(tmp_path: Path) -> None:
    db = tmp_path / "traces.duckdb"
    recording = fixture("deathstarbench/otlp/two-traces.otlp.json")
    CliRunner().invoke(import_files, [str(recording), "--db", str(db)])
    before = hops(db)

    result = run(db)

    assert result.exit_code == 0
    assert result.stderr.startswith(f"rebuilt {len(before):,} hops of ")
    assert hops(db) == before


def test_hops_that_were_damaged_come_back(tmp_path: Path) -> None:
    db = tmp_path / "traces.duckdb"
    recording = fixture("deathstarbench/otlp/two-traces.otlp.json")
    CliRunner().invoke(import_files, [str(recording), "--db", str(db)])
    before = hops(db)
    con = open_database(db)
    con.execute("delete from hops where depth > 1")
    con.close()

    run(db)

    assert hops(db) == before


def test_a_collectors_file_is_left_alone_and_its_process_named(tmp_path: Path) -> None:
    db = tmp_path / "traces.duckdb"
    open_database(db).close()
    lock = acquire(db)
    try:
        result = run(db)
    finally:
        lock.release()

    assert result.exit_code == 2
    assert f"process {os.getpid()}" in result.stderr


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    result = run(tmp_path / "nothing.duckdb")

    assert result.exit_code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_at_any_moment_it_loses_and_doubles_nothing(tmp_path: Path) -> None:
    db, seed = tmp_path / "traces.duckdb", random.SystemRandom().randrange(2**31)
    print(f"seed {seed}", file=sys.stderr)
    chance = random.Random(seed)
    con = open_database(db)
    declare_edge(con)
    spans = [span for number in range(GRAPHS) for span in graph(seed + number, number).spans]
    for load_id, part in enumerate(shuffled_loads(spans, seed, LOADS), 1):
        store(con, part, load_id)
    analyse(con)
    whole = con.execute("from hops order by all").fetchall()
    con.close()

    took_s = _rebuild(db)
    for _ in range(4):
        _rebuild(db, kill_after_s=chance.uniform(0, took_s))
        con = open_database(db)
        names, distinct = con.execute(
            "select count(*), count(distinct (trace_id, anchor_span_id, answered)) from hops"
        ).fetchone() or (0, 1)
        assert names == distinct
        analyse(con, AT_ONCE)
        assert con.execute("from hops order by all").fetchall() == whole
        con.close()


def _rebuild(db: Path, kill_after_s: float | None = None) -> float:
    """How long the rebuild took in a process of its own, or until it was killed."""
    with subprocess.Popen(
        [sys.executable, "-c", REBUILD, str(db), str(AT_ONCE)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        began = time.monotonic()
        if kill_after_s is None:
            assert child.wait(timeout=300) == 0
        else:
            try:
                child.wait(timeout=kill_after_s)
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
                child.wait()
        return time.monotonic() - began
