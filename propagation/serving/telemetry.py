"""Spans of our own processes beside a service: exported by the standard `OTEL_*` variables, as the service's."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from bindtrace.propagation import environment
from bindtrace.propagation.identity.spiffe import Workload

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def resource_of(workload: Workload) -> dict[str, str]:
    """The resource attributes that name a workload, as its own SDK sends them too."""
    return {
        "service.name": workload.service,
        "deployment.environment.name": workload.environment,
        "deployment.id": workload.deployment,
    }


def trace_as(workload: Workload, endpoint: str | None = None) -> TracerProvider | None:
    """Sets the tracer provider of this process; None, and no spans, where no endpoint is named.

    `endpoint` is one for gRPC, for a process whose own variables name none.
    """
    if endpoint is None and not any(environment.read(name) for name in _ENDPOINTS):
        return None
    provider = TracerProvider(resource=Resource.create(resource_of(workload)))
    provider.add_span_processor(BatchSpanProcessor(_exporter(endpoint), schedule_delay_millis=500))
    trace.set_tracer_provider(provider)
    return provider


def _exporter(endpoint: str | None) -> SpanExporter:
    if endpoint is not None or environment.read("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc") == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

        return Grpc(endpoint=endpoint, insecure=True) if endpoint else Grpc()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

    return Http()
