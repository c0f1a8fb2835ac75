"""What campaigns of kills share: whom to kill, and a load that remembers every answer it got."""

from __future__ import annotations

import http.client
import os
import threading
import time
from collections import Counter
from collections.abc import Sequence

from receiving import PROTOBUF, export
from serving import Collector

RETRYABLE = {429, 502, 503, 504}


def everything(collector: Collector) -> None:
    children = collector.children()
    for process in (*children["receive"], *children["store"]):
        process.kill()
    collector.process.kill()


def supervisor(collector: Collector) -> None:
    collector.children()
    collector.process.kill()


def judge(acknowledged: Sequence[bytes], found: Counter[bytes], said: str = "") -> None:
    """Acknowledged is stored, and nothing is twice."""
    lost = set(acknowledged) - set(found)
    assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged spans are lost {said}"
    assert [span_id.hex() for span_id, count in found.items() if count > 1] == [], said


class Hammer:
    """Requests of `spans` spans over HTTP, as fast as answers come; counts every status, keeps what was taken."""

    def __init__(self, address: str, *, senders: int = 4, spans: int = 1) -> None:
        self.acknowledged: list[bytes] = []
        self.answers: Counter[int] = Counter()
        self._address = address
        self._spans = spans
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(senders)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> list[bytes]:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self.acknowledged

    def _send(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=10)
        while not self._stop.is_set():
            ids = [os.urandom(8) for _ in range(self._spans)]
            try:
                connection.request("POST", "/v1/traces", export(*ids).SerializeToString(), PROTOBUF)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):  # no answer: a sender sends it again
                connection.close()
                connection = http.client.HTTPConnection(self._address, timeout=10)
                time.sleep(0.01)
                continue
            self.answers[answer.status] += 1
            if answer.status == 200:
                self.acknowledged += ids
            else:
                time.sleep(0.05)
        connection.close()
