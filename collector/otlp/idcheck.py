"""Whether every span of a request has valid ids, without a Python object for each: a quick yes, else nothing. No I/O.

The bytes are read by a schema that knows nothing but ids. Written again they have one form only, 30 bytes a span or 40
with a parent, which one regular expression checks: medians of 11 interleaved
rounds on the bench recipe 0.57 us a span, against 1.00 in a loop over span objects.
"""

from __future__ import annotations

import re
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_OWN = rb"\x0a\x10(?!\0{16}).{16}\x12\x08(?!\0{8}).{8}"
_SPANS = re.compile(rb"(?:\x12(?:\x1c" + _OWN + rb"|\x26" + _OWN + rb"\x22\x08.{8}))*", re.DOTALL)
_MESSAGES = {
    "Span": ((1, "trace_id", None), (2, "span_id", None), (4, "parent_span_id", None)),
    "ScopeSpans": ((2, "spans", "Span"),),
    "ResourceSpans": ((2, "scope_spans", "ScopeSpans"), (1000, "library_spans", None)),
    "Request": ((1, "resource_spans", "ResourceSpans"),),
}


def count_if_all_valid(body: bytes) -> int | None:
    """Number of spans; None where one is not valid, or in the field of OTLP before 0.19.

    The body was read as an OTLP request before. Raises `DecodeError` for what is none.
    """
    request = _Request.FromString(body)
    request.DiscardUnknownFields()
    count = 0
    for resource_spans in request.resource_spans:
        if resource_spans.library_spans:
            return None
        for scope_spans in resource_spans.scope_spans:
            if not _SPANS.fullmatch(scope_spans.SerializeToString()):
                return None
            count += len(scope_spans.spans)
    return count


def _request_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="bindtrace/ids.proto", package="bindtrace.ids", syntax="proto3"
    )
    field = descriptor_pb2.FieldDescriptorProto
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field_name, inner in fields:
            added = message.field.add(
                name=field_name, number=number, label=field.LABEL_OPTIONAL, type=field.TYPE_BYTES
            )
            if inner is not None:
                added.label, added.type, added.type_name = (
                    field.LABEL_REPEATED,
                    field.TYPE_MESSAGE,
                    f".bindtrace.ids.{inner}",
                )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("bindtrace.ids.Request"))


_Request = _request_class()
