"""Jaeger's JSON to OTLP: traces as its API and UI export them, and spans as Elasticsearch stores them. No I/O.

Warnings, and what the UI adds to an export (depth, children), are not telemetry and are left out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bindtrace.collector.intakes.assembly import (
    KINDS,
    MAX_NANO,
    SPAN_BYTES,
    TRACE_BYTES,
    Assembly,
    an_object,
    id_bytes,
    is_hex,
    nano,
    objects,
    pair,
    set_status,
    take_out,
    text,
)
from bindtrace.collector.otlp.undecodable import Undecodable

SOURCE_SPAN_ID: Final = "source.span_id"
REF_TYPE: Final = "opentracing.ref_type"
SPAN_KIND: Final = "span.kind"
DEBUG: Final = "jaeger.debug"
SAMPLED_FLAG, DEBUG_FLAG = 1, 2
_REF_TYPES: Final = {"CHILD_OF": "child_of", "FOLLOWS_FROM": "follows_from"}


def from_document(document: object) -> ExportTraceServiceRequest:
    """A trace, a list of traces or of stored spans, `{"data": …}` around either, or one stored span.

    Ids are as long as the format's 64 or 128 bits and may lack leading zeros; a span id that is not hex is hashed
    and kept as `source.span_id` (seen: CRISP's test traces). Raises `Undecodable`, which names the field.
    """
    assembly = Assembly()
    for where, span, processes in _spans(document):
        _add(assembly, span, processes, where)
    return assembly.request


def _spans(document: object) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each span with where it stands and the processes that it may name."""
    if isinstance(document, dict) and "data" in document:
        document = document["data"]
    for at, item in enumerate(objects(document if isinstance(document, list) else [document], "data")):
        stored = an_object(item.get("_source", item), f"[{at}]._source")  # a hit of Elasticsearch's search
        if "spans" not in stored:
            yield f"[{at}]", stored, {}
            continue
        processes = an_object(stored.get("processes"), f"[{at}].processes")
        for number, span in enumerate(objects(stored["spans"], f"[{at}].spans")):
            yield f"[{at}].spans[{number}]", span, processes


def _add(assembly: Assembly, given: dict[str, Any], processes: dict[str, Any], where: str) -> None:
    process = given.get("process") or processes.get(str(given.get("processID")))
    resource = _resource(an_object(process, f"{where}.process"), f"{where}.process")
    span = assembly.span(resource, _tags(given, where))
    span.trace_id = id_bytes(given.get("traceID"), TRACE_BYTES)
    span.span_id = _span_id(given.get("spanID"))
    span.name = text(given.get("operationName") or "", f"{where}.operationName")
    span.start_time_unix_nano = nano(given.get("startTime") or 0, f"{where}.startTime")
    duration = nano(given.get("duration") or 0, f"{where}.duration")
    span.end_time_unix_nano = min(span.start_time_unix_nano + duration, MAX_NANO)
    _set_kind(span)
    set_status(span)
    _set_flags(span, given.get("flags"))
    _set_references(span, given, where)
    _add_events(span, given, where)
    if isinstance(source := given.get("spanID"), str) and not is_hex(source):
        span.attributes.append(pair(SOURCE_SPAN_ID, source))


def _span_id(given: object) -> bytes:
    if isinstance(given, str) and given and not is_hex(given):
        return hashlib.sha256(given.encode("utf-8", "replace")).digest()[:SPAN_BYTES]
    return id_bytes(given, SPAN_BYTES)


def _resource(process: dict[str, Any], where: str) -> list[KeyValue]:
    service = text(process.get("serviceName") or "", f"{where}.serviceName")
    named = [pair("service.name", service)] if service else []
    return named + [tag for tag in _tags(process, where) if not service or tag.key != "service.name"]


def _tags(given: dict[str, Any], where: str) -> list[KeyValue]:
    """`tags` is a list of typed values; `tag` is Elasticsearch's map, with `@` for the dot in its keys."""
    found = _fields(given.get("tags"), f"{where}.tags")
    stored = an_object(given.get("tag"), f"{where}.tag")
    return found + [
        pair(key.replace("@", "."), value if isinstance(value, bool | int | float) else text(value, f"{where}.tag"))
        for key, value in stored.items()
    ]  # fmt: skip


def _fields(given: object, where: str) -> list[KeyValue]:
    return [
        pair(text(field.get("key"), f"{where}[{at}].key"), _value(field, f"{where}[{at}]"))
        for at, field in enumerate(objects(given, where))
    ]


def _value(field: dict[str, Any], where: str) -> str | bool | int | float | bytes:
    """As `type` says (Elasticsearch stores every value as text), else as JSON has it."""
    value = field.get("value")
    try:
        match field.get("type"), value:
            case "bool", str():
                return value.lower() == "true"
            case "int64", str():
                return int(value)
            case "float64", str() | int() if not isinstance(value, bool):
                return float(value)
            case "binary", str():
                return base64.b64decode(value, validate=True)
            case _, bool() | int() | float():
                return value
            case _, None:
                return ""
    except (ValueError, OverflowError, binascii.Error):
        pass  # mistyped by its sender: what it wrote is kept as text
    return text(value, f"{where}.value")


def _set_kind(span: Span) -> None:
    span.kind = Span.SPAN_KIND_INTERNAL
    for tag in span.attributes:
        if tag.key == SPAN_KIND and (kind := KINDS.get(tag.value.string_value.upper())):
            span.kind = kind
            take_out(span, (SPAN_KIND,))
            return


def _set_flags(span: Span, flags: object) -> None:
    if isinstance(flags, int):
        span.flags = flags & SAMPLED_FLAG
        if flags & DEBUG_FLAG:
            span.attributes.append(pair(DEBUG, True))


def _set_references(span: Span, given: dict[str, Any], where: str) -> None:
    """The parent is the first CHILD_OF of this trace, else the first FOLLOWS_FROM (jaeger: `ParentSpanID`).

    The other references become links, with their kind as OpenTelemetry's OpenTracing shim writes it.
    """
    references = [
        (id_bytes(item.get("traceID"), TRACE_BYTES), _span_id(item.get("spanID")), str(item.get("refType")))
        for item in objects(given.get("references"), f"{where}.references")
    ]
    if old := given.get("parentSpanID"):  # before references, Jaeger 1.4
        references.insert(0, (span.trace_id, _span_id(old), "CHILD_OF"))
    here = [item for item in references if item[0] == span.trace_id and item[1] != bytes(SPAN_BYTES)]
    parent = next(
        (item for kind in _REF_TYPES for item in here if item[2] == kind), None
    )  # in the order of the table
    if parent is not None:
        span.parent_span_id = parent[1]
        references.remove(parent)
    for trace_id, span_id, kind in references:
        if (trace_id, span_id) != (span.trace_id, span.parent_span_id):
            kept = [pair(REF_TYPE, _REF_TYPES[kind])] if kind in _REF_TYPES else []
            span.links.add(trace_id=trace_id, span_id=span_id, attributes=kept)


def _add_events(span: Span, given: dict[str, Any], where: str) -> None:
    """A log's field `event` is the event's name; one without is called `log`."""
    for at, log in enumerate(objects(given.get("logs"), f"{where}.logs")):
        here = f"{where}.logs[{at}]"
        event = span.events.add(
            time_unix_nano=nano(log.get("timestamp") or 0, f"{here}.timestamp"), name="log"
        )
        named = False
        for field in _fields(log.get("fields"), f"{here}.fields"):
            if not named and field.key == "event" and field.value.HasField("string_value"):
                event.name, named = field.value.string_value, True
            else:
                event.attributes.append(field)


def belongs(document: dict[str, Any]) -> bool:
    """Whether an object is a trace or a stored span of Jaeger's."""
    return "traceID" in document and ("spans" in document or "spanID" in document)


__all__ = ["Undecodable", "belongs", "from_document"]
