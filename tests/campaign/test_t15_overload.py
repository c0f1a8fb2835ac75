"""T15: more than it can store: refused as retryable, within its memory, nothing acknowledged lost, soon well again."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from campaigning import quantity
from killing import RETRYABLE, Hammer, judge
from serving import Collector, collecting, stored
from support import wait_for

RSS_BYTES = 1 << 30  # of all processes, issue: 1 GiB under overload
RECOVERY_S = 10.0
QUERY_P95_S = 2.0


def resident(collector: Collector) -> int:
    collector.children()
    total = 0
    for process in collector.seen:
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total


@contextlib.contextmanager
def slow_storage(collector: Collector) -> Iterator[None]:
    """At the lowest priority of the machine: storage falls behind, as with four times the load it can take."""
    for process in collector.children()["store"]:
        process.nice(19)
    yield


def asked_s(collector: Collector) -> float:
    began = time.monotonic()
    connection = http.client.HTTPConnection(collector.endpoints["api"], timeout=60)
    connection.request("GET", "/api/reports/edges")
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200
    connection.close()
    return time.monotonic() - began


@pytest.mark.timeout(3600)
def test_overload_is_refused_and_survived(tmp_path: Path) -> None:
    db = tmp_path / "t.duckdb"
    took: list[float] = []
    largest = 0
    with (
        collecting(db, "--journal-max", "4MiB", "--disk-reserve", "1MiB") as collector,
        slow_storage(collector),
    ):
        hammer = Hammer(collector.endpoints["http"], senders=12, spans=200)
        ends = time.monotonic() + quantity(600, 15)
        while time.monotonic() < ends:
            took.append(asked_s(collector))
            largest = max(largest, resident(collector))
            time.sleep(0.2)
        acknowledged = hammer.stop()
        after = Hammer(collector.endpoints["http"], senders=1)
        wait_for(lambda: after.acknowledged, seconds=RECOVERY_S, what="a request to be taken after the load")
        acknowledged += after.stop()
        assert collector.stop() == 0
    said = f"answers {dict(hammer.answers)}, {len(acknowledged)} spans, {largest >> 20} MiB, slowest {max(took):.2f} s"
    print(said)
    assert set(hammer.answers) <= {200, *RETRYABLE}, said
    assert hammer.answers[503] + hammer.answers[429] > 0, f"it was no overload: {said}"
    assert largest < RSS_BYTES, said
    assert sorted(took)[int(len(took) * 0.95)] < QUERY_P95_S, said
    judge(acknowledged, stored(db), said)
