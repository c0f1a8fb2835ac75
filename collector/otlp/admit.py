"""Admission: a request's bytes become protobuf that the loader can store, less its invalid spans. No I/O.

An invalid span is one without a usable name: OTLP calls a trace or span id of wrong length or all zero
invalid (trace.proto), and a parent id is 0 or 8 bytes. Such spans are taken out and counted by reason,
and the rest is kept. Credentials are taken out here too: what comes back may be journaled and logged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, NamedTuple

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bindtrace.collector.intakes import handshakes, statistics, zipkin
from bindtrace.collector.otlp.exporter import name_exporter
from bindtrace.collector.otlp.idcheck import count_if_all_valid
from bindtrace.collector.otlp.json import read_as, to_protobuf
from bindtrace.collector.otlp.limits import MAX_SPANS, too_many
from bindtrace.collector.otlp.mend import mended
from bindtrace.collector.otlp.prescan import FREE_BYTES, json_fault, logs_fault, metrics_fault, protobuf_fault
from bindtrace.collector.otlp.quirks import BAD_UTF8, LONG_VALUE, Quirks, adopt_library_spans
from bindtrace.collector.otlp.shorten import may_hold_long, shorten
from bindtrace.collector.otlp.undecodable import Undecodable
from bindtrace.collector.redact.walk import Redactor, current_redactor

__all__ = ["Admitted", "Encoding", "Undecodable", "admit", "admit_message"]

Encoding = Literal["protobuf", "json", "zipkin", "logs", "logs-json", "metrics", "metrics-json"]
"""Of OTLP two; Zipkin v2 JSON, OTLP logs of refused handshakes and metrics of refused callers, which are converted."""

_FAULTS: Final[Mapping[Encoding, Callable[[bytes], Undecodable | None]]] = {
    "protobuf": protobuf_fault,
    "json": json_fault,
    "zipkin": json_fault,
    "logs": logs_fault,
    "logs-json": json_fault,
    "metrics": metrics_fault,
    "metrics-json": json_fault,
}


class _Signal(NamedTuple):
    """Another signal than traces, of which some records become spans; the others are rejected, with the reason."""

    name: str
    kind: type[Message]
    to_request: Callable[[Any], tuple[ExportTraceServiceRequest, int]]
    records: str
    why_not: str


_LOGS = _Signal(
    "logs", ExportLogsServiceRequest, handshakes.to_request, "log records", handshakes.OTHER_RECORD
)
_METRICS = _Signal(
    "metrics", ExportMetricsServiceRequest, statistics.to_request, "data points", statistics.OTHER_POINT
)
_SIGNALS: Final[Mapping[Encoding, _Signal]] = {
    "logs": _LOGS,
    "logs-json": _LOGS,
    "metrics": _METRICS,
    "metrics-json": _METRICS,
}
NO_TRACE, NO_SPAN = bytes(16), bytes(8)
_PARENT_SIZES = frozenset((0, 8))
_MANY_BYTES = 16 * 1024  # below, reading the ids a second time costs more than it saves


@dataclass(frozen=True, slots=True)
class Admitted:
    """What may be journaled: an ExportTraceServiceRequest in protobuf that holds `spans` valid spans.

    `rejected` spans were taken out; `message` says why, by reason, and is empty when none were.
    `sender` is `service.name/telemetry.sdk.name` of the first resource, either part empty where it says none, and
    `version` its `telemetry.sdk.version`. `redacted` counts credentials by (attribute key or field, kind).
    """

    body: bytes
    spans: int
    rejected: int
    message: str
    sender: str
    version: str = ""
    reasons: Mapping[str, int] = field(default_factory=dict)
    quirks: Mapping[str, int] = field(default_factory=dict)
    redacted: Mapping[tuple[str, str], int] = field(default_factory=dict)


def admit(
    body: bytes, encoding: Encoding, redactor: Redactor | None = None, exporter: str = ""
) -> Admitted | Undecodable:
    """Judges one request, never raises. Protobuf with nothing to change comes back as the same object.

    `exporter` is who the sender proved to be, empty where nobody asked.
    """
    quirks: Quirks = Counter()
    try:
        if fault := _FAULTS[encoding](body):
            return fault
        if signal := _SIGNALS.get(encoding):
            read = (
                read_as(signal.kind, body, quirks)
                if encoding.endswith("json")
                else _read(signal.kind, body, quirks)
            )
            return _admit_signal(signal, read, quirks, redactor, exporter)
        if encoding == "json":
            return admit_message(to_protobuf(body, quirks), None, quirks, redactor, exporter=exporter)
        if encoding == "zipkin":
            return admit_message(zipkin.to_request(body), None, quirks, redactor, exporter=exporter)
        return _admit_protobuf(body, quirks, redactor, exporter)
    except Undecodable as fault:
        return fault
    except DecodeError as error:
        name = _SIGNALS[encoding].name if encoding in _SIGNALS else "traces"
        return Undecodable(f"the body is not an OTLP {name} request in protobuf: {error}")


def _read(kind: type[Message], body: bytes, quirks: Quirks) -> Message:
    """A certificate that a stranger showed may name anything: not being UTF-8 must not hide what came with it."""
    try:
        return kind.FromString(body)
    except DecodeError as error:
        try:
            request = mended(kind, body)
        except (DecodeError, RecursionError):
            raise error from None
        quirks[BAD_UTF8] += 1
        return request


def _admit_signal(
    signal: _Signal, read: Message, quirks: Quirks, redactor: Redactor | None, exporter: str
) -> Admitted:
    """The records that are taken as spans; the others are rejected, and said to be."""
    request, others = signal.to_request(read)
    admitted = admit_message(request, None, quirks, redactor, exporter=exporter)
    if not others:
        return admitted
    message = (
        f"rejected {signal.records}: {others} because {signal.why_not};"
        f" of {signal.name} only those are taken here"
    )
    reasons = {**admitted.reasons, signal.why_not: others}
    return replace(admitted, rejected=admitted.rejected + others, message=message, reasons=reasons)


def _admit_protobuf(body: bytes, quirks: Quirks, redactor: Redactor | None, exporter: str) -> Admitted:
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        if len(body) > FREE_BYTES * 8:
            raise
        try:
            request = mended(ExportTraceServiceRequest, body)
        except (DecodeError, RecursionError):
            raise error from None
        quirks[BAD_UTF8] += 1
        adopt_library_spans(request, body, quirks)
        return admit_message(request, None, quirks, redactor, exporter=exporter)
    valid = count_if_all_valid(body) if len(body) > _MANY_BYTES else None
    if valid is None:
        adopt_library_spans(request, body, quirks)
    return admit_message(request, None if quirks else body, quirks, redactor, valid, exporter)


def admit_message(
    request: ExportTraceServiceRequest,
    body: bytes | None,
    quirks: Quirks | None = None,
    redactor: Redactor | None = None,
    valid: int | None = None,
    exporter: str = "",
) -> Admitted:
    """The same for a parsed request, whose bytes are `body` where there are any. Changes the request.

    `valid` is the number of its spans where all of them are known to be valid.
    Raises `Undecodable` where it holds more spans than one request may.
    """
    reasons: Counter[str] = Counter()
    kept = _take_out_invalid(request, reasons) if valid is None else valid
    if kept > MAX_SPANS:
        raise too_many("spans", MAX_SPANS)
    rejected = reasons.total()
    named = name_exporter(request, body, exporter)
    if body is None or rejected or named:
        body = request.SerializeToString()
    redacted = (redactor or current_redactor()).apply(request, body)
    long = shorten(request) if may_hold_long(request, body) else 0
    if redacted or long:
        body = request.SerializeToString()
    if long:
        quirks = Counter(quirks or {})
        quirks[LONG_VALUE] += long
    service, sdk, version = _sender(request)
    return Admitted(
        body, kept, rejected, _message(reasons), f"{service}/{sdk}", version, reasons, quirks or {}, redacted
    )  # fmt: skip


def _take_out_invalid(request: ExportTraceServiceRequest, reasons: Counter[str]) -> int:
    """How many spans stay; counts the others by reason."""
    spans_seen = 0
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            spans = scope_spans.spans
            spans_seen += len(spans)
            if spans_seen > MAX_SPANS:
                raise too_many("spans", MAX_SPANS)
            valid = [
                len(trace := span.trace_id) == 16
                and len(own := span.span_id) == 8
                and trace != NO_TRACE
                and own != NO_SPAN
                and len(span.parent_span_id) in _PARENT_SIZES
                for span in spans
            ]
            if not all(valid):
                for at in [at for at, right in enumerate(valid) if not right][::-1]:
                    reasons[_fault(spans[at])] += 1
                    del spans[at]
    return spans_seen - reasons.total()


def _fault(span: Span) -> str:
    """Why an invalid span is one."""
    trace_id = span.trace_id
    span_id = span.span_id
    if len(trace_id) != 16:
        return "trace_id is not 16 bytes"
    if len(span_id) != 8:
        return "span_id is not 8 bytes"
    if trace_id == NO_TRACE:
        return "trace_id is all zero"
    if span_id == NO_SPAN:
        return "span_id is all zero"
    return "parent_span_id is neither empty nor 8 bytes"


def _message(reasons: Counter[str]) -> str:
    if not reasons:
        return ""
    counted = ", ".join(f"{count} because {why}" for why, count in sorted(reasons.items()))
    return f"rejected spans: {counted}"


def _sender(request: ExportTraceServiceRequest) -> tuple[str, str, str]:
    for resource_spans in request.resource_spans:
        attributes = resource_spans.resource.attributes
        service, sdk = _text(attributes, "service.name"), _text(attributes, "telemetry.sdk.name")
        return service, sdk, _text(attributes, "telemetry.sdk.version")
    return "", "", ""


def _text(attributes: Iterable[object], key: str) -> str:
    return next((str(pair.value.string_value) for pair in attributes if pair.key == key), "")  # type: ignore[attr-defined]
