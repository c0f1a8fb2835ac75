"""A fatal error of the database: a new handle once; a second time storage stays away, and receivers go on."""

from __future__ import annotations

import errno
import http.client
import json
from pathlib import Path
from typing import Any

import pytest
from preloading import shim
from receiving import Load
from serving import Collector, collecting, stored
from support import set_all, wait_for

from bindtrace.collector.store.faults import recorded

pytestmark = pytest.mark.slow


def get(collector: Collector, path: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(collector.endpoints["api"], timeout=10)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    except OSError:
        return 0, None
    finally:
        connection.close()


@pytest.fixture
def failing_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The 80th sync of DuckDB's log fails in every process, or in one only where the mark is asked for."""
    library = shim(tmp_path)
    set_all(
        monkeypatch,
        {
            "LD_PRELOAD": str(library),
            "FAULT_PATH": "t.duckdb.wal",
            "FAULT_CALL": "sync",
            "FAULT_NTH": "80",
            "FAULT_ERRNO": str(errno.EIO),
            "FAULT_TIMES": "0",
        },
    )
    return tmp_path / "mark"


def judge(acknowledged: list[bytes], db: Path) -> None:
    found = stored(db)
    assert set(acknowledged) - set(found) == set()
    assert [span_id for span_id, count in found.items() if count > 1] == []


def test_after_one_failed_sync_the_database_is_opened_anew(
    tmp_path: Path, failing_sync: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULT_MARK", str(failing_sync))
    db = tmp_path / "t.duckdb"
    with collecting(db, receivers=1) as collector, Load(collector.endpoints["http"], senders=2) as load:
        wait_for(lambda: recorded(db, "fatal"), seconds=20, what="the sync to fail")
        wait_for(lambda: get(collector, "/readyz")[0] == 200, seconds=20, what="storage to be back")
        acknowledged = load.stop()
        assert collector.stop() == 0

    assert [entry["kind"] for entry in recorded(db, "fatal")] == ["fatal"]
    judge(acknowledged, db)


def test_after_a_second_one_storage_stays_away_and_receivers_go_on(
    tmp_path: Path, failing_sync: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = tmp_path / "t.duckdb"
    with collecting(db, receivers=1) as collector, Load(collector.endpoints["http"], senders=2) as load:
        wait_for(lambda: len(recorded(db, "fatal")) == 2, seconds=30, what="the sync to fail again")
        wait_for(lambda: get(collector, "/readyz")[0] == 503, what="storage to say so")
        sent = len(load.acknowledged)
        wait_for(lambda: len(load.acknowledged) > sent + 50, what="receivers to go on")
        status = get(collector, "/api/status")[1]
        asked = get(collector, "/api/reports/services")
        acknowledged = load.stop()
        collector.stop()

    assert (status["ready"], len(status["faults"])) == (False, 2)
    assert asked[0] == 503
    assert "storage is away" in asked[1]["error"]["message"]
    monkeypatch.delenv("LD_PRELOAD")
    with collecting(db, receivers=1) as after:
        assert after.stop() == 0
    judge(acknowledged, db)
