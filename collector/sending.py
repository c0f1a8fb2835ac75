"""Recorded telemetry to a running collector, as any sender sends it, and waiting until questions see it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from bindtrace.collector.journal.segment import Position
from bindtrace.collector.reading import Piece
from bindtrace.collector.receive.status import POSITION_KEY, PROTOBUF
from bindtrace.collector.storing import Outcome
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.live_source import LiveSource

PATIENCE_S: Final = 120.0
"""How long a collector may be too busy, and how long storing may take, before we say so."""
WAIT_S: Final = 30.0


def send(pieces: Iterable[Piece], collector: LiveSource) -> Outcome:
    """Sends everything and returns when the collector's answers hold it. Raises `Refusal`."""
    before = collector.status()
    endpoint = before["endpoints"].get("http")
    if not endpoint:
        raise Refusal(f"{collector.describe()} names no OTLP endpoint", fix="wait until it has started")
    outcome = Outcome()
    sent = 0
    last: dict[object, Position] = {}
    # A proxy of the environment is for the outside, not for a collector that told us its own address.
    with httpx.Client(timeout=PATIENCE_S, trust_env=False) as client:
        for piece in pieces:
            outcome.rejects(piece)
            if not piece.request.spans:
                continue
            reply = _post(client, f"http://{endpoint}/v1/traces", piece.request.body)
            if position := reply.headers.get(POSITION_KEY):
                at = Position.parse(position)
                last[at.segment_id] = max(at, last.get(at.segment_id, at))
            partial = ExportTraceServiceResponse.FromString(reply.content).partial_success
            outcome.rejected += partial.rejected_spans
            sent += piece.request.spans - partial.rejected_spans
        for position in last.values():
            _wait(client, collector.describe(), position)
    again = collector.status().get("spans_deduplicated", 0) - before.get("spans_deduplicated", 0)
    outcome.duplicates = max(0, min(sent, again))
    outcome.spans = sent - outcome.duplicates
    return outcome


def _post(client: httpx.Client, url: str, body: bytes) -> httpx.Response:
    limit = time.monotonic() + PATIENCE_S
    while True:
        try:
            reply = client.post(url, content=body, headers={"content-type": PROTOBUF})
        except httpx.HTTPError as error:
            raise Refusal(f"no answer from {url}: {error}", fix="see that the collector still runs") from None
        if reply.status_code == 200:
            return reply
        if reply.status_code not in (429, 502, 503, 504) or time.monotonic() > limit:
            raise Refusal(f"{url} answered {reply.status_code}", fix="see the collector's own messages")
        time.sleep(min(5.0, _seconds(reply.headers.get("retry-after"))))


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isascii() and text.isdigit() else 1.0


def _wait(client: httpx.Client, url: str, position: Position) -> None:
    limit = time.monotonic() + PATIENCE_S
    visible: Any = False
    while not visible and time.monotonic() < limit:
        try:
            reply = client.get(
                f"{url}/api/wait", params={"position": str(position), "timeout": f"{WAIT_S:g}"}
            )
            visible = reply.status_code == 200 and reply.json().get("visible", False)
        except (httpx.HTTPError, ValueError) as error:
            raise Refusal(f"no answer from {url}: {error}", fix="see that the collector still runs") from None
        if reply.status_code not in (200, 504):
            raise Refusal(
                f"{url}/api/wait answered {reply.status_code}", fix="ask `bindtrace findings` later"
            )
    if not visible:
        raise Refusal(
            f"sent, but not visible to {url} after {PATIENCE_S:g} s",
            fix="it is durable; ask again later, /api/status says how far storing is",
        )
