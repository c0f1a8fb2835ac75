"""What real senders write that OTLP does not say, and that is taken all the same: counted by name for each sender."""

from __future__ import annotations

from collections import Counter
from typing import Final

from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

Quirks = Counter[str]

ENUM_NAME: Final = (
    "enum-name"  # "kind": "server", Vercel's drains; "SPAN_KIND_SERVER", protobuf's JSON printers
)
SNAKE_CASE: Final = "snake-case-key"
BASE64_ID: Final = "base64-id"  # protobuf's JSON printers
SPLIT_INTEGER: Final = "split-integer"  # {"low": 1, "high": 2}, OpenTelemetry JS without BigInt
LIBRARY_SPANS: Final = "instrumentation-library-spans"  # OTLP before 0.19
BYTE_ORDER_MARK: Final = "byte-order-mark"
BAD_UTF8: Final = "bad-utf8"
CHUNKED: Final = "chunked-body"  # Envoy's HTTP exporter: no Content-Length
LONG_VALUE: Final = "long-value"  # a text of more than 64 KiB, a list of more than 2 MiB: cut there

_OLD_FIELD = 1000
_OLD_TAG = b"\xc2\x3e"


def adopt_library_spans(request: ExportTraceServiceRequest, body: bytes, quirks: Quirks) -> None:
    """Moves spans of the field that OTLP 0.15 to 0.18 called `instrumentation_library_spans` to where they are now."""
    if _OLD_TAG not in body:
        return
    for resource_spans in request.resource_spans:
        for field in UnknownFieldSet(resource_spans):
            if field.field_number == _OLD_FIELD and isinstance(field.data, bytes):
                resource_spans.scope_spans.append(ScopeSpans.FromString(field.data))
                quirks[LIBRARY_SPANS] += 1
    if quirks[LIBRARY_SPANS]:
        request.DiscardUnknownFields()
