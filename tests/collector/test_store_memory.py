"""The database keeps to its memory: what does not fit is done on disk, in smaller parts, or a little later."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
from otlp_requests import as_request, one_span
from support import wait_for

from bindtrace.collector.journal import loaded
from bindtrace.collector.journal.segment import JournalWriter
from bindtrace.collector.store import work as work_module
from bindtrace.collector.store.loader import Loader
from bindtrace.collector.store.opening import journal_of
from bindtrace.collector.store.runs import ANALYSED_AT_ONCE, LEAST_AT_ONCE, Runs
from bindtrace.collector.store.work import Work
from bindtrace.queries.analyse import analyse
from bindtrace.queries.database import bound_memory, cursor

NO_MEMORY = duckdb.OutOfMemoryException("Out of Memory Error: could not allocate block")


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "t.duckdb"
    writer = JournalWriter(journal_of(path) / "receiver")
    writer.append([as_request(one_span(1), received=2**62)])
    writer.close()
    return path


def finished(con: duckdb.DuckDBPyConnection, db: Path) -> tuple[Work, list[str]]:
    """After everything that the journal holds was loaded and analysed."""
    failures: list[str] = []
    work = Work(Loader(cursor(con), journal_of(db)), cursor(con), failures.append)
    work.start()
    wait_for(lambda: work.progress.analysed >= 1 or failures, seconds=20, what="the analysis")
    work.stop()
    work.join()
    return work, failures


def test_a_sort_larger_than_the_memory_is_done_on_disk(con: duckdb.DuckDBPyConnection, db: Path) -> None:
    left = db.with_name("t.duckdb.tmp") / "of an earlier life"
    left.parent.mkdir()
    left.write_bytes(b"x")

    bound_memory(con, db, 48 << 20)
    con.execute(
        "create temp table large as select range::varchar || repeat('x', 90) as text from range(800000)"
    )

    assert con.execute("select count(*) from (select text from large order by text)").fetchall() == [
        (800_000,)
    ]
    assert not left.exists()


def test_an_analysis_without_memory_is_tried_again_in_smaller_runs(
    con: duckdb.DuckDBPyConnection, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def short_of_memory(own: duckdb.DuckDBPyConnection, at_once: int, **how: Any) -> int:
        sizes.append(at_once)
        if len(sizes) == 1:
            raise NO_MEMORY
        return analyse(own, at_once, **how)

    monkeypatch.setattr(work_module, "analyse", short_of_memory)
    monkeypatch.setattr(work_module, "FAILED_REST_S", 0.05)

    work, failures = finished(con, db)

    assert sizes[:2] == [ANALYSED_AT_ONCE, ANALYSED_AT_ONCE // 2]
    assert (work.analysis_failure, failures) == ("", [])


def test_a_load_waits_for_memory_and_loses_nothing(
    con: duckdb.DuckDBPyConnection, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Loader.step
    calls: list[int] = []

    def short_of_memory(loader: Loader) -> int:
        calls.append(1)
        if len(calls) == 1:
            raise NO_MEMORY
        return real(loader)

    monkeypatch.setattr(Loader, "step", short_of_memory)

    _, failures = finished(con, db)

    assert failures == []
    assert con.execute("select count(*) from spans").fetchall() == [(1,)]


def test_runs_that_take_long_become_smaller_and_larger_again() -> None:
    runs = Runs()

    for _ in range(10):
        runs.took(9.0)
    smallest = runs.at_once
    for _ in range(20):
        runs.took(0.5)

    assert (smallest, runs.at_once) == (LEAST_AT_ONCE, ANALYSED_AT_ONCE)


def test_runs_never_become_as_large_again_as_memory_did_not_suffice_for() -> None:
    runs = Runs()

    runs.had_too_little_memory()
    for _ in range(20):
        runs.took(0.5)

    assert runs.at_once == ANALYSED_AT_ONCE // 2


def test_storage_says_that_it_is_there_while_it_loads_nothing(
    con: duckdb.DuckDBPyConnection, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_module, "SAY_S", 0.02)
    said = journal_of(db) / loaded.FILE
    work = Work(Loader(cursor(con), journal_of(db)), cursor(con), lambda _: None)
    work.start()
    wait_for(lambda: work.progress.analysed >= 1, seconds=20, what="the analysis")

    os.utime(said, (1, 1))
    wait_for(lambda: said.stat().st_mtime > 1, seconds=20, what="a sign of life")
    work.stop()
    work.join()
    os.utime(said, (1, 1))
    time.sleep(0.1)

    assert said.stat().st_mtime == 1
