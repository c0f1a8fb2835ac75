"""Request bodies for senders: made once from the recipe, and different in every sending. Sends nothing.

A body is stamped before it is sent: four bytes of every trace id in it become the number of the sending, so no digest
comes twice and every trace is new. Other attribute values come again after `BODIES` bodies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import recipe
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SPANS_PREPARED = 60_000


def prepared(seed: int, spans_per_request: int, spans: int = SPANS_PREPARED) -> list[bytes]:
    """Bodies of about so many spans in all."""
    made = recipe.requests(seed, spans_per_request)
    return [next(made)[0] for _ in range(max(1, spans // spans_per_request))]


class Stamped:
    """Endless distinct bodies; `sender` (0 to 255) tells processes apart."""

    def __init__(self, bodies: list[bytes], sender: int) -> None:
        self._bodies = [(bytearray(body), _places(body)) for body in bodies]
        self._sender = sender

    def __iter__(self) -> Iterator[bytes]:
        number = 0
        while True:
            for body, places in self._bodies:
                number += 1
                stamp = bytes([self._sender]) + number.to_bytes(3, "big")
                for at in places:
                    body[at : at + 4] = stamp
                yield bytes(body)


def _places(body: bytes) -> list[int]:
    """Where each trace id of the body's spans begins."""
    message = ExportTraceServiceRequest.FromString(body)
    traces = {
        span.trace_id for part in message.resource_spans for scope in part.scope_spans for span in scope.spans
    }
    return [found.start() for trace in traces for found in re.finditer(re.escape(trace), body)]
