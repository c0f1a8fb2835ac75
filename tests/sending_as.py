"""Stores what a sender sent that proved to be somebody, as a receiver and the loader do."""

from __future__ import annotations

import hashlib

import duckdb
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bindtrace.collector.journal.record import Request
from bindtrace.collector.otlp.admit import Admitted, admit
from bindtrace.collector.reading import Piece
from bindtrace.collector.storing import store


def sent(con: duckdb.DuckDBPyConnection, request: ExportTraceServiceRequest, exporter: str) -> None:
    body = request.SerializeToString()
    admitted = admit(body, "protobuf", exporter=exporter)
    assert isinstance(admitted, Admitted)
    digest = hashlib.blake2b(exporter.encode() + body, digest_size=16).digest()
    kept = Request(admitted.sender, "grpc", "protobuf", 1_000, digest, admitted.spans, admitted.body)
    store(con, [Piece(kept, admitted.rejected, admitted.message)])
