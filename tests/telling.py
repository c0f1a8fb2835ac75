"""The spans of a guarded call as its services would export them: one resource each, and all of them as OTLP."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from guarding import Spans
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from bindtrace.propagation.guard import spans

TRACERS = {"bindtrace.authority": "authority", "bindtrace.guard": "inventory", "orders": "orders"}


class Services:
    """The spans of each service, by resource."""

    def __init__(self) -> None:
        self.of = {
            name: Spans(TracerProvider(resource=Resource({"service.name": name})))
            for name in TRACERS.values()
        }

    def get_tracer(self, name: str, *_: Any, **__: Any) -> Any:
        return self.of[TRACERS[name]].provider.get_tracer(name)

    def otlp(self) -> dict[str, Any]:
        return otlp(self.of.values())


def otlp(told: Iterable[Spans]) -> dict[str, Any]:
    """All of them as one OTLP/JSON document: ids in hex, where protobuf's own JSON has base64."""
    document = MessageToDict(encode_spans([span for spans in told for span in spans.all()]))
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in {"traceId", "spanId", "parentSpanId"} & span.keys():
                    span[name] = base64.b64decode(span[name]).hex()
    return json.loads(json.dumps(document))


def listening(monkeypatch: pytest.MonkeyPatch) -> Services:
    """What is traced from here on, by the tracer that each part of us asks for: it is their provider."""
    made = Services()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: made)
    monkeypatch.setattr(spans, "tracer", lambda: made.get_tracer(spans.SCOPE))
    return made
