"""Several collectors, one lake with its catalog in PostgreSQL: one view, whoever of them is alive."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from bench.recipe import requests
from killing import judge
from postgres import Postgres, postgres
from routing import deliver, ids_of
from serving import collecting
from sharing import killed_twice, spans_in
from support import free_port, wait_for

from bindtrace.queries.database import join_lake, open_database, open_lake
from bindtrace.queries.lake.naming import Lake, LakeRefusal, lake_at


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as own:
        yield own


@pytest.fixture
def catalog(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of a database that no other test has."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
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
    assert "starts again" not in said
    assert server.password not in said


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


def began(path: Path, lake: Lake) -> duckdb.DuckDBPyConnection:
    con = open_database(path)
    join_lake(con, lake)
    return con
