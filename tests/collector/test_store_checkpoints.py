"""Checkpoints that others write beside: nobody waits, no row moves, a kill loses nothing, and room is freed in time."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from otlp_requests import as_request, one_span

from bindtrace.collector.journal.segment import JournalWriter
from bindtrace.collector.store.checkpoints import BESIDE_IN_A_ROW, Checkpoints
from bindtrace.collector.store.drain import drain
from bindtrace.collector.store.gate import Gate
from bindtrace.collector.store.loader import Loader
from bindtrace.collector.store.opening import journal_of
from bindtrace.queries.analyse import analyse
from bindtrace.queries.database import ROW_GROUP_SIZE, cursor, open_database

NOW = 2**62  # later than any clock: what a test sends is recent
SLEEP_MS = 3_000


@pytest.fixture
def loader(con: duckdb.DuckDBPyConnection, db: Path) -> Iterator[Loader]:
    """With a few spans loaded, of a journal that goes on."""
    writer = JournalWriter(journal_of(db) / "receiver")
    writer.append([as_request(one_span(number), received=NOW) for number in range(20)])
    made = Loader(cursor(con), journal_of(db))
    while made.step():
        pass
    yield made
    writer.close()


@contextmanager
def during_a_checkpoint(con: duckdb.DuckDBPyConnection, loader: Loader, *, beside: bool) -> Iterator[None]:
    """DuckDB sleeps in the middle of one while the block runs."""
    con.execute(f"set debug_checkpoint_sleep_ms = {SLEEP_MS}")
    done: list[bool] = []
    thread = threading.Thread(target=lambda: done.append(loader.checkpoint(beside=beside)))
    thread.start()
    time.sleep(1)  # DuckDB does not say when it has begun
    try:
        yield
    finally:
        thread.join()
        con.execute("set debug_checkpoint_sleep_ms = 0")
    assert done == [True]


def write_something(con: duckdb.DuckDBPyConnection) -> float:
    """How long it had to wait, in seconds."""
    began = time.monotonic()
    con.execute("insert into meta values ('other', 'writer')")
    return time.monotonic() - began


def killed_beside_a_checkpoint(con: duckdb.DuckDBPyConnection, db: Path, loader: Loader) -> Path:
    """The database as a kill leaves it, after another writer's commit."""
    killed = db.parent / "killed"
    with during_a_checkpoint(con, loader, beside=True):
        write_something(con)
        shutil.copytree(db.parent, killed, ignore=shutil.ignore_patterns(killed.name))
    assert (killed / f"{db.name}.wal.checkpoint").exists()
    return killed / db.name


def hops(con: duckdb.DuckDBPyConnection) -> int:
    return int(con.execute("select count(*) from hops").fetchall()[0][0])


@pytest.mark.slow
@pytest.mark.parametrize("beside", [True, False])
def test_a_writer_waits_for_a_checkpoint_only_where_it_is_not_beside_it(
    con: duckdb.DuckDBPyConnection, loader: Loader, *, beside: bool
) -> None:
    with during_a_checkpoint(con, loader, beside=beside):
        assert (write_something(con) < SLEEP_MS / 2e3) is beside

    assert con.execute("select value from meta where key = 'other'").fetchall() == [("writer",)]


@pytest.mark.slow
def test_a_run_is_stored_beside_a_checkpoint(con: duckdb.DuckDBPyConnection, loader: Loader) -> None:
    with during_a_checkpoint(con, loader, beside=True):
        analyse(cursor(con))
        during = hops(con)

    assert during > 0
    assert hops(con) == during


def test_no_row_is_numbered_anew_beside_others(con: duckdb.DuckDBPyConnection, loader: Loader) -> None:
    """A run names spans by their row numbers, from its first step to its last. Row groups move as wholes."""

    def places() -> list[tuple[int, int]]:
        return con.execute("select rowid, span_id from spans order by rowid").fetchall()

    con.execute("insert into spans select s.* from spans as s, range(3000)")
    con.execute(f"delete from spans where rowid <= {ROW_GROUP_SIZE}")
    before = places()

    assert loader.checkpoint(beside=True)
    assert places() == before
    con.execute(f"delete from spans where rowid <= {ROW_GROUP_SIZE + 1}")
    assert loader.checkpoint()
    assert places()[0] < before[0]
    assert [span for _, span in places()] == [span for _, span in before[1:]]


def test_where_no_journal_is_kept_none_is_made_beside_others(
    con: duckdb.DuckDBPyConnection, db: Path
) -> None:
    """As after a start with another policy and no traffic: there is nothing to commit by which no row would move."""
    idle = Loader(cursor(con), journal_of(db))
    con.execute("insert into meta values ('other', 'writer')")

    assert not idle.checkpoint(beside=True)

    assert idle.wal_bytes() > 0
    assert idle.checkpoint()
    assert idle.wal_bytes() == 0


@pytest.mark.slow
def test_a_kill_beside_a_checkpoint_loses_nothing(
    con: duckdb.DuckDBPyConnection, db: Path, loader: Loader
) -> None:
    analyse(cursor(con))
    stored = hops(con)
    killed = killed_beside_a_checkpoint(con, db, loader)

    again = open_database(killed)
    assert again.execute("select count(*) from spans").fetchall() == [(20,)]
    assert again.execute("select value from meta where key = 'other'").fetchall() == [("writer",)]
    assert hops(again) == stored > 0
    again.close()


@pytest.mark.slow
def test_a_damaged_second_log_is_moved_with_the_first(
    con: duckdb.DuckDBPyConnection, db: Path, loader: Loader
) -> None:
    """The journal, of which nothing is let go before a checkpoint is finished, brings all of it back."""
    killed = killed_beside_a_checkpoint(con, db, loader)
    second = killed.with_name(f"{db.name}.wal.checkpoint")
    bytes_there = bytearray(second.read_bytes())
    bytes_there[len(bytes_there) // 2] ^= 0xFF
    second.write_bytes(bytes_there)

    drain(killed)

    again = open_database(killed)
    assert again.execute("select count(*) from spans").fetchall() == [(20,)]
    assert hops(again) > 0
    again.close()


def test_after_some_beside_others_one_has_the_gate_to_itself(loader: Loader) -> None:
    gate = Gate()
    checkpoints = Checkpoints(loader, gate, lambda: 0)
    with gate:
        for _ in range(BESIDE_IN_A_ROW):
            checkpoints.make(0)
            assert not checkpoints.due.is_set()
        assert loader.counts.checkpoints == BESIDE_IN_A_ROW
        checkpoints.make(0)
        assert checkpoints.due.is_set()
    assert loader.counts.checkpoints == BESIDE_IN_A_ROW

    checkpoints.make(0)

    assert not checkpoints.due.is_set()
    with gate:
        checkpoints.make(0)
    assert loader.counts.checkpoints == BESIDE_IN_A_ROW + 2


def test_one_that_was_put_off_is_no_longer_due_once_it_was_made_beside_others(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a burst. Analysis waits for what is due, for as long as every load brings something."""
    gate = Gate()
    checkpoints = Checkpoints(loader, gate, lambda: 0)
    with gate:
        with monkeypatch.context() as burst:
            burst.setattr(Loader, "behind", True)
            assert not checkpoints.make(0)
        assert checkpoints.due.is_set()

        assert checkpoints.make(0)

        assert not checkpoints.due.is_set()


@pytest.mark.parametrize(("freed", "beside"), [([0, 7], True), ([0, 0], False)])
def test_where_room_is_to_be_freed_nobody_may_be_beside(
    loader: Loader, freed: list[int], *, beside: bool
) -> None:
    """What was deleted or sealed keeps its room until then; where the file has a largest size, all of it counts."""
    gate, now = Gate(), iter(freed)
    checkpoints = Checkpoints(loader, gate, lambda: next(now), beside=beside)
    checkpoints.make()

    with gate:
        checkpoints.make(0)
        assert checkpoints.due.is_set()

    assert loader.counts.checkpoints == 1
