"""kill -9 of any process under load: every acknowledged span is stored, once, and no process is left behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from killing import everything, judge, supervisor
from receiving import Load
from serving import Collector, collecting, stored
from support import wait_for

pytestmark = pytest.mark.slow


def kill_receiver(collector: Collector) -> None:
    collector.children()["receive"][0].kill()


def kill_storage(collector: Collector) -> None:
    collector.children()["store"][0].kill()


@pytest.mark.parametrize("kill", [kill_receiver, kill_storage])
def test_a_killed_child_is_replaced_and_nothing_acknowledged_is_lost(
    tmp_path: Path, kill: Callable[[Collector], None]
) -> None:
    with collecting(tmp_path / "t.duckdb") as collector, Load(collector.endpoints["http"]) as load:
        wait_for(lambda: len(load.acknowledged) > 300)
        kill(collector)
        wait_for(lambda: sorted(map(len, collector.children().values())) == [1, 2], what="a new child")
        sent = len(load.acknowledged)
        wait_for(lambda: len(load.acknowledged) > sent + 300, what="the load to go on")
        acknowledged = load.stop()
        status = collector.stop()
        left = collector.left_behind()

    assert (status, left) == (0, [])
    assert "was ended by SIGKILL; starts again in" in collector.errors.read_text()
    judge(acknowledged, stored(tmp_path / "t.duckdb"))


@pytest.mark.parametrize("kill", [supervisor, everything])
def test_after_a_killed_collector_the_next_one_has_all_that_was_acknowledged(
    tmp_path: Path, kill: Callable[[Collector], None]
) -> None:
    with collecting(tmp_path / "t.duckdb") as collector, Load(collector.endpoints["http"]) as load:
        wait_for(lambda: len(load.acknowledged) > 300)
        kill(collector)
        collector.process.wait(10)
        acknowledged = load.stop()
        wait_for(lambda: not collector.left_behind(), what="every process to be gone")

    with collecting(tmp_path / "t.duckdb") as second:
        status = second.stop()
        left = second.left_behind()

    assert (status, left) == (0, [])
    judge(acknowledged, stored(tmp_path / "t.duckdb"))


def test_a_collector_that_starts_at_once_waits_for_the_children_of_a_killed_one(tmp_path: Path) -> None:
    with collecting(tmp_path / "t.duckdb") as collector, Load(collector.endpoints["http"]) as load:
        wait_for(lambda: len(load.acknowledged) > 100)
        collector.children()
        collector.process.kill()
        with collecting(tmp_path / "t.duckdb", "--http", collector.endpoints["http"]) as second:
            sent = len(load.acknowledged)
            wait_for(lambda: len(load.acknowledged) > sent + 100, what="the load to go on")
            acknowledged = load.stop()
            status = second.stop()

    assert status == 0
    judge(acknowledged, stored(tmp_path / "t.duckdb"))


def test_killed_again_and_again_it_loses_and_doubles_nothing(tmp_path: Path) -> None:
    acknowledged: list[bytes] = []
    for _ in range(3):
        with collecting(tmp_path / "t.duckdb") as collector, Load(collector.endpoints["http"]) as load:
            began = time.monotonic()
            wait_for(lambda: len(load.acknowledged) > 200 and time.monotonic() - began > 0.7)  # noqa: B023
            everything(collector)
            acknowledged += load.stop()

    with collecting(tmp_path / "t.duckdb") as last:
        status = last.stop()

    assert status == 0
    judge(acknowledged, stored(tmp_path / "t.duckdb"))
