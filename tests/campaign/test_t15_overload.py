"""T15: more than it can store: senders wait, within its memory, nothing acknowledged lost, soon well again.

Answers are held while storage is behind; refusals, where the journal fills all the same, are retryable ones.
"""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from campaigning import quantity
from killing import RETRYABLE, Hammer, judge
from serving import Collector, collecting, stored
from support import wait_for

from bindtrace.collector.journal.reader import JournalReader
from bindtrace.collector.store.opening import journal_of

RSS_BYTES = 1 << 30  # of all processes, issue: 1 GiB under overload
RECOVERY_S = 10.0
JOURNAL_BYTES = 4 << 20
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


def test_overload_is_slowed_down_and_survived(tmp_path: Path) -> None:
    db = tmp_path / "t.duckdb"
    took: list[float] = []
    journal = JournalReader(journal_of(db))
    largest = 0
    behind = False
    with (
        collecting(db, "--journal-max", str(JOURNAL_BYTES), "--disk-reserve", "1MiB") as collector,
        slow_storage(collector),
    ):
        hammer = Hammer(collector.endpoints["http"], senders=12, spans=200)
        ends = time.monotonic() + quantity(600, 15)
        while time.monotonic() < ends:
            took.append(asked_s(collector))
            largest = max(largest, resident(collector))
            behind = behind or journal.waiting_bytes({}) > JOURNAL_BYTES // 5
            time.sleep(0.2)
        acknowledged = hammer.stop()
        after = Hammer(collector.endpoints["http"], senders=1)
        wait_for(lambda: after.acknowledged, seconds=RECOVERY_S, what="a request to be taken after the load")
        acknowledged += after.stop()
        assert collector.stop() == 0
    said = f"answers {dict(hammer.answers)}, {len(acknowledged)} spans, {largest >> 20} MiB, slowest {max(took):.2f} s"
    print(said)
    assert set(hammer.answers) <= {200, *RETRYABLE}, said
    assert behind, f"it was no overload: {said}"
    assert largest < RSS_BYTES, said
    assert sorted(took)[int(len(took) * 0.95)] < QUERY_P95_S, said
    judge(acknowledged, stored(db), said)
