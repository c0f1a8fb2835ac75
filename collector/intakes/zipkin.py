"""Zipkin v2 JSON to OTLP: what Envoy's and App Mesh's tracers send, and what Zipkin's API gives. No I/O.

Zipkin lets a server's span share its id with the client's: both spans are kept, the shared one marked, and the
analysis pairs them.
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bindtrace.collector.intakes.assembly import (
    KINDS,
    MAX_NANO,
    SPAN_BYTES,
    TRACE_BYTES,
    Assembly,
    an_object,
    id_bytes,
    nano,
    objects,
    pair,
    set_status,
    text,
)
from bindtrace.collector.otlp.undecodable import Undecodable

SHARED: Final = "zipkin.shared"
DEBUG: Final = "zipkin.debug"
PEER_SERVICE: Final = "service.peer.name"


def to_request(body: bytes) -> ExportTraceServiceRequest:
    """Reads the body of `POST /api/v2/spans`: a list of spans. Raises `Undecodable`, which names the field."""
    try:
        return from_document(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise Undecodable(f"the body is not JSON: {error}") from None


def from_document(document: object) -> ExportTraceServiceRequest:
    """The same for parsed JSON: a list of spans, a list of such lists (`/api/v2/traces`), or one span.

    Ids that are none become bytes of a wrong length, so that admission rejects that span and keeps the rest.
    """
    if isinstance(document, dict):
        document = [document]
    if not isinstance(document, list):
        raise Undecodable("Zipkin's spans are a JSON list")
    assembly = Assembly()
    for position, item in enumerate(document):
        where = f"[{position}]"
        for span in objects(item if isinstance(item, list) else [item], where):
            _add(assembly, span, where)
    return assembly.request


def _add(assembly: Assembly, given: dict[str, Any], where: str) -> None:
    tags = [pair(key, text(value, f"{where}.tags.{key}")) for key, value in
            an_object(given.get("tags"), f"{where}.tags").items()]  # fmt: skip
    local = an_object(given.get("localEndpoint"), f"{where}.localEndpoint")
    span = assembly.span(_resource(local, f"{where}.localEndpoint"), tags)
    span.trace_id = id_bytes(given.get("traceId"), TRACE_BYTES)
    span.span_id = id_bytes(given.get("id"), SPAN_BYTES)
    span.parent_span_id = _parent(given, span.span_id)
    span.name = text(given.get("name") or "", f"{where}.name")
    span.kind = _kind(given.get("kind"), f"{where}.kind")
    _add_events(span, given, where)
    _set_times(span, given, where)
    set_status(span)
    _add_endpoints(span, given, local, where)


def _resource(local: dict[str, Any], where: str) -> list[KeyValue]:
    found = []
    if service := text(local.get("serviceName") or "", f"{where}.serviceName"):
        found.append(pair("service.name", service))
    if addresses := _addresses(local, where):
        values = ArrayValue(values=[AnyValue(string_value=address) for address in addresses])
        found.append(KeyValue(key="host.ip", value=AnyValue(array_value=values)))
    return found


def _addresses(endpoint: dict[str, Any], where: str) -> list[str]:
    return [text(endpoint[key], f"{where}.{key}") for key in ("ipv4", "ipv6") if endpoint.get(key)]


def _parent(given: dict[str, Any], span_id: bytes) -> bytes:
    """Zipkin reads a parent of zeros, and a span that is its own parent, as no parent (zipkin2.Span.Builder)."""
    parent = given.get("parentId")
    if parent is None or parent == "":
        return b""
    found = id_bytes(parent, SPAN_BYTES)
    return b"" if found in (bytes(SPAN_BYTES), span_id) else found


def _kind(given: object, where: str) -> Span.SpanKind.ValueType:
    if given is None or given == "":
        return Span.SPAN_KIND_INTERNAL
    found = KINDS.get(given.upper()) if isinstance(given, str) else None
    if found is None:
        raise Undecodable(f"{str(given)[:40]!r} is none of CLIENT, SERVER, PRODUCER, CONSUMER", where)
    return found


def _add_events(span: Span, given: dict[str, Any], where: str) -> None:
    for at, annotation in enumerate(objects(given.get("annotations"), f"{where}.annotations")):
        here = f"{where}.annotations[{at}]"
        span.events.add(
            time_unix_nano=nano(annotation.get("timestamp") or 0, f"{here}.timestamp"),
            name=text(annotation.get("value") or "", f"{here}.value"),
        )


def _set_times(span: Span, given: dict[str, Any], where: str) -> None:
    """A span without a timestamp (an unfinished one may have none) begins and ends with its annotations."""
    times = [event.time_unix_nano for event in span.events]
    start = nano(given.get("timestamp") or 0, f"{where}.timestamp") or min(times, default=0)
    duration = nano(given.get("duration") or 0, f"{where}.duration")
    span.start_time_unix_nano = start
    span.end_time_unix_nano = min(start + duration if duration else max([start, *times]), MAX_NANO)


def _add_endpoints(span: Span, given: dict[str, Any], local: dict[str, Any], where: str) -> None:
    remote = an_object(given.get("remoteEndpoint"), f"{where}.remoteEndpoint")
    found: dict[str, str | bool | int] = {}
    if service := text(remote.get("serviceName") or "", f"{where}.remoteEndpoint.serviceName"):
        found[PEER_SERVICE] = service
    if addresses := _addresses(remote, f"{where}.remoteEndpoint"):
        found["network.peer.address"] = addresses[0]
    if port := _port(remote, f"{where}.remoteEndpoint"):
        found["network.peer.port"] = port
    if port := _port(local, f"{where}.localEndpoint"):
        found["network.local.port"] = port
    found |= {name: True for name, key in ((SHARED, "shared"), (DEBUG, "debug")) if given.get(key) is True}
    tagged = {attribute.key for attribute in span.attributes}
    span.attributes.extend(pair(key, value) for key, value in found.items() if key not in tagged)


def _port(endpoint: dict[str, Any], where: str) -> int:
    port = endpoint.get("port") or 0
    if not isinstance(port, int) or not 0 <= port < 65536:
        raise Undecodable("a port is a number up to 65535", f"{where}.port")
    return port
