"""Storage that seals: the file stays small, answers stay whole, kills lose nothing; and what is said of `--keep`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from drawing import SERVER, draw, span
from killing_seals import acknowledged, judge_whole, kill_while_sealing
from receiving import Load
from sealed import database, hot
from serving import collecting, stored
from support import wait_for

from bindtrace.collector.quantities import KEEP
from bindtrace.collector.store.gate import Gate
from bindtrace.collector.store.sealing import Sealer, SealingPlan
from bindtrace.propagation.command import bindtrace
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.analyse import analyse
from bindtrace.queries.database import cursor, join_lake, open_database
from bindtrace.queries.live_source import LiveSource
from bindtrace.queries.query import Query

DAY_S = 86_400


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_kills_during_sealing_lose_and_double_nothing(tmp_path: Path) -> None:
    con = kill_while_sealing(tmp_path, 4, 1)

    judge_whole(con, acknowledged(tmp_path))
    assert con.execute("select count(*) from lake.main.sealed").fetchall()[0][0] > 3
    con.close()


@pytest.mark.slow
def test_a_collector_that_seals_answers_from_both_and_its_file_empties(tmp_path: Path) -> None:
    db = tmp_path / "t.duckdb"
    with collecting(db, "--seal-after", "1s") as collector:
        source = LiveSource(f"http://{collector.endpoints['api']}")

        def status() -> dict[str, Any]:
            return source.status()

        with Load(collector.endpoints["http"]) as load:
            wait_for(lambda: status()["spans_sealed"] > 200, seconds=60, what=lambda: str(status()))
            sent = load.stop()
        wait_for(lambda: status()["spans_sealed"] == len(sent), seconds=60, what=lambda: str(status()))
        said = status()
        services = source.rows("services", Query())
        assert collector.stop() == 0

    assert (said["spans"], said["failure"], said["sealing_failure"]) == (len(sent), None, None)
    assert sum(row["spans"] for row in services) == len(sent)
    assert stored(db).keys() == set(sent)
    con = open_database(db)
    join_lake(con)
    assert (hot(con), hot(con, "hops")) == (0, 0)
    con.close()


@pytest.mark.slow
def test_a_collector_whose_lake_was_deleted_takes_spans_says_so_and_answers_when_it_is_back(
    tmp_path: Path,
) -> None:
    db, lake, away = tmp_path / "t.duckdb", tmp_path / "t.duckdb.lake", tmp_path / "away"
    with collecting(db, "--seal-after", "1s", receivers=1) as collector:
        source = LiveSource(f"http://{collector.endpoints['api']}")
        with Load(collector.endpoints["http"]) as load:
            wait_for(lambda: source.status()["spans_sealed"] > 20, seconds=60, what="sealing")
            sent = load.stop()
        assert collector.stop() == 0
    lake.rename(away)

    with collecting(db, "--seal-after", "1s", receivers=1) as collector:
        source = LiveSource(f"http://{collector.endpoints['api']}")
        with pytest.raises(Refusal, match="is gone, with what this database sealed until"):
            source.rows("services", Query())
        with Load(collector.endpoints["http"]) as load:
            wait_for(lambda: source.status()["spans_loaded"] > 20, seconds=60, what="loading")
            sent += load.stop()
        doctor = CliRunner().invoke(bindtrace, ["doctor", "--url", f"http://{collector.endpoints['api']}"])
        assert not lake.exists()
        away.rename(lake)
        wait_for(
            lambda: source.status()["spans_sealed"] == len(sent),
            seconds=90,
            what=lambda: str(source.status()),
        )
        services = source.rows("services", Query())
        assert collector.stop() == 0

    assert doctor.exit_code == 1
    assert "bindtrace forget-lake" in doctor.output
    assert sum(row["spans"] for row in services) == len(sent)


@pytest.mark.slow
def test_a_lake_that_is_deleted_under_a_collector_is_not_sealed_into(tmp_path: Path) -> None:
    db, lake = tmp_path / "t.duckdb", tmp_path / "t.duckdb.lake"
    con = database(db)
    sealer = Sealer(cursor(con), SealingPlan(1), Gate())
    draw(con, span("shop", SERVER, 1))
    analyse(con)
    assert sealer.once(threading.Event()) == 1
    draw(con, span("shop", SERVER, 2, trace=2))
    analyse(con)
    shutil.rmtree(lake)

    assert sealer.once(threading.Event()) == 0
    assert "is gone" in sealer.failure
    assert hot(con) == 1
    con.close()


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("7d", {"": 7 * DAY_S}),
        ("spans=7d,hops=30d", {"spans": 7 * DAY_S, "hops": 30 * DAY_S}),
        ("hops=12h", {"hops": DAY_S // 2}),
    ],
)
def test_what_is_kept_is_said_for_all_or_by_table(written: str, kept: dict[str, int]) -> None:
    assert KEEP.convert(written, None, None) == kept


@pytest.mark.parametrize("written", ["", "spans", "spans=7d,spans=8d", "7d,hops=3d", "rows=7d", "hops=soon"])
def test_what_cannot_be_kept_is_refused(written: str) -> None:
    with pytest.raises(click.BadParameter):
        KEEP.convert(written, None, None)


def test_keeping_by_table_asks_for_a_lake(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "bindtrace"), "serve", "--keep", "hops=3d"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert "needs a lake" in done.stderr
    assert "--seal-after" in done.stderr
