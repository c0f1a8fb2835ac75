"""Stored rows back to the OTLP requests that they came from, exactly. Reads the database, never writes it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import duckdb
import orjson
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from bindtrace.collector.otlp.values import to_pairs

CHUNK: Final = 2048
_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})

_SELECT: Final = """
select
    s.trace_id, s.span_id, s.parent_span_id, s.trace_state, s.flags, s.name, s.kind,
    s.start_time_unix_nano, s.end_time_unix_nano, s.status_code, s.status_message,
    s.attributes, s.events, s.links, s.residue,
    s.dropped_attributes_count, s.dropped_events_count, s.dropped_links_count,
    s.resource_id, r.attributes, r.residue, r.dropped_attributes_count, r.schema_url,
    s.instrumentation_scope_id, i.name, i.version, i.attributes, i.residue, i.dropped_attributes_count,
    i.schema_url
from (select * from spans where {where}) as s
join resources as r using (resource_id)
join instrumentation_scopes as i using (instrumentation_scope_id)
"""
_RESOURCE: Final = 18
_SCOPE: Final = 23


def read_requests(
    con: duckdb.DuckDBPyConnection,
    where: str = "true",
    parameters: Sequence[object] | Mapping[str, object] = (),
) -> Iterator[ExportTraceServiceRequest]:
    """The stored spans for which `where` (SQL over the columns of `spans`) holds, at most `CHUNK` a request.

    Each resource and scope is the received one; how spans were spread over requests is not stored. The
    connection is in use until the iterator ends.
    """
    values = dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
    cursor = con.execute(_SELECT.format(where=where), values)
    while rows := cursor.fetchmany(CHUNK):
        yield _request(rows)


def otlp_json(message: Message) -> dict[str, Any]:
    """A request or a trace in OTLP's JSON: enumerations as numbers, ids in hex (OTLP specification, JSON encoding)."""
    document: dict[str, Any] = _hex_ids(MessageToDict(message, use_integers_for_enums=True))
    return document


def _hex_ids(value: Any) -> Any:
    """OTLP/JSON writes ids in hex where protobuf's own JSON has base64 (OTLP specification, JSON encoding)."""
    match value:
        case dict():
            return {
                key: base64.b64decode(item).hex() if key in _IDS else _hex_ids(item)
                for key, item in value.items()
            }
        case list():
            return [_hex_ids(item) for item in value]
        case _:
            return value


def _request(rows: list[tuple[Any, ...]]) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resources: dict[object, ResourceSpans] = {}
    scopes: dict[object, ScopeSpans] = {}
    for row in rows:
        of_resource, of_scope = row[_RESOURCE], (row[_RESOURCE], row[_SCOPE])
        if of_resource not in resources:
            resources[of_resource] = request.resource_spans.add()
            _resource(resources[of_resource], *row[_RESOURCE + 1 : _SCOPE])
        if of_scope not in scopes:
            scopes[of_scope] = resources[of_resource].scope_spans.add()
            _scope(scopes[of_scope], *row[_SCOPE + 1 :])
        _span(scopes[of_scope].spans.add(), row)
    return request


def _resource(
    envelope: ResourceSpans,
    attributes: str | None,
    residue: bytes | None,
    dropped: int,
    schema_url: str | None,
) -> None:
    kept = Resource.FromString(residue or b"")
    envelope.resource.attributes.extend(to_pairs(_json(attributes, {}), kept.attributes))
    envelope.resource.entity_refs.extend(kept.entity_refs)
    envelope.resource.dropped_attributes_count = dropped
    envelope.schema_url = schema_url or ""


def _scope(
    envelope: ScopeSpans,
    name: str | None,
    version: str | None,
    attributes: str | None,
    residue: bytes | None,
    dropped: int,
    schema_url: str | None,
) -> None:
    kept = InstrumentationScope.FromString(residue or b"")
    envelope.scope.name = name or ""
    envelope.scope.version = version or ""
    envelope.scope.attributes.extend(to_pairs(_json(attributes, {}), kept.attributes))
    envelope.scope.dropped_attributes_count = dropped
    envelope.schema_url = schema_url or ""


def _span(span: Span, row: tuple[Any, ...]) -> None:
    (
        trace_id, span_id, parent, trace_state, flags, name, kind, start, end, code, message,
        attributes, events, links, residue, dropped_attributes, dropped_events, dropped_links,
    ) = row[:_RESOURCE]  # fmt: skip
    kept = Span.FromString(residue or b"")
    span.trace_id = trace_id.bytes
    span.span_id = span_id.to_bytes(8, "big")
    span.parent_span_id = kept.parent_span_id if parent is None else parent.to_bytes(8, "big")
    span.trace_state = trace_state or ""
    span.flags = flags
    span.name = name
    span.kind = kept.kind or kind
    span.start_time_unix_nano = start
    span.end_time_unix_nano = end
    if message is not None:
        span.status.message = message
        span.status.code = kept.status.code or code
        span.status.SetInParent()
    span.attributes.extend(to_pairs(_json(attributes, {}), kept.attributes))
    span.events.extend(kept.events or [_event(item) for item in _json(events, [])])
    span.links.extend(kept.links or [_link(item) for item in _json(links, [])])
    span.dropped_attributes_count = dropped_attributes
    span.dropped_events_count = dropped_events
    span.dropped_links_count = dropped_links


def _event(item: dict[str, Any]) -> Span.Event:
    return Span.Event(
        time_unix_nano=int(item["time_unix_nano"]),
        name=item["name"],
        attributes=to_pairs(item["attributes"], ()),
        dropped_attributes_count=item["dropped_attributes_count"],
    )


def _link(item: dict[str, Any]) -> Span.Link:
    return Span.Link(
        trace_id=bytes.fromhex(item["trace_id"]),
        span_id=bytes.fromhex(item["span_id"]),
        trace_state=item["trace_state"],
        flags=item["flags"],
        attributes=to_pairs(item["attributes"], ()),
        dropped_attributes_count=item["dropped_attributes_count"],
    )


def _json(text: str | None, empty: Any) -> Any:
    return empty if text is None else orjson.loads(text)
