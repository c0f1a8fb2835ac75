"""Several collectors, one lake with its catalog in PostgreSQL: one view, whoever of them is alive."""

from __future__ import annotations

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import duckdb
import pytest
from bench.recipe import requests
from drawing import CLIENT, SERVER, draw, span
from killing import everything, judge
from postgres import Postgres, postgres
from routing import deliver, ids_of
from sealed import seal_all
from serving import Collector, collecting
from sharing import BINDTRACE, killed_twice, spans_in
from support import free_port, set_all, wait_for

from bindtrace.collector.store.gate import Gate
from bindtrace.collector.store.sealing import Sealer, SealingPlan
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.analyse import analyse
from bindtrace.queries.database import cursor, join_lake, open_database, open_lake, reader
from bindtrace.queries.lake import upkeep
from bindtrace.queries.lake.loss import LakeLostError
from bindtrace.queries.lake.naming import Lake, LakeRefusal, lake_at
from bindtrace.queries.lake.refusals import LakeAwayError
from bindtrace.queries.live_source import LiveSource
from bindtrace.queries.query import Query


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as own:
        yield own


@pytest.fixture
def catalog(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of a database that no other test has."""
    set_all(monkeypatch, server.environment)
    return server.new_catalog()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_three_collectors_of_which_one_is_killed_twice_are_as_one(catalog: str, tmp_path: Path) -> None:
    answers = killed_twice(tmp_path, catalog, str(tmp_path / "data"), settle_s=150)

    for report, (shared, alone) in answers.items():
        assert alone, report
        assert sorted(map(repr, shared)) == sorted(map(repr, alone)), report


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_while_the_catalog_is_away_spans_are_taken_and_then_sealed(
    server: Postgres, catalog: str, tmp_path: Path
) -> None:
    options = ("--lake", catalog, "--data", str(tmp_path / "data"), "--seal-after", "1s")
    bodies = iter(requests(seed=11, spans_per_request=50))
    sent: list[bytes] = []

    with collecting(tmp_path / "t.duckdb", *options, receivers=1) as collector:
        address = collector.endpoints["http"]
        sent += send(address, next(bodies)[0])
        with closing(open_lake(catalog)) as lake:
            wait_for(lambda: set(sent) <= set(spans_in(lake)), seconds=90, what="the first to be sealed")
        server.stop()
        try:
            sent += send(address, next(bodies)[0])
            time.sleep(4)  # a seal is due meanwhile
            sent += send(address, next(bodies)[0])
        finally:
            server.start()
        sent += send(address, next(bodies)[0])
        with closing(open_lake(catalog)) as lake:
            wait_for(lambda: set(sent) <= set(spans_in(lake)), seconds=150, what="all to be sealed")
            found = spans_in(lake)
        assert collector.stop() == 0

    judge(sent, Counter({span_id: found[span_id] for span_id in sent}))
    said = collector.errors.read_text()
    assert "_failed" in said
    # once in a hundred times DuckDB's client ends the process by SIGABRT, as the server dies while it seals
    assert said.count("starts again") <= 1, said[-5000:]
    assert server.password not in said


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_collector_that_begins_while_the_catalog_is_away_takes_spans_and_seals_them_later(
    server: Postgres, catalog: str, tmp_path: Path
) -> None:
    db = tmp_path / "t.duckdb"
    options = ("--lake", catalog, "--data", str(tmp_path / "data"), "--seal-after", "1s")
    bodies = iter(requests(seed=12, spans_per_request=50))
    with collecting(db, *options, receivers=1) as collector:
        sent = send(collector.endpoints["http"], next(bodies)[0])
        wait_for(lambda: sealed(collector) == len(sent), seconds=90, what="the first to be sealed")
        everything(collector)

    with ExitStack() as stack:
        server.stop()
        with ExitStack() as away:
            away.callback(server.start)
            with collecting(db, *options, receivers=1) as collector:
                sent += send(collector.endpoints["http"], next(bodies)[0])
                with pytest.raises(Refusal, match="the lake is away"):
                    running(collector).rows("chains", Query())
                wait_for(
                    lambda: running(collector).status()["spans_loaded"] == 50, seconds=60, what="the second"
                )
                wait_for(lambda: running(collector).status()["analysis_failure"], seconds=60, what="a wait")
                status, diagnosis = running(collector).status(), doctor(collector)
                assert collector.stop() == 0, collector.errors.read_text()
            collector = stack.enter_context(collecting(db, *options, receivers=1))
            sent += send(collector.endpoints["http"], next(bodies)[0])
        wait_for(lambda: sealed(collector) == len(sent), seconds=150, what="all to be sealed")
        assert running(collector).rows("chains", Query())
        assert running(collector).status()["sealing_failure"] is None
        assert collector.stop() == 0

    assert status["ready"]
    assert "onnection" in status["sealing_failure"]
    assert "waits for the lake" in status["analysis_failure"]
    assert "fail does sealing work" in diagnosis
    assert "fail does it answer: no: the lake is away" in " ".join(diagnosis.split())
    with closing(open_lake(catalog)) as lake:
        assert dict(spans_in(lake)) == dict.fromkeys(sent, 1)
    assert server.password not in collector.errors.read_text()


@pytest.mark.slow
def test_a_catalog_that_was_emptied_is_not_filled_anew(
    server: Postgres, catalog: str, tmp_path: Path
) -> None:
    db = tmp_path / "t.duckdb"
    place = lake_at(catalog, str(tmp_path / "data"))
    con = open_database(db)
    join_lake(con, place)
    draw(con, span("shop", SERVER, 1))
    assert seal_all(con) == 1
    con.close()
    remembered, empty = catalog.partition("dbname=")[2].split()[0], server.new_catalog()
    server.rename(remembered, "elsewhere")
    server.rename(empty.partition("dbname=")[2].split()[0], remembered)

    con = open_database(db)
    with pytest.raises(LakeLostError, match="is gone, with what this database sealed"):
        join_lake(con, place)
    con.close()
    with pytest.raises(Refusal):  # nothing was made in it
        open_lake(catalog)


def test_a_first_start_with_a_catalog_that_does_not_answer_is_refused(tmp_path: Path) -> None:
    lake = lake_at(f"ducklake:postgres:dbname=traces host=127.0.0.1 port={free_port()}", str(tmp_path))

    with closing(open_database(tmp_path / "t.duckdb")) as con, pytest.raises(LakeRefusal) as refused:
        join_lake(con, lake)

    assert not isinstance(refused.value, LakeAwayError)


@pytest.mark.slow
def test_a_catalog_that_dies_between_writing_and_clearing_leaves_each_span_once(
    server: Postgres, catalog: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    con = began(tmp_path / "t.duckdb", lake_at(catalog, str(tmp_path / "data")))
    gate, stop = Gate(), threading.Event()
    sealer = Sealer(cursor(con), SealingPlan(1), gate)
    monkeypatch.setattr(sealer, "_sync", server.stop)  # the lake has the spans, and the file still, too
    draw(con, span("orders", SERVER, 1), span("orders", CLIENT, 2, 1))
    analyse(con)

    try:
        assert sealer.once(stop) == 0
        assert gate.in_doubt
        assert sealer.failure
        draw(con, span("stock", SERVER, 3, 2))  # late, for a trace of which nobody knows where it is
        assert sealer.once(stop) == 0
        assert gate.in_doubt
    finally:
        server.start()
    moved = sealer.once(stop)

    assert (moved, gate.in_doubt, sealer.failure) == (2, "", "")
    assert analyse(con) == 1
    own = reader(con)
    assert sorted(own.execute("select span_id from spans").fetchall()) == [(1,), (2,), (3,)]
    assert own.execute("select count(*) from hops where caller = 'orders'").fetchall() == [(1,)]
    con.close()


def running(collector: Collector) -> LiveSource:
    return LiveSource(f"http://{collector.endpoints['api']}")


def sealed(collector: Collector) -> int:
    """How many of its spans."""
    return int(running(collector).status()["spans_sealed"])


def doctor(collector: Collector) -> str:
    command = [BINDTRACE, "doctor", "--url", f"http://{collector.endpoints['api']}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout


def send(address: str, body: bytes) -> list[bytes]:
    assert deliver(address, body)
    return ids_of(body)


def test_a_catalog_that_does_not_answer_is_named_with_the_fix() -> None:
    with pytest.raises(LakeRefusal) as refused:
        open_lake(f"ducklake:postgres:dbname=traces host=127.0.0.1 port={free_port()}")

    assert "host=127.0.0.1" in refused.value.message
    assert "start PostgreSQL" in refused.value.fix


def test_a_wrong_password_is_named_with_the_fix_and_not_shown(
    catalog: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "not-the-right-one")

    with pytest.raises(LakeRefusal) as refused:
        open_lake(catalog)

    assert "PGPASSWORD" in refused.value.fix
    assert "not-the-right-one" not in str(refused.value)


@pytest.mark.slow
def test_collectors_that_begin_together_make_one_lake(catalog: str, tmp_path: Path) -> None:
    lake = lake_at(catalog, str(tmp_path / "data"))

    with ThreadPoolExecutor(3) as pool:
        opened = list(pool.map(lambda name: began(tmp_path / name, lake), ("a", "b", "c")))

    assert [con.execute("select count(*) from lake.main.sealed").fetchall() for con in opened] == [[(0,)]] * 3
    for con in opened:
        con.close()


@pytest.mark.slow
def test_of_those_that_share_a_lake_one_keeps_it_up_at_a_time(catalog: str, tmp_path: Path) -> None:
    lake = lake_at(catalog, str(tmp_path / "data"))
    one, other = began(tmp_path / "a.duckdb", lake), began(tmp_path / "b.duckdb", lake)

    with upkeep.alone(one) as first:
        for step in upkeep.STEPS:
            step(one, now_unix_nano(), upkeep.Upkeep())
        with upkeep.alone(other) as second:
            pass
    with upkeep.alone(other) as after:
        pass
    holding = upkeep.alone(one)
    holding.__enter__()
    one.close()  # as a process that ends
    with upkeep.alone(other) as when_gone:
        pass

    assert (first, second, after, when_gone) == (True, False, True, True)
    other.close()


def began(path: Path, lake: Lake) -> duckdb.DuckDBPyConnection:
    con = open_database(path)
    join_lake(con, lake)
    return con
