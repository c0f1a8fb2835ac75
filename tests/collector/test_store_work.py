"""The threads of storage: they begin and end in any order, and the journal of earlier lives is let go of too."""

from __future__ import annotations

import json
import os
from pathlib import Path

import duckdb
import pytest
from otlp_requests import as_request, one_span
from support import wait_for

from bindtrace.collector import child
from bindtrace.collector.journal.reader import JournalReader
from bindtrace.collector.journal.segment import JournalWriter
from bindtrace.collector.store import work as work_module
from bindtrace.collector.store.loader import Loader
from bindtrace.collector.store.opening import journal_of
from bindtrace.collector.store.work import Work
from bindtrace.queries.analyse import analyse
from bindtrace.queries.database import cursor


def write(db: Path, receiver: str, *numbers: int) -> None:
    """By a receiver that is gone afterwards."""
    writer = JournalWriter(journal_of(db) / receiver)
    writer.append([as_request(one_span(number), received=2**62) for number in numbers])
    writer.close()


def journal_bytes(db: Path) -> int:
    """What is there, loaded or not; segments may go meanwhile."""
    return JournalReader(journal_of(db)).waiting_bytes({})


def test_what_earlier_lives_loaded_is_let_go_of_before_the_journal_is_full(
    con: duckdb.DuckDBPyConnection, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed again and again, each life loads little; counts of refused requests keep each from being idle."""
    monkeypatch.setattr(work_module, "CHECKPOINT_IDLE_S", 3600.0)
    for life in range(4):
        write(db, f"receiver {life}", *range(life * 10, life * 10 + 10))
        Loader(cursor(con), journal_of(db)).step()
    full = journal_bytes(db)
    write(db, "receiver 4", 40)
    work = Work(Loader(cursor(con), journal_of(db)), cursor(con), pytest.fail, journal_bytes=full)

    work.start()
    wait_for(lambda: journal_bytes(db) == 0, seconds=20, what=lambda: f"{journal_bytes(db)} bytes to go")
    work.stop(hurry=True)
    work.join()

    assert con.execute("select count(*) from spans").fetchall() == [(41,)]


def test_what_is_loaded_is_let_go_of_when_idle_though_the_log_is_empty(
    con: duckdb.DuckDBPyConnection, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill between a checkpoint and what it lets go of."""
    monkeypatch.setattr(work_module, "CHECKPOINT_IDLE_S", 0.1)
    write(db, "receiver", 1)
    Loader(cursor(con), journal_of(db)).step()
    analyse(cursor(con))
    con.execute("checkpoint")
    loader = Loader(cursor(con), journal_of(db))
    assert loader.wal_bytes() == 0
    work = Work(loader, cursor(con), pytest.fail)

    work.start()
    wait_for(lambda: journal_bytes(db) == 0, seconds=20, what="the journal to be let go of")
    work.stop(hurry=True)
    work.join()


def test_who_is_told_to_end_before_it_began_ends_without_a_fault(
    con: duckdb.DuckDBPyConnection, db: Path
) -> None:
    """The supervisor may be killed while storage opens its database."""
    failures: list[str] = []
    for _ in range(20):
        work = Work(Loader(cursor(con), journal_of(db)), cursor(con), failures.append)
        work.stop(hurry=True)
        work.start()
        work.join()

    assert failures == []


def test_a_supervisor_that_is_gone_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    read, written = os.pipe()
    with os.fdopen(written, "w") as out:
        monkeypatch.setattr("sys.stdout", out)
        child.announce_ready({"pid": 1})
        assert json.loads(os.read(read, 100)) == {"pid": 1}
        os.close(read)

        child.announce_ready({"pid": 1})


def test_a_last_checkpoint_that_is_put_off_is_tried_again(
    con: duckdb.DuckDBPyConnection, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that is still being read stands in its way: without it the journal's segment would stay."""
    write(db, "receiver", 1)
    made, tries = Loader.checkpoint, 0

    def once_put_off(loader: Loader, *, beside: bool = False) -> bool:
        nonlocal tries
        tries += 1
        return tries > 1 and made(loader, beside=beside)

    monkeypatch.setattr(Loader, "checkpoint", once_put_off)
    work = Work(Loader(cursor(con), journal_of(db)), cursor(con), pytest.fail)
    work.start()
    work.stop()
    work.join()

    assert (tries, journal_bytes(db)) == (2, 0)
