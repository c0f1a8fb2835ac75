"""What to add to a sender so that its calls carry the binding header: text by kind of sender. Asks nothing.

Every line is in a test that runs it (tests/interop) or in the vendor's documentation (docs/senders.md says where).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

Row = Mapping[str, Any]

PYTHON: Final = """\
export OTEL_PROPAGATORS=tracecontext,baggage,binding  # pip install bindtrace
provider.add_span_processor(BindingSpanProcessor())
# from bindtrace.propagation import BindingSpanProcessor"""
NODE: Final = """\
bindtrace js > service-binding.mjs
import { BindingPropagator, BindingSpanProcessor } from './service-binding.mjs';
new NodeSDK({
  textMapPropagator: new CompositePropagator({ propagators: [
    new W3CTraceContextPropagator(), new BindingPropagator()] }),
  spanProcessors: [new BindingSpanProcessor(), new BatchSpanProcessor(exporter)],
})"""
VERCEL: Final = """\
bindtrace js > service-binding.mjs, and in instrumentation.js:
import {{ BindingPropagator, BindingSpanProcessor }} from './service-binding.mjs';
registerOTel({{
  serviceName: '{service}',
  propagators: ['auto', new BindingPropagator()],
  spanProcessors: ['auto', new BindingSpanProcessor()],
  instrumentationConfig: {{ fetch: {{ propagateContextUrls: [
    {urls}] }} }},
}});"""
CLOUDFLARE: Final = """\
Workers' own tracing neither takes nor gives headers; let the manifest say it:
bindtrace serve --manifest wrangler.jsonc"""
ENVOY: Final = """\
in the tracing of the HTTP connection manager:
spawn_upstream_span: true
custom_tags:
- {tag: http.request.header.service-binding, request_header: {name: service-binding}}"""
ISTIO: Final = """\
in a Telemetry resource (telemetry.istio.io/v1), under spec.tracing:
- customTags:
    http.request.header.service-binding:
      header: {name: service-binding}"""
JAVA: Final = "export OTEL_INSTRUMENTATION_HTTP_SERVER_CAPTURE_REQUEST_HEADERS=service-binding"
OTHER: Final = "capture the request header `service-binding` on server spans"

PROPAGATED: Final = "instrumentationConfig: {{ fetch: {{ propagateContextUrls: [process.env.{binding}] }} }},"
"""@vercel/otel sends `traceparent` to the deployment's own hosts alone."""
INJECTED: Final = "see that traceparent is sent with this call, and that no proxy drops it"

LINES: Final[Mapping[str, str]] = {
    "vercel": VERCEL,
    "nodejs": NODE,
    "python": PYTHON,
    "java": JAVA,
    "istio": ISTIO,
    "envoy": ENVOY,
    "cloudflare": CLOUDFLARE,
}
"""By kind of sender (queries/reports/instrumentation.sql), those inside a service before those beside it."""

_NAMES: Final[Mapping[str, str]] = {
    "vercel": "@vercel/otel",
    "istio": "Istio's proxies",
    "envoy": "Envoy",
    "cloudflare": "Cloudflare Workers",
    "nodejs": "Node.js",
    "python": "Python",
    "java": "Java",
}
_RANKS: Final = {kind: rank for rank, kind in enumerate(LINES)}


class Missing(NamedTuple):
    """Services whose sender says nothing of bindings, how it is called, and the lines to add to it."""

    services: tuple[str, ...]
    sender: str
    lines: str


def missing(instrumentation: Sequence[Row], grants: Sequence[Row]) -> list[Missing]:
    """What to add, once for all services that need the same lines. A service that carries the header needs none."""
    kinds: dict[str, list[str]] = {}
    carrying = {str(row["service"]) for row in instrumentation if row["with_binding"]}
    for row in instrumentation:
        kinds.setdefault(str(row["service"]), []).append(str(row["sender"]))
    found: dict[tuple[str, str], list[str]] = {}
    for service in sorted(kinds.keys() - carrying):
        kind = min(kinds[service], key=lambda one: _RANKS.get(one, _RANKS["java"]))
        lines = LINES.get(kind, OTHER)
        if kind == "vercel":
            lines = lines.format(service=service, urls=", ".join(_urls(service, grants)))
        found.setdefault((_NAMES.get(kind, kind), lines), []).append(service)
    return [Missing(tuple(services), *key) for key, services in found.items()]


def _urls(service: str, grants: Sequence[Row]) -> Iterator[str]:
    """The variables of the service's bindings, as its JavaScript reads them."""
    names = sorted({str(row["binding"]) for row in grants if row["caller"] == service and row["binding"]})
    return (f"process.env.{name}" for name in names or ["NAME_URL"])


class Broken(NamedTuple):
    """Calls by a binding that a callee which does send spans did not take up, and what to do."""

    caller: str
    callee: str
    binding: str
    calls: int
    unanswered: int
    step: str


def broken(
    crossings: Sequence[Row], grants: Sequence[Row], instrumentation: Sequence[Row]
) -> Iterator[Broken]:
    """Where more than half of the calls were not taken up: a few may be sampled, late or lost."""
    callees = {(str(row["caller"]), str(row["binding"])): str(row["callee"]) for row in grants}
    senders = {(str(row["service"]), str(row["sender"])) for row in instrumentation}
    speaking = {service for service, _ in senders}
    for row in crossings:
        caller, binding = str(row["caller"]), str(row["binding"])
        callee = callees.get((caller, binding))
        if callee in speaking and 2 * row["unanswered"] > row["calls"]:
            vercel = (caller, "vercel") in senders
            step = PROPAGATED.format(binding=binding) if vercel else INJECTED
            yield Broken(caller, str(callee), binding, row["calls"], row["unanswered"], step)
