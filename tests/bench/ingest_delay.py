"""How long a request takes from its acknowledgement until queries see its rows, and its hop. Measures only."""

from __future__ import annotations

import threading
import time
import urllib.request
from typing import NamedTuple

import ingest_run
from ingest_bodies import Stamped, prepared
from ingest_sender import Job
from serving import Collector

PAUSE_S = 0.25
POLL_S = 0.02


class Delays(NamedTuple):
    """Of single requests, in seconds: until their rows are there, and until their hops are."""

    rows: list[float]
    hops: list[float]


def delays(serving: Collector, rate: float, seconds: float) -> Delays:
    """While `rate` requests of 512 spans a second come beside them."""
    beside = None
    if rate:
        job = Job("http", serving.endpoints["http"], 32, 512, seconds, 7, rate=rate, warm_up_s=2.0)
        beside = threading.Thread(target=ingest_run.run, args=(serving, [job]))
        beside.start()
        time.sleep(8.0)  # the sender prepares its bodies, then warms up
    bodies = iter(Stamped(prepared(9, 20, 2_000), 9))
    found = Delays([], [])
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        position = _send(serving, next(bodies))
        acked = time.monotonic()
        _wait_for_rows(serving, position)
        found.rows.append(time.monotonic() - acked)
        _wait(serving, position)
        found.hops.append(time.monotonic() - acked)
        time.sleep(PAUSE_S)
    if beside is not None:
        beside.join()
    return found


def _send(serving: Collector, body: bytes) -> str:
    request = urllib.request.Request(
        f"http://{serving.endpoints['http']}/v1/traces",
        data=body,
        headers={"content-type": "application/x-protobuf"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.headers["bindtrace-position"])


def _wait_for_rows(serving: Collector, position: str) -> None:
    """The status tells how far each segment is loaded; a segment that it does not name was loaded and let go."""
    segment, _, offset = position.partition(":")
    seen = False
    while True:
        positions = dict(each.split(":") for each in ingest_run.status_of(serving)["positions"])
        seen = seen or segment in positions
        if int(positions.get(segment, offset if seen else -1)) >= int(offset):
            return
        time.sleep(POLL_S)


def _wait(serving: Collector, position: str) -> None:
    url = f"http://{serving.endpoints['api']}/api/wait?position={position}&timeout=30"
    with urllib.request.urlopen(url, timeout=60) as answer:
        answer.read()
