"""Request bodies for senders: made once from the recipe, and different in every sending. Sends nothing.

A body is stamped before it is sent: four bytes of every trace id in it, those of links too, and eight digits of the
request ids of roots become the number of the sending. So no digest comes twice, every trace is new, and none is joined
to one that was sent before. Other attribute values come again after `SPANS_PREPARED` spans.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import recipe
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SPANS_PREPARED = 60_000
REQUEST_ID = "http.request.header.x-request-id"


def prepared(seed: int, spans_per_request: int, spans: int = SPANS_PREPARED) -> list[bytes]:
    """Bodies of about so many spans in all."""
    made = recipe.requests(seed, spans_per_request)
    return [next(made)[0] for _ in range(max(1, spans // spans_per_request))]


class Stamped:
    """Endless distinct bodies; `sender` (0 to 255) tells processes apart."""

    def __init__(self, bodies: list[bytes], sender: int) -> None:
        self._bodies = [(bytearray(body), *_places(body)) for body in bodies]
        self._sender = sender

    def __iter__(self) -> Iterator[bytes]:
        number = 0
        while True:
            for body, ids, texts in self._bodies:
                number += 1
                stamp = bytes([self._sender]) + number.to_bytes(3, "big")
                for at in ids:
                    body[at : at + 4] = stamp
                for at in texts:
                    body[at : at + 8] = stamp.hex().encode()
                yield bytes(body)


def _places(body: bytes) -> tuple[list[int], list[int]]:
    """Where each trace id of the body begins, and where each request id of a root does."""
    message = ExportTraceServiceRequest.FromString(body)
    spans = [span for part in message.resource_spans for scope in part.scope_spans for span in scope.spans]
    traces = {span.trace_id for span in spans} | {link.trace_id for span in spans for link in span.links}
    requests = {
        pair.value.string_value.encode()
        for span in spans
        if not span.parent_span_id
        for pair in span.attributes
        if pair.key == REQUEST_ID
    }
    return _found(traces, body), _found(requests, body)


def _found(values: set[bytes], body: bytes) -> list[int]:
    return [found.start() for value in values for found in re.finditer(re.escape(value), body)]
