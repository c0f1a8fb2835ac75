"""How long a request takes from its acknowledgement until queries see its hop. Measures only."""

from __future__ import annotations

import threading
import time
import urllib.request

import ingest_run
from ingest_bodies import Stamped, prepared
from ingest_sender import Job
from serving import Collector

PAUSE_S = 0.25


def delays(serving: Collector, rate: float, seconds: float) -> list[float]:
    """Of single requests, in seconds, while `rate` requests of 512 spans a second come beside them."""
    beside = None
    if rate:
        job = Job("http", serving.endpoints["http"], 32, 512, seconds, 7, rate=rate, warm_up_s=2.0)
        beside = threading.Thread(target=ingest_run.run, args=(serving, [job]))
        beside.start()
        time.sleep(8.0)  # the sender prepares its bodies, then warms up
    bodies = iter(Stamped(prepared(9, 20, 2_000), 9))
    found: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        position = _send(serving, next(bodies))
        acked = time.monotonic()
        _wait(serving, position)
        found.append(time.monotonic() - acked)
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


def _wait(serving: Collector, position: str) -> None:
    url = f"http://{serving.endpoints['api']}/api/wait?position={position}&timeout=30"
    with urllib.request.urlopen(url, timeout=60) as answer:
        answer.read()
