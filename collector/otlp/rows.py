"""OTLP requests to rows, one Python loop over upb messages: nothing that a sender wrote is lost. No I/O.

The plain reading of the schema, and the oracle for any faster decoder. What a typed column or JSON cannot
hold exactly is kept in `residue`, as an OTLP message of just those parts (readback.py is the exact inverse):

- attributes of span, resource and scope: the misrepresented ones, or all when a key is repeated;
- events, links: all of them, when one is misrepresented;
- `kind` and `status.code` outside 0 to 255, a `parent_span_id` of eight zero bytes, `entity_refs`.

An absent resource, scope or `KeyValue` list is stored as an empty one: OTLP gives both the same meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, Final

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from bindtrace.collector.journal.record import Request
from bindtrace.collector.otlp.concepts import SPAN_COLUMNS, resource_columns, span_columns
from bindtrace.collector.otlp.tables import (
    INSTRUMENTATION_SCOPES,
    RESOURCES,
    SPANS,
    TRACE_LINKS,
    Refused,
    Tables,
    table,
)
from bindtrace.collector.otlp.values import to_values

Row = tuple[Any, ...]
ZERO_SPAN_ID: Final = bytes(8)
_CHAIN: Final = SPAN_COLUMNS.index("claimed_chain")


def to_tables(requests: Sequence[Request], load_id: int) -> Tables:
    """One load. A request that cannot be decoded is in `refused`, and nothing of it in the tables."""
    resources: dict[bytes, Row] = {}
    scopes: dict[bytes, Row] = {}
    spans: list[Row] = []
    links: dict[tuple[bytes, bytes], Row] = {}
    refused: list[Refused] = []
    for request in requests:
        known = len(spans)
        try:
            _read(request, load_id, spans, resources, scopes)
        except (DecodeError, ValueError, TypeError, OverflowError, RecursionError) as error:
            del spans[known:]
            refused.append(Refused(request, f"{type(error).__name__}: {error}"))
    for row in spans:
        if (chain := row[_FIRST_CONCEPT + _CHAIN]) and (link := trace_link(row[0], chain)):
            links.setdefault(link, (*link, load_id))
    return Tables(
        table(SPANS, spans),
        table(RESOURCES, list(resources.values())),
        table(INSTRUMENTATION_SCOPES, list(scopes.values())),
        table(TRACE_LINKS, list(links.values())),
        tuple(refused),
    )


def _read(
    request: Request,
    load_id: int,
    spans: list[Row],
    resources: dict[bytes, Row],
    scopes: dict[bytes, Row],
) -> None:
    received = request.received_unix_nano
    message = ExportTraceServiceRequest.FromString(request.body)
    for resource_spans in message.resource_spans:
        resource_id = digest(resource_spans.resource, resource_spans.schema_url)
        if resource_id not in resources:
            resources[resource_id] = resource_row(resource_id, resource_spans, load_id)
        for scope_spans in resource_spans.scope_spans:
            scope_id = digest(scope_spans.scope, scope_spans.schema_url)
            if scope_id not in scopes:
                scopes[scope_id] = scope_row(scope_id, scope_spans)
            tail = (resource_id, scope_id, received, load_id)
            spans.extend([_span_row(span, tail) for span in scope_spans.spans])


def digest(message: Resource | InstrumentationScope, schema_url: str) -> bytes:
    """The id of a resource or scope: equal content, equal id, in every process and release."""
    content = message.SerializeToString(deterministic=True)
    return blake2b(len(content).to_bytes(8, "big") + content + schema_url.encode(), digest_size=16).digest()


def resource_row(resource_id: bytes, envelope: ResourceSpans, load_id: int) -> Row:
    resource = envelope.resource
    values, unfaithful = to_values(resource.attributes)
    residue = None
    if unfaithful or resource.entity_refs:
        residue = Resource(attributes=unfaithful, entity_refs=resource.entity_refs).SerializeToString()
    return (
        resource_id,
        orjson.dumps(values) if values else None,
        residue,
        resource.dropped_attributes_count,
        envelope.schema_url or None,
        load_id,
        *resource_columns(values),
    )


def scope_row(scope_id: bytes, envelope: ScopeSpans) -> Row:
    scope = envelope.scope
    values, unfaithful = to_values(scope.attributes)
    return (
        scope_id,
        scope.name or None,
        scope.version or None,
        orjson.dumps(values) if values else None,
        InstrumentationScope(attributes=unfaithful).SerializeToString() if unfaithful else None,
        scope.dropped_attributes_count,
        envelope.schema_url or None,
    )


def _span_row(span: Span, tail: Row) -> Row:
    trace_id, span_id, parent = span.trace_id, span.span_id, span.parent_span_id
    if len(trace_id) != 16 or len(span_id) != 8 or len(parent) not in (0, 8):
        raise ValueError("a span whose ids have a wrong length, which admission lets nobody journal")
    values, unfaithful = to_values(span.attributes)
    events, events_faithful = _list(span.events, _event) if span.events else (None, True)
    links, links_faithful = _list(span.links, span_link) if span.links else (None, True)
    status = span.status
    kind, code = span.kind, status.code
    odd = (
        parent == ZERO_SPAN_ID
        or not (0 <= kind <= 255 and 0 <= code <= 255)
        or not (events_faithful and links_faithful)
    )
    return (
        trace_id,
        int.from_bytes(span_id, "big"),
        int.from_bytes(parent, "big") or None,
        span.trace_state or None,
        span.flags,
        span.name,
        kind if 0 <= kind <= 255 else 0,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        code if 0 <= code <= 255 else 0,
        # A status without words is not the same as no status, and both have code 0.
        status.message if span.HasField("status") else None,
        orjson.dumps(values) if values else None,
        events,
        links,
        _residue(span, unfaithful, events_faithful, links_faithful) if odd or unfaithful else None,
        span.dropped_attributes_count,
        span.dropped_events_count,
        span.dropped_links_count,
        *tail,
        *span_columns(values),
    )


def _residue(span: Span, unfaithful: Sequence[Any], events_faithful: bool, links_faithful: bool) -> bytes:
    residue = Span(attributes=unfaithful)
    if span.parent_span_id == ZERO_SPAN_ID:
        residue.parent_span_id = ZERO_SPAN_ID
    if not 0 <= span.kind <= 255:
        residue.kind = span.kind
    if not 0 <= span.status.code <= 255:
        residue.status.code = span.status.code
    if not events_faithful:
        residue.events.extend(span.events)
    if not links_faithful:
        residue.links.extend(span.links)
    return bytes(residue.SerializeToString())


def _list(messages: Sequence[Any], read: Callable[[Any], tuple[dict[str, Any], bool]]) -> tuple[bytes, bool]:
    items = [read(message) for message in messages]
    return orjson.dumps([item for item, _ in items]), all(faithful for _, faithful in items)


def _event(event: Span.Event) -> tuple[dict[str, Any], bool]:
    values, unfaithful = to_values(event.attributes)
    item = {
        "time_unix_nano": str(event.time_unix_nano),
        "name": event.name,
        "attributes": values,
        "dropped_attributes_count": event.dropped_attributes_count,
    }
    return item, not unfaithful


def span_link(link: Span.Link) -> tuple[dict[str, Any], bool]:
    values, unfaithful = to_values(link.attributes)
    item = {
        "trace_id": link.trace_id.hex(),
        "span_id": link.span_id.hex(),
        "trace_state": link.trace_state,
        "flags": link.flags,
        "attributes": values,
        "dropped_attributes_count": link.dropped_attributes_count,
    }
    return item, not unfaithful


def trace_link(trace_id: bytes, chain: str) -> tuple[bytes, bytes] | None:
    """The pair (chain, trace) when a claimed chain is another trace's id."""
    if len(chain) != 32:
        return None
    try:
        other = bytes.fromhex(chain)
    except ValueError:
        return None
    return (other, trace_id) if len(other) == 16 and other != trace_id else None


_FIRST_CONCEPT: Final = len(SPANS) - len(SPAN_COLUMNS)
