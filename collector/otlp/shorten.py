"""Cuts what is too long to be stored and read again: texts, and lists of attributes, events and links. No I/O here.

60 MiB in one span fit into a request, and then every query that looks into its attributes needs 256 MiB. Walking costs
3.6 us a span, so ordinary requests are only searched for the head of a long span (0.4). A sender that writes a span's
fields in an order of its own gets past that search with texts of up to `FREE_BYTES`, and no further. What is left out
of a list is in its `dropped_…_count`, as OTLP has it.
"""

from __future__ import annotations

import re
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bindtrace.collector.otlp.prescan import FREE_BYTES

MAX_VALUE_BYTES: Final = 64 * 1024
MAX_LIST_BYTES: Final = 4 * FREE_BYTES
_LISTS: Final = ("attributes", "events", "links")
_LONG_SPAN: Final = re.compile(rb"\x12[\x80-\xff]{2}[\x04-\x7f]\x0a\x10")
"""Of `ScopeSpans.spans`: a length of three bytes, 64 KiB or more (and below 2 MiB), and then a trace id."""


def may_hold_long(request: ExportTraceServiceRequest, body: bytes) -> bool:
    """Whether it is worth a walk; `body` is the request's."""
    return len(body) > MAX_VALUE_BYTES and (
        len(body) > FREE_BYTES
        or _LONG_SPAN.search(body) is not None
        or any(part.resource.ByteSize() > MAX_VALUE_BYTES for part in request.resource_spans)
    )


def shorten(request: ExportTraceServiceRequest) -> int:
    """Cuts in place; returns how many texts and list entries were too much."""
    count = 0
    for resource_spans in request.resource_spans:
        count += _cut(resource_spans.resource) + _drop(resource_spans.resource)
        for scope_spans in resource_spans.scope_spans:
            for message in (scope_spans.scope, *scope_spans.spans):
                count += _cut(message) + _drop(message)
    return count


def _drop(message: Any) -> int:
    """The end of lists that are too long."""
    if message.ByteSize() <= MAX_LIST_BYTES:
        return 0
    count = 0
    for name in _LISTS:
        entries: Any = getattr(message, name, ())
        size = kept = 0
        for entry in entries:
            size += entry.ByteSize()
            if size > MAX_LIST_BYTES:
                break
            kept += 1
        if kept < len(entries):
            count += len(entries) - kept
            counter = f"dropped_{name}_count"
            setattr(message, counter, min(2**32 - 1, getattr(message, counter) + len(entries) - kept))
            del entries[kept:]
    return count


def _cut(message: Any) -> int:
    """In all that is below a message, which is not looked at where it is too small as a whole."""
    if message.ByteSize() <= MAX_VALUE_BYTES:
        return 0
    count = 0
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            count += sum(map(_cut, value if field.is_repeated else (value,)))
        elif (
            field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES) and not field.is_repeated
        ):
            shorter = _shorter(value)
            if shorter is not value:
                setattr(message, field.name, shorter)
                count += 1
    return count


def _shorter(value: Any) -> Any:
    if isinstance(value, bytes):
        return value if len(value) <= MAX_VALUE_BYTES else value[:MAX_VALUE_BYTES]
    if len(value) * 4 <= MAX_VALUE_BYTES or len(encoded := value.encode()) <= MAX_VALUE_BYTES:
        return value
    return encoded[:MAX_VALUE_BYTES].decode("utf-8", "ignore")
