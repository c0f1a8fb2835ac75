"""T17: the disk fills up, in the reserve, in the log, in a checkpoint; senders are refused, nothing is lost.

Recovery is by itself, within ten seconds of space coming back.
"""

from __future__ import annotations

import http.client
import random
from pathlib import Path

import pytest
from campaigning import SEED, quantity
from receiving import PROTOBUF, Load, export
from serving import Collector, collecting, stored
from small_disk import fill, small_disk
from support import wait_for

MIB = 1 << 20
RESERVE = 8 * MIB


def answer(collector: Collector) -> tuple[int, str]:
    connection = http.client.HTTPConnection(collector.endpoints["http"], timeout=10)
    try:
        connection.request("POST", "/v1/traces", export(b"\1" * 8).SerializeToString(), PROTOBUF)
        reply = connection.getresponse()
        reply.read()
        return reply.status, reply.getheader("retry-after", "")
    finally:
        connection.close()


def refused(collector: Collector) -> bool:
    """One answer: storage may make room before the next."""
    status, again_s = answer(collector)
    assert status != 503 or again_s in ("1", "2", "3", "4", "5")
    return status == 503


def is_ready(collector: Collector) -> bool:
    connection = http.client.HTTPConnection(collector.endpoints["api"], timeout=10)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@pytest.mark.timeout(1200)
def test_a_full_disk_refuses_before_and_recovers_after(tmp_path: Path) -> None:
    rnd = random.Random(SEED)
    acknowledged: list[bytes] = []
    with small_disk(tmp_path / "disk", 64) as disk:
        db, ballast = disk / "t.duckdb", disk / "ballast"
        options = ("--disk-reserve", str(RESERVE), "--max-size", "48MiB", "--journal-max", "8MiB")
        with collecting(db, *options) as collector:
            for number in range(quantity(20, 3)):
                with Load(collector.endpoints["http"]) as load:
                    wait_for(lambda: len(load.acknowledged) > 100, seconds=30)
                    # Within the reserve; and, past it, so that the log or a checkpoint meets the end of the disk.
                    fill(ballast, leave=rnd.choice((RESERVE // 2, 0)) if number else RESERVE // 2)
                    wait_for(lambda: refused(collector), seconds=10, what="senders to be refused")
                    ballast.unlink()
                    before = len(load.acknowledged)
                    wait_for(lambda: len(load.acknowledged) > before, seconds=10, what="recovery")  # noqa: B023
                    wait_for(lambda: is_ready(collector), seconds=20, what="storage to be back")
                    acknowledged += load.stop()
            assert collector.stop() == 0
        found = stored(db)
    assert set(acknowledged) - set(found) == set()
    assert [span for span, count in found.items() if count > 1 and span != b"\1" * 8] == []
