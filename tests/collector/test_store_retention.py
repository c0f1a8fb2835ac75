"""The oldest goes, in steps, by age and by size; what is left is whole, and freed space is used again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from bindtrace.collector.quantities import DURATION, SIZE
from bindtrace.collector.store import retention as retaining
from bindtrace.collector.store.gate import Gate
from bindtrace.collector.store.retention import Limits, Retention, checkpoint_bytes, used_bytes
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.queries.database import cursor, open_database

DAY = 86_400 * 10**9


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = open_database(tmp_path / "t.duckdb")
    connection.execute("set checkpoint_threshold = '1TB'")
    yield connection
    connection.close()


def load(con: duckdb.DuckDBPyConnection, load_id: int, count: int, received: int) -> None:
    """Spans with attributes that do not compress, each of a trace of its own, with a hop and a link."""
    con.execute(
        """
        insert into spans by name
        select uuid() as trace_id, range::ubigint as span_id, 0 as flags, 'n' as name, 2 as kind,
            0 as start_time_unix_nano, 0 as end_time_unix_nano, 0 as status_code,
            md5(random()::varchar) || md5(random()::varchar) || md5(random()::varchar) as attributes,
            0 as dropped_attributes_count, 0 as dropped_events_count, 0 as dropped_links_count,
            uuid() as resource_id, uuid() as instrumentation_scope_id, $2::ubigint as received_unix_nano,
            $1::ubigint as load_id
        from range($3)
        """,
        [load_id, received, count],
    )
    con.execute(
        "insert into trace_links select trace_id, trace_id, load_id from spans where load_id = $1", [load_id]
    )


def retention(con: duckdb.DuckDBPyConnection, limits: Limits, checkpoints: list[int]) -> Retention:
    return Retention(cursor(con), limits, Gate(), lambda: len(checkpoints))


def count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(con.execute(f"select count(*) from {table}").fetchall()[0][0])


def test_what_is_older_than_the_age_goes_with_its_links(con: duckdb.DuckDBPyConnection) -> None:
    now = now_unix_nano()
    load(con, 1, 1000, now - 8 * DAY)
    load(con, 2, 500, now - DAY)

    gone = retention(con, Limits(keep_nano=7 * DAY), []).once(threading.Event())

    assert (gone, count(con, "spans"), count(con, "trace_links")) == (1000, 500, 500)


def test_the_newest_row_stays_however_old(con: duckdb.DuckDBPyConnection) -> None:
    load(con, 1, 10, 1)

    retention(con, Limits(keep_nano=DAY), []).once(threading.Event())

    assert count(con, "spans") == 1


def test_steps_are_bounded_and_stop_when_asked(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retaining, "STEP_ROWS", 100)
    load(con, 1, 1000, 1)
    stop = threading.Event()
    worker = retention(con, Limits(keep_nano=DAY), [])
    monkeypatch.setattr(worker, "_checkpoints", stop.set)
    original = worker._step

    def one(rows: int, before: int) -> int:
        stop.set()
        return original(rows, before)

    monkeypatch.setattr(worker, "_step", one)

    assert worker.once(stop) == 100


def test_nothing_goes_without_a_limit(con: duckdb.DuckDBPyConnection) -> None:
    load(con, 1, 10, 1)

    assert retention(con, Limits(), []).once(threading.Event()) == 0


@pytest.mark.slow
def test_the_file_stops_growing_and_its_space_is_used_again(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    limit = 24 * 1024 * 1024
    checkpoints: list[int] = []
    worker = retention(con, Limits(max_bytes=limit), checkpoints)
    sizes, loaded = [], 0
    for number in range(1, 25):
        load(con, number, 30_720, number)
        loaded += 30_720
        con.execute("checkpoint")
        checkpoints.append(number)
        worker.once(threading.Event())
        sizes.append((tmp_path / "t.duckdb").stat().st_size)

    assert loaded - worker.deleted_spans == count(con, "spans") > 0
    assert worker.deleted_spans > loaded / 2
    assert max(sizes) <= limit * 1.25, sizes
    assert max(sizes[12:]) <= max(sizes[:12]) * 1.1, sizes
    assert used_bytes(con) <= limit
    oldest = con.execute("select min(received_unix_nano) from spans").fetchall()[0][0]
    assert oldest > 1  # the oldest went first


def test_digests_are_forgotten_after_a_day_and_beyond_a_number(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retaining, "DIGESTS", 100)
    now = now_unix_nano()
    con.execute("insert into requests select uuid(), $1::ubigint from range(50)", [now - 2 * DAY])
    con.execute("insert into requests select uuid(), $1::ubigint + range::ubigint from range(300)", [now])

    retention(con, Limits(), []).once(threading.Event())

    assert 100 <= count(con, "requests") <= 101


def test_a_small_database_is_checkpointed_sooner() -> None:
    assert checkpoint_bytes(Limits(max_bytes=8 << 20)) == 1 << 20
    assert checkpoint_bytes(Limits(max_bytes=100 << 30)) == checkpoint_bytes(Limits()) == 64 << 20


@pytest.mark.parametrize(
    ("text", "value"), [("2GB", 2 * 10**9), ("512MiB", 512 << 20), ("1.5g", 3 << 29), ("4096", 4096)]
)
def test_sizes_are_read_as_they_are_written(text: str, value: int) -> None:
    assert SIZE.convert(text, None, None) == value


@pytest.mark.parametrize(("text", "value"), [("7d", 604_800), ("12h", 43_200), ("90s", 90)])
def test_durations_are_read_as_they_are_written(text: str, value: int) -> None:
    assert DURATION.convert(text, None, None) == value
