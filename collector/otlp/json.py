"""OTLP/JSON bytes to an OTLP protobuf request, by protobuf's descriptors. Never guesses a value, no I/O.

`google.protobuf.json_format` does not do: it reads the hex ids of OTLP as base64 and refuses unknown fields.
What real senders write is taken: ids in any case (and base64, told apart by its length, as protobuf's own
JSON printers write it), enum names beside numbers, snake_case beside lowerCamelCase keys, 64-bit integers as
text, number or {low, high}, and the names of OTLP before 0.19. What OTLP does not say is counted as a quirk.
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar

import orjson
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import DecodeError, EncodeError, Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bindtrace.collector.otlp.quirks import (
    BASE64_ID,
    BYTE_ORDER_MARK,
    ENUM_NAME,
    LIBRARY_SPANS,
    SNAKE_CASE,
    SPLIT_INTEGER,
    Quirks,
)
from bindtrace.collector.otlp.undecodable import Undecodable

M = TypeVar("M", bound=Message)
Reader = Callable[[Any, Quirks], Any]
"""One JSON value to one protobuf scalar; counts what is odd about it, raises `Undecodable`."""


class _Field(NamedTuple):
    """Where the value of a JSON key goes; `read` is None for a message."""

    name: str
    repeated: bool
    read: Reader | None
    quirk: str | None = None


_MARK = b"\xef\xbb\xbf"
_OLD_NAMES = {"ResourceSpans": {"instrumentationLibrarySpans": "scope_spans"},
              "ScopeSpans": {"instrumentationLibrary": "scope"}}  # fmt: skip
ID_BYTES = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}


def to_protobuf(body: bytes, quirks: Quirks | None = None) -> ExportTraceServiceRequest:
    """A traces request (`read_as`)."""
    return read_as(ExportTraceServiceRequest, body, Counter() if quirks is None else quirks)


def read_as(kind: type[M], body: bytes, quirks: Quirks) -> M:
    """Reads one OTLP/JSON document. Unknown keys are ignored (OTLP 1.11, JSON encoding), null is absent.

    A span id that is neither hex nor base64 of the right length becomes bytes of a wrong length, so that
    admission rejects that span and keeps the rest. Raises `Undecodable`, which names the field.
    """
    if body.startswith(_MARK):
        quirks[BYTE_ORDER_MARK] += 1
        body = body[len(_MARK) :]
    try:
        return _from_document(kind, orjson.loads(body), quirks)
    except orjson.JSONDecodeError as error:
        raise Undecodable(f"the body is not JSON: {error}") from None


def from_document(document: object, quirks: Quirks | None = None) -> ExportTraceServiceRequest:
    """The same for a traces document that is parsed already. Raises `Undecodable`."""
    return _from_document(ExportTraceServiceRequest, document, Counter() if quirks is None else quirks)


def _from_document(kind: type[M], document: object, quirks: Quirks) -> M:
    request = kind()
    try:
        _fill(request, document, quirks)
        # The reader of the journal is upb, which refuses messages nested deeper than 100: find out now.
        readable: M = kind.FromString(request.SerializeToString())
    except (RecursionError, EncodeError, DecodeError):
        raise Undecodable("attribute values are nested too deep") from None
    return readable


def _fill(message: Message, document: object, quirks: Quirks) -> None:
    if not isinstance(document, dict):
        raise Undecodable(f"an object is expected, not {_shown(document)}")
    fields = _fields(message.DESCRIPTOR)
    for key, value in document.items():
        field = fields.get(key)
        if field is None or value is None:
            continue
        name, repeated, read, quirk = field
        if quirk is not None:
            quirks[quirk] += 1
        try:
            if repeated:
                _fill_all(getattr(message, name), value, read, quirks)
            elif read is None:
                part = getattr(message, name)
                part.SetInParent()
                _fill(part, value, quirks)
            else:
                setattr(message, name, read(value, quirks))
        except Undecodable as error:
            raise error.under(key) from None
        except (TypeError, ValueError):
            raise Undecodable(f"{_shown(value)} does not fit", key) from None


def _fill_all(target: Any, values: object, read: Reader | None, quirks: Quirks) -> None:
    if not isinstance(values, list):
        raise Undecodable(f"a list is expected, not {_shown(values)}")
    for position, value in enumerate(values):
        try:
            if read is None:
                _fill(target.add(), {} if value is None else value, quirks)
            else:
                target.append(read(value, quirks))
        except Undecodable as error:
            raise error.under(f"[{position}]") from None


@cache
def _fields(descriptor: Descriptor) -> dict[str, _Field]:
    """By JSON key, in both spellings and the old names."""
    table = {}
    for field in descriptor.fields:
        entry = _Field(field.name, bool(field.is_repeated), _reader(field))
        table[field.name] = entry._replace(quirk=SNAKE_CASE)
        table[field.json_name] = entry
    for old, name in _OLD_NAMES.get(descriptor.name, {}).items():
        snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in old)
        table[old] = table[snake] = table[name]._replace(quirk=LIBRARY_SPANS)
    return table


def _reader(field: FieldDescriptor) -> Reader | None:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return None
    if field.type == FieldDescriptor.TYPE_ENUM:
        return _enum_reader(field.enum_type)
    if field.name in ID_BYTES:
        of_link = field.containing_type.name == "Link"
        return _id_reader(ID_BYTES[field.name], keep=of_link)
    return _SCALARS[field.cpp_type] if field.type != FieldDescriptor.TYPE_BYTES else _bytes


def _id_reader(size: int, *, keep: bool) -> Reader:
    texts = {len(base64.b64encode(bytes(size))), len(base64.b64encode(bytes(size)).rstrip(b"="))}

    def read(value: Any, quirks: Quirks) -> bytes:
        if not isinstance(value, str):
            raise Undecodable(f"an id is hex text, not {_shown(value)}")
        try:
            return bytes.fromhex(value)
        except ValueError:
            if len(value) in texts:
                quirks[BASE64_ID] += 1
                return _bytes(value, quirks)
            # A link is kept whatever its ids are; a span's must show as wrong, and 7 bytes always do.
            return value.encode() if keep else value.encode()[:7]

    return read


_ENUM_PREFIXES: Final = {
    "SpanKind": "SPAN_KIND_",
    "StatusCode": "STATUS_CODE_",
    "SeverityNumber": "SEVERITY_NUMBER_",
    "AggregationTemporality": "AGGREGATION_TEMPORALITY_",
}


def _enum_reader(enum: EnumDescriptor) -> Reader:
    prefix = _ENUM_PREFIXES[enum.name]
    numbers = {value.name: value.number for value in enum.values}
    long = tuple(numbers)
    numbers |= {name.removeprefix(prefix): number for name, number in numbers.items()}

    def read(value: Any, quirks: Quirks) -> int:
        if isinstance(value, str) and not value.lstrip("-").isdigit():
            if (number := numbers.get(value.upper())) is None:
                raise Undecodable(f"{_shown(value)} is none of {', '.join(long)}")
            quirks[ENUM_NAME] += 1
            return int(number)
        return _integer(value, quirks)

    return read


def _text(value: Any, _: Quirks) -> str:
    if not isinstance(value, str):
        raise Undecodable(f"text is expected, not {_shown(value)}")
    return value


def _bool(value: Any, _: Quirks) -> bool:
    if not isinstance(value, bool):
        raise Undecodable(f"true or false is expected, not {_shown(value)}")
    return value


def _integer(value: Any, quirks: Quirks) -> int:
    if type(value) is int:
        return int(value)
    try:
        if type(value) is str:
            return int(value)
        # 1e3 is an integer in proto3 JSON; past 2^53 a double no longer says which one.
        if type(value) is float and value.is_integer() and abs(value) <= 2**53:
            return int(value)
        if type(value) is dict and {"low", "high"} <= value.keys():
            quirks[SPLIT_INTEGER] += 1
            return _half(value["low"]) & 0xFFFFFFFF | _half(value["high"]) << 32
    except ValueError:
        pass
    raise Undecodable(f"an integer is expected, not {_shown(value)}")


def _half(value: object) -> int:
    """JavaScript gives both halves as signed numbers, or as unsigned ones."""
    if type(value) is not int or not -(2**31) <= value < 2**32:
        raise ValueError
    return value


def _double(value: Any, _: Quirks) -> float:
    if type(value) in (float, int, str):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise Undecodable(f"a number is expected, not {_shown(value)}")


def _bytes(value: Any, quirks: Quirks) -> bytes:
    text = _text(value, quirks).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Undecodable(f"base64 is expected, not {_shown(value)}") from None


def _shown(value: object) -> str:
    """A value as an error shows it: short, and of containers only what they are."""
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case None:
            return "null"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


_SCALARS: dict[int, Reader] = {
    FieldDescriptor.CPPTYPE_STRING: _text,
    FieldDescriptor.CPPTYPE_BOOL: _bool,
    FieldDescriptor.CPPTYPE_DOUBLE: _double,
    FieldDescriptor.CPPTYPE_INT32: _integer,
    FieldDescriptor.CPPTYPE_INT64: _integer,
    FieldDescriptor.CPPTYPE_UINT32: _integer,
    FieldDescriptor.CPPTYPE_UINT64: _integer,
}
