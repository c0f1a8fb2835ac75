"""T15: more than it can store: senders wait, within its memory, nothing acknowledged lost, soon well again.

The senders are exporters of the real SDK, six of each protocol. Answers are held while storage is behind; refusals,
where the journal fills all the same, are those that an exporter sends again.
"""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow as pa
from campaigning import quantity
from receiving import Load
from sdk_senders import GIVEN_UP, SdkSenders
from serving import Collector, collecting
from support import wait_for

from bindtrace.collector.journal.reader import JournalReader
from bindtrace.collector.store.opening import journal_of
from bindtrace.queries.database import open_database

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
        senders(tmp_path, collector) as sending,
    ):
        ends = time.monotonic() + quantity(600, 15)
        while time.monotonic() < ends:
            took.append(asked_s(collector))
            largest = max(largest, resident(collector))
            behind = behind or journal.waiting_bytes({}) > JOURNAL_BYTES // 5
            time.sleep(0.2)
        said = sending.stop()
        after = Load(collector.endpoints["http"], senders=1)
        wait_for(lambda: after.acknowledged, seconds=RECOVERY_S, what="a request to be taken after the load")
        after.stop()
        assert collector.stop() == 0
    acknowledged = sending.acknowledged()
    p95 = sorted(took)[int(len(took) * 0.95)]
    line = f"{said}, {acknowledged.num_rows} spans, {largest >> 20} MiB, p95 {p95:.2f} s, slowest {max(took):.2f} s"
    print(line)
    assert behind, f"it was no overload: {line}"
    assert {code for each in said.values() for code in each["codes"]} <= GIVEN_UP, line
    assert min(each["batches"] - each["given_up"] for each in said.values()) > 0, line
    judge_ids(acknowledged, db, line)
    assert largest < RSS_BYTES, line
    assert p95 < QUERY_P95_S, line


@contextlib.contextmanager
def senders(folder: Path, collector: Collector) -> Iterator[SdkSenders]:
    made = SdkSenders(folder, collector.endpoints)
    try:
        yield made
    finally:
        made.kill()


def judge_ids(acknowledged: pa.Table, db: Path, line: str) -> None:
    """As `killing.judge`, of millions."""
    con = open_database(db)
    con.register("acknowledged", acknowledged)
    lost = con.execute("select count(*) from acknowledged anti join spans using (span_id)").fetchone()
    twice = con.execute("select count(*) - count(distinct span_id) from spans").fetchone()
    con.close()
    assert (lost, twice) == ((0,), (0,)), f"lost, twice of {acknowledged.num_rows} acknowledged spans; {line}"
