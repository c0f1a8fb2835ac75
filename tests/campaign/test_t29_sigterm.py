"""T29: SIGTERM, SIGINT, a second signal, the parent's death, under load: nothing is lost, nobody is misled."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from campaigning import SEED, quantity
from killing import RETRYABLE, judge
from receiving import Load
from serving import Collector, collecting, stored
from support import wait_for

EXIT_S = 10.0


def terminate(collector: Collector) -> int | None:
    collector.process.terminate()
    return 0


def interrupt(collector: Collector) -> int | None:
    collector.process.send_signal(signal.SIGINT)
    return 0


def twice(collector: Collector) -> int | None:
    collector.process.terminate()
    time.sleep(0.05)
    collector.process.terminate()
    return None


def parent_dies(collector: Collector) -> int | None:
    collector.process.kill()
    return None


@pytest.mark.parametrize("end", [terminate, interrupt, twice, parent_dies])
def test_an_end_under_load_is_an_orderly_one(tmp_path: Path, end: Callable[[Collector], int | None]) -> None:
    rnd = random.Random(SEED)
    db = tmp_path / "t.duckdb"
    acknowledged: list[bytes] = []
    for _ in range(quantity(15, 1)):
        with collecting(db) as collector:
            load = Load(collector.endpoints["http"], senders=4)
            wait_for(lambda: len(load.acknowledged) > 50, seconds=30)  # noqa: B023
            time.sleep(rnd.random())
            collector.children()
            began = time.monotonic()
            wanted = end(collector)
            status = collector.process.wait(30)
            wait_for(lambda: not collector.left_behind(), seconds=EXIT_S, what="every process to be gone")
            took = time.monotonic() - began
            acknowledged += load.stop()
        assert wanted is None or status == wanted
        assert took < EXIT_S + 2
        assert set(load.answers) <= {200, *RETRYABLE}, load.answers
    with collecting(db) as last:
        assert last.stop() == 0
    judge(acknowledged, stored(db), f"(seed {SEED})")
