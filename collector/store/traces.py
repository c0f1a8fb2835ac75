"""One stored trace as OTLP bytes, as Tempo answers it, with what was judged of its calls as span attributes.

Grafana's conversion reads `status`, `scope` and a resource's attributes without looking whether they are there
(read-apis 3.1), so all three always are.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import duckdb
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, TracesData

from bindtrace.collector.otlp.readback import otlp_json, read_requests
from bindtrace.propagation.vocabulary import UNKNOWN_SERVICE
from bindtrace.queries.stored_traces import WITHIN, bound, wanted
from bindtrace.queries.tempo.judgements import judgements


def trace_bytes(con: duckdb.DuckDBPyConnection, trace_id: UUID) -> bytes:
    """A serialized `TracesData`, empty where nothing of the trace is stored; each span once."""
    traces = wanted(con, [trace_id])
    judged = judgements(con, traces).get(trace_id, {})
    answer = TracesData()
    seen: set[bytes] = set()
    for request in read_requests(con, *bound(WITHIN, traces)):
        for envelope in request.resource_spans:
            _complete(envelope, seen, judged)
        answer.resource_spans.extend(request.resource_spans)
    return bytes(answer.SerializeToString())


def trace_json(con: duckdb.DuckDBPyConnection, trace_id: UUID) -> dict[str, Any]:
    """The same as OTLP JSON, with ids in hex; empty where nothing of the trace is stored."""
    return otlp_json(TracesData.FromString(trace_bytes(con, trace_id)))


def _complete(envelope: ResourceSpans, seen: set[bytes], judged: dict[int, dict[str, str]]) -> None:
    if not any(pair.key == "service.name" for pair in envelope.resource.attributes):
        named = envelope.resource.attributes.add()
        named.key, named.value.string_value = "service.name", UNKNOWN_SERVICE
    for scope in envelope.scope_spans:
        scope.scope.SetInParent()
        kept = [span for span in scope.spans if not _again(span, seen)]
        if len(kept) < len(scope.spans):
            del scope.spans[:]
            scope.spans.extend(kept)
        for span in scope.spans:
            span.status.SetInParent()
            for word, value in judged.get(int.from_bytes(span.span_id), {}).items():
                pair = span.attributes.add()
                pair.key, pair.value.string_value = f"bindtrace.{word}", value


def _again(span: Span, seen: set[bytes]) -> bool:
    """Of a span that was sent twice the first is kept; two that share an id (Zipkin) differ in kind."""
    key = span.span_id + bytes([span.kind])
    again = key in seen
    seen.add(key)
    return again
