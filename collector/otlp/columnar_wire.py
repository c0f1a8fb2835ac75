"""OTLP's wire format as `ptars` reads it: equal field numbers, attributes left as bytes. Bytes to Arrow, no I/O.

A `KeyValue` stays bytes so that each distinct one is read once; resource, scope and link stay bytes because they are
few. Messages that may come in parts (protobuf merges them) are declared repeated: their parts joined are the whole.
"""

from __future__ import annotations

from typing import Any, Final

import ptars
import pyarrow as pa
from google.protobuf import descriptor_pb2, descriptor_pool

_Field = descriptor_pb2.FieldDescriptorProto
_TYPES: Final = {
    "bytes": _Field.TYPE_BYTES,
    "string": _Field.TYPE_STRING,
    "bool": _Field.TYPE_BOOL,
    "double": _Field.TYPE_DOUBLE,
    "fixed32": _Field.TYPE_FIXED32,
    "fixed64": _Field.TYPE_FIXED64,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "uint32": _Field.TYPE_UINT32,
}
_MESSAGES: Final[dict[str, tuple[tuple[int, str, str], ...]]] = {
    "Status": ((2, "string", "message"), (3, "int32", "code")),
    "Event": (
        (1, "fixed64", "time_unix_nano"),
        (2, "string", "name"),
        (3, "repeated bytes", "attributes"),
        (4, "uint32", "dropped_attributes_count"),
    ),
    "Span": (
        (1, "bytes", "trace_id"),
        (2, "bytes", "span_id"),
        (3, "string", "trace_state"),
        (4, "bytes", "parent_span_id"),
        (5, "string", "name"),
        (6, "int32", "kind"),
        (7, "fixed64", "start_time_unix_nano"),
        (8, "fixed64", "end_time_unix_nano"),
        (9, "repeated bytes", "attributes"),
        (10, "uint32", "dropped_attributes_count"),
        (11, "repeated Event", "events"),
        (12, "uint32", "dropped_events_count"),
        (13, "repeated bytes", "links"),
        (14, "uint32", "dropped_links_count"),
        (15, "Status", "status"),
        (16, "fixed32", "flags"),
    ),
    "ScopeSpans": (
        (1, "repeated bytes", "scope"),
        (2, "repeated Span", "spans"),
        (3, "string", "schema_url"),
    ),
    "ResourceSpans": (
        (1, "repeated bytes", "resource"),
        (2, "repeated ScopeSpans", "scope_spans"),
        (3, "string", "schema_url"),
    ),
    "Request": ((1, "repeated ResourceSpans", "resource_spans"),),
    "AnyValue": (
        (1, "string", "string_value"),
        (2, "bool", "bool_value"),
        (3, "int64", "int_value"),
        (4, "double", "double_value"),
        (5, "bytes", "array_value"),
        (6, "bytes", "kvlist_value"),
        (7, "bytes", "bytes_value"),
        (8, "int32", "string_value_strindex"),
    ),
    "KeyValue": ((1, "string", "key"), (2, "AnyValue", "value"), (3, "int32", "key_strindex")),
}
_ONE_OF: Final = ("AnyValue",)
_PACKAGE: Final = "bindtrace.wire"


class Unreadable(ValueError):  # noqa: N818  bytes with a property, as Undecodable is
    """ptars reads some of these bytes differently than protobuf would, or not at all; it does not say which."""


def decode(bodies: list[bytes]) -> pa.Array:
    """ResourceSpans lists, one a body. Holds the interpreter lock throughout. Raises `Unreadable`."""
    return _guarded(_REQUEST.list_to_record_batch, bodies).column("resource_spans")


def decode_pairs(pairs: pa.Array) -> pa.RecordBatch:
    """Columns `key`, `value`, `key_strindex` of KeyValue bytes; members of `value` that are unset are null.

    Where several members were sent all are set, unlike in protobuf. Raises `Unreadable`.
    """
    return _guarded(_PAIR.array_to_record_batch, pairs)


def _guarded(read: Any, data: Any) -> pa.RecordBatch:
    try:
        return read(data)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # ptars 0.0.25 panics on a length of 2^63, and a panic is no Exception
        raise Unreadable(str(error)) from None


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="bindtrace_wire.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if name in _ONE_OF:
            message.oneof_decl.add(name="value")
        for number, words, field in fields:
            kind = words.removeprefix("repeated ")
            added = message.field.add(name=field, number=number)
            added.label = _Field.LABEL_OPTIONAL if kind == words else _Field.LABEL_REPEATED
            added.type = _TYPES.get(kind, _Field.TYPE_MESSAGE)
            if kind not in _TYPES:
                added.type_name = f".{_PACKAGE}.{kind}"
            if name in _ONE_OF:
                added.oneof_index = 0
    return file


def _handlers(*names: str) -> list[Any]:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(_file().SerializeToString())
    handlers = ptars.HandlerPool([pool.FindFileByName("bindtrace_wire.proto")])
    return [handlers.get_for_message(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in names]


_REQUEST, _PAIR = _handlers("Request", "KeyValue")
