"""Stores what a sender sent that proved to be somebody, as a receiver and the loader do."""

from __future__ import annotations

import hashlib

import duckdb
from drawing import INTERNAL
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_requests import one_span

from bindtrace.collector.journal.record import Request
from bindtrace.collector.otlp.admit import Admitted, admit
from bindtrace.collector.reading import Piece
from bindtrace.collector.storing import store
from bindtrace.propagation.vocabulary import ISSUER_SCOPE


def sent(con: duckdb.DuckDBPyConnection, request: ExportTraceServiceRequest, exporter: str) -> None:
    body = request.SerializeToString()
    admitted = admit(body, "protobuf", exporter=exporter)
    assert isinstance(admitted, Admitted)
    digest = hashlib.blake2b(exporter.encode() + body, digest_size=16).digest()
    kept = Request(admitted.sender, "grpc", "protobuf", 1_000, digest, admitted.spans, admitted.body)
    store(con, [Piece(kept, admitted.rejected, admitted.message)])


def issue_told(credential: str, subject: str) -> ExportTraceServiceRequest:
    """As an authority sends it, or somebody who says that he is one."""
    request = one_span(
        9, service="authority", trace_id=bytes.fromhex(credential),
        bindtrace__issued__jti_sha256=credential, bindtrace__issued__subject=subject,
    )  # fmt: skip
    held = request.resource_spans[0].scope_spans[0]
    held.scope.name, held.spans[0].name, held.spans[0].kind = ISSUER_SCOPE, "issue token", INTERNAL
    return request
