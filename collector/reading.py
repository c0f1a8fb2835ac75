"""Files of recorded traces to requests: OTLP in JSON or protobuf, Zipkin's and Jaeger's JSON. Sends and stores nothing.

JSON is one document or one a line, told apart by its content; any file may be gzipped. What is none of these is
refused with a word on what it looks like.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import chain, groupby, islice
from typing import IO, Any, Final, NamedTuple

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from bindtrace.collector.intakes.recognise import converter, is_stored_span, stored_spans
from bindtrace.collector.journal.record import Request
from bindtrace.collector.otlp.admit import admit_message
from bindtrace.collector.otlp.undecodable import Undecodable
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.errors import Refusal

STDIN: Final = "-"
MAX_SPANS: Final = 5_000
"""Of one request: a receiver takes 64 MiB at most, and a file may be one document of any size."""
MAX_BYTES: Final = 16 * 1024 * 1024

STORED_AT_ONCE: Final = 500
"""Lines of an Elasticsearch dump hold a span each: so many make a request."""

_FIX: Final = (
    "give OTLP (JSON with `resourceSpans`, one document or one a line, or protobuf), "
    "or the JSON of Zipkin v2, Jaeger or Tempo"
)
_LOOKS: Final[tuple[tuple[str, str], ...]] = (
    ("resourceLogs", "OTLP logs"),
    ("resourceMetrics", "OTLP metrics"),
)


class Piece(NamedTuple):
    """A request to send or store, with the spans that were taken out of it and why."""

    request: Request
    rejected: int
    message: str


def read_pieces(name: str, on_bytes: Callable[[int], None] = lambda _: None) -> Iterator[Piece]:
    """The file's telemetry in requests of bounded size. `-` is standard input; `on_bytes` hears what is read.

    Raises `Refusal` naming the file (and line) for what is unreadable or no OTLP; what came before was given.
    """
    for message in read_messages(name, on_bytes):
        for part in _bounded(message):
            yield _piece(part)


def read_messages(
    name: str, on_bytes: Callable[[int], None] = lambda _: None
) -> Iterator[ExportTraceServiceRequest]:
    """The same as the messages that the file holds."""
    shown = "standard input" if name == STDIN else name
    try:
        with ExitStack() as stack:
            raw = sys.stdin.buffer if name == STDIN else stack.enter_context(open(name, "rb"))
            yield from _messages(_inflated(raw, on_bytes), shown)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise Refusal(f"{shown} is a damaged gzip file: {error}", fix="copy it again") from None
    except OSError as error:
        raise Refusal(f"cannot read {shown}: {error.strerror or error}", fix="check the path") from None


def _inflated(raw: IO[bytes], on_bytes: Callable[[int], None]) -> IO[bytes]:
    counted = io.BufferedReader(_Counted(raw, on_bytes), 1 << 20)
    if counted.peek(2)[:2] == b"\x1f\x8b":
        return io.BufferedReader(gzip.GzipFile(fileobj=counted), 1 << 20)
    return counted


class _Counted(io.RawIOBase):
    """Tells how many bytes pass."""

    def __init__(self, raw: IO[bytes], on_bytes: Callable[[int], None]) -> None:
        self._raw = raw
        self._on_bytes = on_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._raw.read(len(buffer))
        buffer[: len(data)] = data
        self._on_bytes(len(data))
        return len(data)


def _messages(stream: IO[bytes], name: str) -> Iterator[ExportTraceServiceRequest]:
    first = stream.readline()
    skipped = 0
    lines = [first]
    while first and not first.strip():  # a newline is also the first byte of OTLP protobuf: keep it
        first = stream.readline()
        lines.append(first)
        skipped += 1
    document = _parsed(first)
    if document is None:
        yield _whole(b"".join(lines) + stream.read(), name)
        return
    lines_left = _lines(chain([first], stream), skipped, name)
    for stored, group in groupby(lines_left, lambda line: is_stored_span(line[1])):
        if not stored:
            yield from (_from_json(document, where) for where, document in group)
        while batch := list(islice(group, STORED_AT_ONCE)):
            message = _converted(
                stored_spans, [document for _, document in batch], f"what begins at {batch[0][0]}"
            )
            if message.resource_spans:
                yield message


def _lines(stream: Iterable[bytes], skipped: int, name: str) -> Iterator[tuple[str, object]]:
    """Each line's document, with what to call it."""
    for number, line in enumerate(stream, start=skipped + 1):
        if line.strip():
            where = f"line {number} of {name}" if number > skipped + 1 else name
            if (document := _parsed(line)) is None:
                raise Refusal(f"{where} is not JSON: {_json_fault(line)}", fix="repair or remove it")
            yield where, document


def _whole(body: bytes, name: str) -> ExportTraceServiceRequest:
    if not body:
        raise Refusal(f"{name} is empty", fix=_FIX)
    if (document := _parsed(body)) is not None:
        return _from_json(document, name)
    try:
        message: ExportTraceServiceRequest = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        if body.lstrip().startswith((b"{", b"[")):
            raise Refusal(f"{name} is not JSON: {_json_fault(body)}", fix="repair it") from None
        raise Refusal(f"{name} is neither JSON nor OTLP protobuf", fix=_FIX) from None
    if not message.resource_spans:
        raise Refusal(f"{name} holds no traces: it is protobuf of another kind, or text", fix=_FIX)
    return message


def _from_json(document: object, name: str) -> ExportTraceServiceRequest:
    convert = converter(document)
    if convert is None:
        raise Refusal(f"{name} holds no traces: it looks like {_looks_like(document)}", fix=_FIX)
    return _converted(convert, document, name)


def _converted(
    convert: Callable[[Any], ExportTraceServiceRequest], document: Any, name: str
) -> ExportTraceServiceRequest:
    try:
        return convert(document)
    except Undecodable as fault:
        raise Refusal(
            f"{name} cannot be read: {fault.message}", fix="repair or leave out that part"
        ) from None


def _looks_like(document: object) -> str:
    if isinstance(document, list):
        return "a JSON list"
    if not isinstance(document, dict):
        return "a single JSON value"
    known = next((what for key, what in _LOOKS if key in document), None)
    return known or f"JSON with the keys {', '.join(sorted(map(str, document))[:5]) or '(none)'}"


def _parsed(body: bytes) -> object | None:
    """None for what is not JSON, and for `null`, which is no telemetry either."""
    try:
        found: object = orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return None
    return found


def _json_fault(body: bytes) -> str:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return str(error)
    return "it says null"


def _bounded(message: ExportTraceServiceRequest) -> Iterator[ExportTraceServiceRequest]:
    """The message itself where it is small enough, else its spans in several."""
    spans = sum(len(scope.spans) for part in message.resource_spans for scope in part.scope_spans)
    if spans <= MAX_SPANS and message.ByteSize() <= MAX_BYTES:
        yield message
        return
    size = max(1, min(MAX_SPANS, MAX_BYTES * spans // message.ByteSize()))
    for part in message.resource_spans:
        for scope in part.scope_spans:
            for start in range(0, len(scope.spans), size):
                one = ScopeSpans(
                    scope=scope.scope, schema_url=scope.schema_url, spans=scope.spans[start : start + size]
                )
                yield ExportTraceServiceRequest(
                    resource_spans=[
                        ResourceSpans(resource=part.resource, schema_url=part.schema_url, scope_spans=[one])
                    ]
                )


def _piece(message: ExportTraceServiceRequest) -> Piece:
    admitted = admit_message(message, None)
    # As a receiver makes it, so that a file stored here and one sent to a collector are the same requests.
    digest = hashlib.sha256(admitted.sender.encode() + b"\0" + admitted.body).digest()[:16]
    request = Request(
        admitted.sender, "import", "protobuf", now_unix_nano(), digest, admitted.spans, admitted.body
    )
    return Piece(request, admitted.rejected, admitted.message)


def grouped(pieces: Iterable[Piece], spans: int) -> Iterator[list[Piece]]:
    """Pieces in groups of about so many spans."""
    group: list[Piece] = []
    held = 0
    for piece in pieces:
        group.append(piece)
        held += piece.request.spans
        if held >= spans:
            yield group
            group, held = [], 0
    if group:
        yield group
