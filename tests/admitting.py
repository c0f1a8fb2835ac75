"""What every answer of admission must be, whatever the bytes; shared by vectors, campaigns and the fuzz."""

from __future__ import annotations

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bindtrace.collector.journal.record import Request
from bindtrace.collector.otlp.admit import Admitted, Undecodable


def as_journaled(admitted: Admitted) -> Request:
    """The record that a receiver would write."""
    return Request(admitted.sender, "http", "protobuf", 1, bytes(16), admitted.spans, admitted.body)


def judge(answer: object) -> None:
    """Fails unless the answer is one of the two, and what was admitted is what it says."""
    if isinstance(answer, Undecodable):
        assert answer.message
        return
    assert isinstance(answer, Admitted)
    request = ExportTraceServiceRequest.FromString(answer.body)
    spans = [span for part in request.resource_spans for scope in part.scope_spans for span in scope.spans]
    assert len(spans) == answer.spans
    assert sum(answer.reasons.values()) == answer.rejected
    assert bool(answer.message) == bool(answer.rejected)
    for span in spans:
        assert len(span.trace_id) == 16 and any(span.trace_id)  # noqa: PT018
        assert len(span.span_id) == 8 and any(span.span_id)  # noqa: PT018
        assert len(span.parent_span_id) in (0, 8)
