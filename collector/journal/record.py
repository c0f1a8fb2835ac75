"""One request as bytes of the journal, and back, with a checksum that damage does not pass. No I/O here.

A record is a frame (mark, CRC-32, payload length) and a payload (fixed fields, three short texts, the body).
Mark and checksum begin with the segment's seed, which no sender knows: what looks like a record in the body
of a request, or was copied from another segment, is not taken for one, and a search behind damage is cheap.
"""

from __future__ import annotations

import enum
import struct
import zlib
from typing import NamedTuple

REQUEST = 1
"""Kind of a record that holds one OTLP request. Other numbers are for accounting records."""

_FRAME = struct.Struct("<III")
_LENGTH = struct.Struct("<I")
_FIXED = struct.Struct("<BQ16sIHBB")
MAX_PAYLOAD = 256 * 1024 * 1024
_MAX_SENDER = 1024
FRAME_SIZE = _FRAME.size


class Request(NamedTuple):
    """One accepted export: `body` is an ExportTraceServiceRequest in protobuf, whatever encoding it came in.

    `sender` is service.name/telemetry.sdk.name, `protocol` grpc or http, `encoding` protobuf or json,
    `digest` the first 16 bytes of SHA-256 over sender and received body, `spans` how many were accepted.
    """

    sender: str
    protocol: str
    encoding: str
    received_unix_nano: int
    digest: bytes
    spans: int
    body: bytes


class Flaw(enum.Enum):
    """Why bytes at an offset are not a record."""

    SHORT = "short"  # a frame that promises more bytes than there are: not yet, or torn
    DAMAGED = "damaged"  # bytes that no writer wrote


class Unpacked(NamedTuple):
    """A record that passed its checksum; `end` is the offset behind it."""

    request: Request
    end: int


def pack(request: Request, seed: int) -> tuple[bytes, bytes]:
    """Frame with fields, and body: two pieces, so that a large body is not copied here.

    Raises `ValueError` for a body beyond `MAX_PAYLOAD` or a digest that is not 16 bytes.
    """
    if len(request.digest) != 16:
        raise ValueError(f"digest of {len(request.digest)} bytes, expected 16")
    sender = request.sender.encode("utf-8", "replace")[:_MAX_SENDER]
    protocol, encoding = request.protocol.encode(), request.encoding.encode()
    fields = b"".join(
        (
            _FIXED.pack(
                REQUEST,
                request.received_unix_nano,
                request.digest,
                request.spans,
                len(sender),
                len(protocol),
                len(encoding),
            ),
            sender,
            protocol,
            encoding,
        )
    )
    length = len(fields) + len(request.body)
    if length > MAX_PAYLOAD:
        raise ValueError(f"record of {length} bytes, at most {MAX_PAYLOAD}")
    checksum = zlib.crc32(request.body, zlib.crc32(fields, zlib.crc32(_LENGTH.pack(length), seed)))
    return _FRAME.pack(seed, checksum, length) + fields, request.body


def unpack(buffer: memoryview, at: int, seed: int) -> Unpacked | Flaw:
    """The record at offset `at`. Never raises, whatever the bytes."""
    left = len(buffer) - at
    if left < FRAME_SIZE:
        return Flaw.SHORT if _mark(seed).startswith(bytes(buffer[at : at + 4])) else Flaw.DAMAGED
    mark, checksum, length = _FRAME.unpack_from(buffer, at)
    if mark != seed or not _FIXED.size <= length <= MAX_PAYLOAD:
        return Flaw.DAMAGED
    begin, end = at + FRAME_SIZE, at + FRAME_SIZE + length
    if end > len(buffer):
        return Flaw.SHORT
    if zlib.crc32(buffer[begin:end], zlib.crc32(_LENGTH.pack(length), seed)) != checksum:
        return Flaw.DAMAGED
    kind, received, digest, spans, *sizes = _FIXED.unpack_from(buffer, begin)
    cuts = [begin + _FIXED.size]
    for size in sizes:
        cuts.append(cuts[-1] + size)
    if kind != REQUEST or cuts[-1] > end:
        return Flaw.DAMAGED
    sender, protocol, encoding = (
        bytes(buffer[cuts[n] : cuts[n + 1]]).decode("utf-8", "replace") for n in range(3)
    )
    body = bytes(buffer[cuts[3] : end])
    return Unpacked(Request(sender, protocol, encoding, received, digest, spans, body), end)


def find_next(buffer: memoryview, at: int, seed: int) -> int | None:
    """Offset of the first whole record at or behind `at`; None when no later record is there."""
    whole = buffer.obj if isinstance(buffer.obj, bytes) and len(buffer.obj) == len(buffer) else bytes(buffer)
    mark = _mark(seed)
    while (found := whole.find(mark, at)) >= 0:
        if isinstance(unpack(buffer, found, seed), Unpacked):
            return found
        at = found + 1
    return None


def _mark(seed: int) -> bytes:
    return seed.to_bytes(4, "little")
