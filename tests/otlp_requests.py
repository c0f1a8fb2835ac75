"""OTLP requests that tests of the collector send: drawn by hand, and drawn at random by hypothesis."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import sha256

from google.protobuf.json_format import MessageToDict
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    EntityRef,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from bindtrace.collector.journal.record import Request

TRACE_ID = bytes.fromhex("5b8efff798038103d269b633813fc60c")
U32, U64 = 2**32 - 1, 2**64 - 1


def as_request(
    message: ExportTraceServiceRequest, *, received: int = 1_000, sender: str = "s/sdk"
) -> Request:
    """What a receiver would journal for the message."""
    body = message.SerializeToString()
    digest = sha256(sender.encode() + b"\0" + body).digest()[:16]
    spans = sum(len(scope.spans) for part in message.resource_spans for scope in part.scope_spans)
    return Request(sender, "http", "protobuf", received, digest, spans, body)


def as_json(*messages: ExportTraceServiceRequest) -> bytes:
    """One document a line, as protobuf's own printer writes it."""
    return b"".join(json.dumps(MessageToDict(message)).encode() + b"\n" for message in messages)


def attributes(**values: str | int) -> list[KeyValue]:
    """Keyword names with `__` for the dot."""
    return [
        KeyValue(
            key=key.replace("__", "."),
            value=AnyValue(string_value=value) if isinstance(value, str) else AnyValue(int_value=value),
        )
        for key, value in values.items()
    ]


def one_span(
    number: int = 1, *, service: str = "orders", trace_id: bytes = TRACE_ID, **span_attributes: str | int
) -> ExportTraceServiceRequest:
    """A request with one SERVER span of the service, whose id is `number`."""
    span = Span(
        trace_id=trace_id,
        span_id=number.to_bytes(8, "big"),
        name=f"span {number}",
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=1_700_000_000_000_000_000 + number,
        end_time_unix_nano=1_700_000_000_000_000_500 + number,
        attributes=attributes(**span_attributes),
    )
    resource = Resource(attributes=attributes(service__name=service))
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=resource, scope_spans=[ScopeSpans(spans=[span])])]
    )


def spans_of(message: ExportTraceServiceRequest) -> Counter[tuple[bytes, ...]]:
    """Each span with its resource and scope, as bytes, counted: what a store must give back.

    An absent resource or scope is the same as an empty one, and to which request a span belonged is not asked.
    """
    return Counter(
        (
            part.resource.SerializeToString(deterministic=True),
            part.schema_url.encode(),
            scope_spans.scope.SerializeToString(deterministic=True),
            scope_spans.schema_url.encode(),
            span.SerializeToString(deterministic=True),
        )
        for part in message.resource_spans
        for scope_spans in part.scope_spans
        for span in scope_spans.spans
    )


# --- at random ---------------------------------------------------------------------------------------

_TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
_KEYS = st.sampled_from(("", "a", "b", "http.url", "ключ", "with.dot", "\0", '"')) | _TEXTS
_SCALARS = st.one_of(
    st.builds(AnyValue, string_value=_TEXTS),
    st.builds(AnyValue, bool_value=st.booleans()),
    st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1)),
    st.builds(AnyValue, double_value=st.floats() | st.sampled_from((-0.0, 5e-324, 1e16, 1.0, 2.0**63))),
    st.builds(AnyValue, bytes_value=st.binary(max_size=4)),
    st.builds(AnyValue, string_value_strindex=st.integers(0, 3)),
    st.just(AnyValue()),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.builds(AnyValue, array_value=st.builds(ArrayValue, values=st.lists(inner, max_size=3))),
        st.builds(
            AnyValue,
            kvlist_value=st.builds(
                KeyValueList, values=st.lists(st.builds(KeyValue, key=_KEYS, value=inner), max_size=3)
            ),
        ),
    ),
    max_leaves=5,
)
_PAIRS = st.lists(
    st.one_of(
        st.builds(KeyValue, key=_KEYS, value=_VALUES),
        st.builds(KeyValue, key=_KEYS),
        st.builds(KeyValue, key=_KEYS, value=_SCALARS, key_strindex=st.integers(0, 2)),
    ),
    max_size=4,
)
_COUNTS = st.sampled_from((0, 0, 1, U32))
_TIMES = st.sampled_from((0, 1, U64)) | st.integers(0, U64)
_EVENTS = st.builds(
    Span.Event, time_unix_nano=_TIMES, name=_TEXTS, attributes=_PAIRS, dropped_attributes_count=_COUNTS
)
_LINKS = st.builds(
    Span.Link,
    trace_id=st.binary(max_size=17),
    span_id=st.binary(max_size=9),
    trace_state=_TEXTS,
    attributes=_PAIRS,
    dropped_attributes_count=_COUNTS,
    flags=_COUNTS,
)
_STATUS = st.none() | st.builds(Status, message=_TEXTS, code=st.sampled_from((0, 1, 2, 255, 256, -1)))
_ID8 = st.integers(1, U64).map(lambda number: number.to_bytes(8, "big"))
_SPANS = st.builds(
    Span,
    trace_id=st.integers(1, 2**128 - 1).map(lambda number: number.to_bytes(16, "big")),
    span_id=_ID8,
    parent_span_id=st.sampled_from((b"", bytes(8))) | _ID8,
    trace_state=_TEXTS,
    flags=st.integers(0, U32),
    name=_TEXTS,
    kind=st.sampled_from((0, 1, 2, 3, 4, 5, 6, 255, 256, -1, 2**31 - 1)),
    start_time_unix_nano=_TIMES,
    end_time_unix_nano=_TIMES,
    attributes=_PAIRS,
    dropped_attributes_count=_COUNTS,
    events=st.lists(_EVENTS, max_size=2),
    dropped_events_count=_COUNTS,
    links=st.lists(_LINKS, max_size=2),
    dropped_links_count=_COUNTS,
    status=_STATUS,
)
_RESOURCES = st.none() | st.builds(
    Resource,
    attributes=_PAIRS,
    dropped_attributes_count=_COUNTS,
    entity_refs=st.lists(st.builds(EntityRef, type=_TEXTS, id_keys=st.lists(_TEXTS, max_size=2)), max_size=1),
)
_SCOPES = st.none() | st.builds(
    InstrumentationScope,
    name=_TEXTS,
    version=_TEXTS,
    attributes=_PAIRS,
    dropped_attributes_count=_COUNTS,
)
REQUESTS = st.builds(
    ExportTraceServiceRequest,
    resource_spans=st.lists(
        st.builds(
            ResourceSpans,
            resource=_RESOURCES,
            schema_url=_TEXTS,
            scope_spans=st.lists(
                st.builds(ScopeSpans, scope=_SCOPES, schema_url=_TEXTS, spans=st.lists(_SPANS, max_size=2)),
                max_size=2,
            ),
        ),
        max_size=2,
    ),
)
"""Any request with valid ids: every value kind, nested, repeated, empty and out of the ordinary."""
