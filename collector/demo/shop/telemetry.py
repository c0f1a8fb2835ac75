"""The shop's OpenTelemetry set-up, as any service has one. Everything else comes from OTEL_* variables."""

from __future__ import annotations

import os

import httpx
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from starlette.applications import Starlette


def start(*processors: SpanProcessor) -> None:
    """Every span of this process goes through `processors`, then to the collector."""
    provider = TracerProvider()
    for processor in (*processors, BatchSpanProcessor(_exporter())):
        provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)


def _exporter() -> SpanExporter:
    # Imported where it is used: gRPC costs a process that speaks HTTP a fifth of its start.
    if os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

        return GrpcExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

    return HttpExporter()


def served(app: Starlette) -> OpenTelemetryMiddleware:
    """`app` with a SERVER span for each request."""
    return OpenTelemetryMiddleware(app)


def client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """A client with a CLIENT span for each request, which carries the context of the propagators."""
    http = httpx.AsyncClient(transport=transport or httpx.AsyncHTTPTransport(), timeout=5)
    HTTPXClientInstrumentor.instrument_client(http)
    return http
