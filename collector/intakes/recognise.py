"""Which trace format a JSON document is, by its content. Converts by the format's own module; no I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bindtrace.collector.intakes import jaeger, zipkin
from bindtrace.collector.otlp import json as otlp

Convert = Callable[[object], ExportTraceServiceRequest]
"""A document of its format to OTLP; raises `Undecodable`."""

_OTLP_KEYS: Final = frozenset({"resourceSpans", "resource_spans"})


def converter(document: object) -> Convert | None:
    """How to read the document; None where it is no trace format that is known."""
    first = _first(document)
    return next((convert for belongs, convert in _FORMATS if belongs(first)), None)


def is_stored_span(document: object) -> bool:
    """Whether this is one of many lines that Elasticsearch dumps, a Jaeger span each, or one of its bulk actions."""
    return isinstance(document, dict) and (
        _is_bulk_action(document) or "spanID" in document or "spanID" in _inner(document, "_source")
    )


def stored_spans(documents: list[object]) -> ExportTraceServiceRequest:
    """Lines that `is_stored_span` is true of, as one request. Raises `Undecodable`."""
    return jaeger.from_document([found for found in documents if not _is_bulk_action(found)])


def _first(document: object) -> dict[str, Any]:
    """The object that tells: the document itself, or the first of its list (of lists)."""
    while isinstance(document, list):
        document = next(iter(document), None)
    return document if isinstance(document, dict) else {}


def _inner(document: dict[str, Any], key: str) -> dict[str, Any]:
    """What `document[key]` begins with."""
    return _first(document.get(key))


def _is_bulk_action(document: object) -> bool:
    return isinstance(document, dict) and len(document) == 1 and isinstance(document.get("index"), dict)


def _is_otlp(document: dict[str, Any]) -> bool:
    return not _OTLP_KEYS.isdisjoint(document)


def _tempo(document: object) -> ExportTraceServiceRequest:
    """Tempo's `batches` are OTLP's `resourceSpans`, with ids in base64, which the OTLP reader tells apart."""
    found = _first(document)
    trace = found.get("trace", found)
    key = next(key for key in ("batches", "resourceSpans") if key in trace)
    return otlp.from_document({"resourceSpans": trace[key]})


def _is_tempo(document: dict[str, Any]) -> bool:
    trace = _inner(document, "trace")
    return "resource" in _inner(document, "batches") or not {"batches", "resourceSpans"}.isdisjoint(trace)


_FORMATS: Final[tuple[tuple[Callable[[dict[str, Any]], bool], Convert], ...]] = (
    (_is_otlp, otlp.from_document),
    (_is_tempo, _tempo),
    (lambda document: {"traceId", "id"} <= document.keys(), zipkin.from_document),
    (
        lambda document: jaeger.belongs(document) or jaeger.belongs(_inner(document, "data")),
        jaeger.from_document,
    ),
    (is_stored_span, jaeger.from_document),
)
"""In this order: the most telling keys first."""
