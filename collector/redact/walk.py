"""Takes credentials out of a parsed request, wherever text can stand. Never keeps, logs or returns one.

What is taken out is replaced by `[REDACTED:<kind>:<hash>]`; the hash is 32 bits of a keyed hash, so that the same
credential is recognised again and nothing can be learned of it.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from collections import Counter
from pathlib import Path

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from bindtrace.collector.redact.markers import shapes_in, suspicious
from bindtrace.collector.redact.names import secret_name
from bindtrace.collector.redact.salt import SIZE, load_salt
from bindtrace.collector.redact.shapes import scrub_text

Redactions = Counter[tuple[str, str]]
"""How many credentials were replaced, by place (an attribute's key, or a field of OTLP) and kind."""

log = logging.getLogger("bindtrace.redact")
_IDS = frozenset(("trace_id", "span_id", "parent_span_id"))
_HARMLESS = re.compile(
    r"\s*(?:|\*+|x{3,}|\.{3}|[•·]+|<[^<>]*>|\[(?:redacted|filtered|masked|removed|hidden|secure)[^\]]*\]|redacted|filtered"
    r"|masked|hidden|removed|none|null|nil|undefined|true|false|yes|no|n/a|-|\d{1,7}|\[REDACTED:.*)\s*",
    re.IGNORECASE,
)
"""Values under a telling name that are no credential: placeholders, switches, counts."""
_MAX_PLACE = 120
_MANY_BYTES = 16 * 1024
"""Of larger requests random ids look suspicious, one in 200 of 512 spans: 2 ms to leave them out, 20 for every text."""


class Redactor:
    """Scrubs requests with one salt. `apply` may be called from several threads."""

    def __init__(self, salt: bytes | Path) -> None:
        """`salt` itself, or the file that holds it, which is read or made when the first credential is found."""
        self._salt = salt

    def apply(self, request: ExportTraceServiceRequest, body: bytes) -> Redactions:
        """Scrubs in place, where the request's bytes say that it is worth the time.

        Then the request is to be serialised anew; what no field of OTLP holds is dropped, as nobody can judge it.
        """
        if not suspicious(body) or (len(body) > _MANY_BYTES and not suspicious(_without_ids(body))):
            return Counter()
        run = _Run(self._salt_bytes())
        run.message(request, "")
        request.DiscardUnknownFields()
        return run.counts

    def _salt_bytes(self) -> bytes:
        if isinstance(self._salt, Path):
            try:
                self._salt = load_salt(self._salt)
            except OSError as error:
                # Marks are then comparable within this process only; nothing is refused for it.
                log.warning("event=salt_unreadable error=%r", str(error))
                self._salt = secrets.token_bytes(SIZE)
        return self._salt


def _without_ids(body: bytes) -> bytes:
    request = ExportTraceServiceRequest.FromString(body)
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                for named in (span, *span.links):
                    named.trace_id = named.span_id = b""
                span.parent_span_id = b""
    return bytes(request.SerializeToString())


_current = Redactor(secrets.token_bytes(SIZE))


def current_redactor() -> Redactor:
    """This process's. Its salt is a new one until `use_salt`."""
    return _current


def use_salt(salt: bytes | Path) -> None:
    """Hashes of this process are comparable with those of others with the same salt."""
    global _current
    _current = Redactor(salt)


class _Run:
    """One request's walk."""

    def __init__(self, salt: bytes) -> None:
        self.counts: Redactions = Counter()
        self._salt = salt
        self._place = ""

    def message(self, message: Message, place: str) -> None:
        """Every text below, by OTLP's own descriptors: a field that a later version adds is looked at too."""
        for field, value in message.ListFields():
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                for part in value if field.is_repeated else (value,):
                    if isinstance(part, KeyValue):
                        self._pair(part)
                    else:
                        self.message(part, f"{message.DESCRIPTOR.name.lower()}.{field.name}")
            elif field.type == FieldDescriptor.TYPE_STRING:
                self._place = (
                    place
                    if isinstance(message, AnyValue)
                    else f"{message.DESCRIPTOR.name.lower()}.{field.name}"
                )
                if field.is_repeated:
                    for at, text in enumerate(value):
                        value[at] = self._text(text)
                elif (scrubbed := self._text(value)) is not value:
                    setattr(message, field.name, scrubbed)
            elif field.type == FieldDescriptor.TYPE_BYTES and field.name not in _IDS:
                self._place = place
                self._bytes(message, field.name, value)

    def _pair(self, pair: KeyValue) -> None:
        key = pair.key
        if kind := secret_name(key):
            self._place = key
            self._named(pair.value, kind)
        self._place = "attribute.key"
        if (scrubbed := self._text(key)) is not key:
            pair.key = scrubbed
        self.message(pair.value, pair.key)

    def _named(self, value: AnyValue, kind: str) -> None:
        """All that stands under a telling key, however deep."""
        which = value.WhichOneof("value")
        if which == "string_value":
            if not _HARMLESS.fullmatch(value.string_value):
                value.string_value = self._replaced(kind, value.string_value)
        elif which == "bytes_value":
            if value.bytes_value:
                value.bytes_value = self._replaced(kind, value.bytes_value).encode()
        elif which == "int_value" and kind == "password":
            value.string_value = self._replaced(kind, str(value.int_value))
        elif which == "array_value":
            for part in value.array_value.values:
                self._named(part, kind)
        elif which == "kvlist_value":
            for part in value.kvlist_value.values:
                self._named(part.value, kind)

    def _text(self, text: str) -> str:
        return scrub_text(text, shapes_in(text), self._replaced)

    def _bytes(self, message: Message, name: str, value: bytes) -> None:
        # Latin-1 maps each byte to one letter and back: shapes are ASCII.
        text = value.decode("latin-1")
        if (scrubbed := scrub_text(text, shapes_in(text), self._replaced)) is not text:
            setattr(message, name, scrubbed.encode("latin-1"))

    def _replaced(self, kind: str, secret: str | bytes) -> str:
        self.counts[self._place[:_MAX_PLACE], kind] += 1
        raw = secret if isinstance(secret, bytes) else secret.encode("utf-8", "surrogatepass")
        return f"[REDACTED:{kind}:{hashlib.blake2b(raw, key=self._salt, digest_size=4).hexdigest()}]"
