"""Reads a request whose texts are not all UTF-8, as proxies send that copy a header's bytes. No I/O here.

protobuf refuses the whole request for one such text. Here an attribute value that is no text stays what it is, as
bytes; in names and keys what is not UTF-8 becomes the replacement character.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor, FileDescriptor
from google.protobuf.message import Message

M = TypeVar("M", bound=Message)


def mended(kind: type[M], body: bytes) -> M:
    """The request, readable. Raises `DecodeError` where its bytes are no such request with any text."""
    loose = _loose_class(kind).FromString(body)  # type: ignore[arg-type]  # a class is hashable
    _mend(loose, kind.DESCRIPTOR)
    request: M = kind.FromString(loose.SerializeToString())
    return request


def _mend(message: Any, strict: Any) -> None:
    for field, value in message.ListFields():
        meant = strict.fields_by_name[field.name]
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for part in value if field.is_repeated else (value,):
                _mend(part, meant.message_type)
        elif meant.type == FieldDescriptor.TYPE_STRING:
            if field.is_repeated:
                for at, text in enumerate(value):
                    value[at] = _utf8(text)
            elif (text := _utf8(value)) is not value:
                if field.name == "string_value":
                    message.bytes_value = value
                else:
                    setattr(message, field.name, text)


def _utf8(text: bytes) -> bytes:
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode("utf-8", "replace").encode()
    return text


@cache
def _loose_class(kind: type[Message]) -> type[Message]:
    """The same messages by the same numbers, with bytes for every text."""
    pool = descriptor_pool.DescriptorPool()
    _add(kind.DESCRIPTOR.file, pool, set())
    found: type[Message] = message_factory.GetMessageClass(
        pool.FindMessageTypeByName(kind.DESCRIPTOR.full_name)
    )
    return found


def _add(file: FileDescriptor, pool: descriptor_pool.DescriptorPool, added: set[str]) -> None:
    if file.name in added:
        return
    added.add(file.name)
    for needed in file.dependencies:
        _add(needed, pool, added)
    copied = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(copied)
    waiting = list(copied.message_type)
    while waiting:
        message = waiting.pop()
        waiting += message.nested_type
        for field in message.field:
            if field.type == FieldDescriptor.TYPE_STRING:
                field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
    pool.AddSerializedFile(copied.SerializeToString())
