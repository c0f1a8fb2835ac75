"""Services with the real SDK in one process, whose calls are carriers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bindtrace.propagation import BindingPropagator, BindingSpanProcessor
from bindtrace.propagation.binding_header import Binding, parse

WIRE = CompositePropagator([TraceContextTextMapPropagator(), BindingPropagator()])
HEADER = "service-binding"


class Service:
    """One service: its own provider, resource and exported spans."""

    def __init__(self, name: str, sampler: Sampler = ALWAYS_ON, processor: bool = True, **more: str) -> None:
        self.exporter = InMemorySpanExporter()
        resource = Resource({"service.name": name, **{k.replace("__", "."): v for k, v in more.items()}})
        self.provider = TracerProvider(sampler=sampler, resource=resource)
        if processor:
            self.provider.add_span_processor(BindingSpanProcessor())
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("test")

    def serve(self, carrier: Mapping[str, str]) -> Context:
        context = WIRE.extract(carrier)
        span = self.tracer.start_span("serve", context, kind=SpanKind.SERVER)
        span.end()
        return trace.set_span_in_context(span, context)

    def call(self, context: Context | None = None, **attributes: str) -> dict[str, str]:
        named = {key.replace("__", "."): value for key, value in attributes.items()}
        span = self.tracer.start_span("call", context, kind=SpanKind.CLIENT, attributes=named)
        carrier: dict[str, str] = {}
        WIRE.inject(carrier, trace.set_span_in_context(span, context))
        span.end()
        return carrier

    def spans(self, kind: SpanKind) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.kind is kind]

    def stamp(self, kind: SpanKind) -> dict[str, Any]:
        (span,) = self.spans(kind)
        return {k: v for k, v in (span.attributes or {}).items() if k.startswith("bindtrace.")}


def claim(carrier: Mapping[str, str]) -> Binding:
    read = parse([carrier[HEADER]])
    assert isinstance(read, Binding)
    return read
