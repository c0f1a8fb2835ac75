"""A router by trace id, in the place of an OpenTelemetry Collector's load-balancing exporter. Judges nothing.

The Collector with that exporter cannot be had where these tests run; like it, this sends each trace to one collector of
a fixed list, and keeps what it could not deliver until that one is back.
"""

from __future__ import annotations

import http.client
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PROTOBUF = {"content-type": "application/x-protobuf"}
RETRY_S = 0.1


def parts(body: bytes, targets: int) -> Iterator[tuple[int, bytes]]:
    """The request cut by trace id: (which target, its part)."""
    found: dict[int, ExportTraceServiceRequest] = {}
    for each in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in each.scope_spans:
            groups: dict[int, list[int]] = {}
            for place, span in enumerate(scope.spans):
                groups.setdefault(zlib.crc32(span.trace_id) % targets, []).append(place)
            for target, places in groups.items():
                part = found.setdefault(target, ExportTraceServiceRequest())
                holder = part.resource_spans.add(resource=each.resource)
                holder.scope_spans.add(scope=scope.scope).spans.extend(scope.spans[place] for place in places)
    for target, part in sorted(found.items()):
        yield target, part.SerializeToString()


class Router:
    """Delivers bodies in a thread; `sent` is what was acknowledged, in order, and `spans` the ids of that."""

    def __init__(self, targets: Sequence[Callable[[], str]], bodies: Iterator[bytes]) -> None:
        """`targets`: where each collector takes OTLP over HTTP just now, as HOST:PORT."""
        self.sent: list[bytes] = []
        self.spans: list[bytes] = []
        self.failed = 0
        self._targets = targets
        self._bodies = bodies
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Returns when all is delivered."""
        self._thread.join()

    def _run(self) -> None:
        for body in self._bodies:
            for target, part in parts(body, len(self._targets)):
                while not deliver(self._targets[target](), part):
                    self.failed += 1
                    time.sleep(RETRY_S)
                self.sent.append(part)
                self.spans += ids_of(part)


def deliver(address: str, body: bytes) -> bool:
    """Whether it was acknowledged."""
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request("POST", "/v1/traces", body, PROTOBUF)
        answer = connection.getresponse()
        answer.read()
        return answer.status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def ids_of(body: bytes) -> list[bytes]:
    """Of the spans of a request."""
    return [
        span.span_id
        for each in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in each.scope_spans
        for span in scope.spans
    ]
