"""The shop's OpenTelemetry set-up, as any service has one. Everything else comes from OTEL_* variables."""

from __future__ import annotations

import os
from collections.abc import Mapping

import httpx
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from starlette.applications import Starlette
from starlette.types import ASGIApp

from bindtrace.collector.demo.shop import shim


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


def served(app: Starlette) -> ASGIApp:
    """`app` with a SERVER span for each request."""
    return OpenTelemetryMiddleware(app) if shim.identity is None else shim.guarded(app, shim.identity)


def client(
    transport: httpx.AsyncBaseTransport | None = None, callees: Mapping[str, str] | None = None
) -> httpx.AsyncClient:
    """A client with a CLIENT span for each request, which carries the context of the propagators.

    With an identity it signs its calls to `callees`, by URL; else to those that its bindings lead to.
    """
    if transport is None and shim.identity is not None:
        transport = shim.signed(shim.identity, _bound() if callees is None else callees)
    http = httpx.AsyncClient(transport=transport or httpx.AsyncHTTPTransport(), timeout=5)
    HTTPXClientInstrumentor.instrument_client(http)
    return http


def trace_id() -> str:
    """Of the request that is being answered, in hex."""
    return f"{trace.get_current_span().get_span_context().trace_id:032x}"


def _bound() -> dict[str, str]:
    """The URL in each binding variable, and who is there."""
    pairs = [pair.split("=") for pair in os.environ.get("BINDTRACE_BINDINGS", "").split(",") if pair]
    return {os.environ[variable]: callee for variable, callee in pairs}
