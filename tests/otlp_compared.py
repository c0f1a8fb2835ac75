"""What tests of intakes share: a request as plain values, so that two conversions of one trace can be compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue


class Flat(NamedTuple):
    """A span with its resource, all that two converters of one format must agree on."""

    trace_id: str
    span_id: str
    parent_span_id: str
    kind: int
    name: str
    start: int
    end: int
    status: int
    message: str
    resource: dict[str, Any]
    attributes: dict[str, Any]
    events: list[tuple[int, str, dict[str, Any]]]


def flat(request: ExportTraceServiceRequest) -> list[Flat]:
    """Its spans, sorted."""
    return sorted(
        (
            Flat(
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                span.kind,
                span.name,
                span.start_time_unix_nano,
                span.end_time_unix_nano,
                span.status.code,
                span.status.message,
                values(part.resource.attributes),
                values(span.attributes),
                [(event.time_unix_nano, event.name, values(event.attributes)) for event in span.events],
            )
            for part in request.resource_spans
            for scope in part.scope_spans
            for span in scope.spans
        ),
        key=lambda span: (span.trace_id, span.span_id, span.kind, span.start),
    )


def values(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    """Attributes as Python has them; fails where a key stands twice."""
    pairs = [(attribute.key, _value(attribute.value)) for attribute in attributes]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None
