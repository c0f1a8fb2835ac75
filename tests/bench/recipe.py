"""The fixed data recipe of every benchmark: what a span of theirs looks like, from a seed. Sends nothing.

20 services and 3 Envoy proxies; traces of 8 to 42 spans; 12 attributes a span, of which 4 differ on nearly every span
(path with an id, peer port, thread id, request id), 5 take tens of values and 3 a handful; 1 event a span with 2
attributes, a link on one span of 16; 6 resource attributes; requests hold spans of many services, as a gateway's do.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SERVICES = 20
PROXIES = 3
START = 1_790_000_000_000_000_000


def requests(seed: int, spans_per_request: int) -> Iterator[tuple[bytes, int]]:
    """Endless distinct request bodies with their number of spans."""
    dice = random.Random(seed)
    resources = [_resource(place) for place in range(SERVICES + PROXIES)]
    waiting: list[tuple[int, Span]] = []
    while True:
        while len(waiting) < spans_per_request:
            waiting += _trace(dice)
        yield _request(waiting[:spans_per_request], resources), spans_per_request
        waiting = waiting[spans_per_request:]


def _trace(dice: random.Random) -> list[tuple[int, Span]]:
    """One trace as (service, span): a random tree of server, internal and client spans."""
    trace_id = dice.randbytes(16)
    start = START + dice.randrange(3600 * 10**9)
    made: list[tuple[int, Span]] = []
    for place in range(dice.randint(8, 42)):
        if place == 0:
            service, parent, kind = dice.randrange(SERVICES), b"", Span.SPAN_KIND_SERVER
        else:
            above, above_span = made[dice.randrange(max(0, place - 6), place)]
            parent = above_span.span_id
            if above_span.kind == Span.SPAN_KIND_CLIENT:
                service, kind = dice.randrange(SERVICES + PROXIES), Span.SPAN_KIND_SERVER
            else:
                service = above
                kind = dice.choice([Span.SPAN_KIND_INTERNAL, Span.SPAN_KIND_CLIENT])
        made.append((service, _span(dice, trace_id, parent, kind, service, start + place * 10**6)))
    return made


def _span(dice: random.Random, trace_id: bytes, parent: bytes, kind: int, service: int, start: int) -> Span:
    span = Span(
        trace_id=trace_id,
        span_id=dice.randbytes(8),
        parent_span_id=parent,
        name=f"GET /api/v1/thing{dice.randrange(30)}",
        kind=kind,  # type: ignore[arg-type]
        start_time_unix_nano=start,
        end_time_unix_nano=start + dice.randrange(10**5, 5 * 10**8),
        flags=0x300 if kind == Span.SPAN_KIND_SERVER else 0x100,
    )
    _add(span.attributes, "http.request.method", dice.choice(["GET", "GET", "GET", "POST", "PUT"]))
    _add(span.attributes, "http.response.status_code", dice.choice([200, 200, 200, 200, 201, 404, 500]))
    _add(span.attributes, "http.route", f"/api/v1/thing{dice.randrange(30)}/:id")
    _add(span.attributes, "url.path", f"/api/v1/thing{dice.randrange(30)}/{dice.randrange(10**6)}")
    _add(span.attributes, "url.scheme", "http")
    _add(span.attributes, "server.address", f"svc{dice.randrange(SERVICES)}.shop.internal")
    _add(span.attributes, "server.port", 8080)
    _add(span.attributes, "network.peer.address", f"10.0.{dice.randrange(4)}.{dice.randrange(60)}")
    _add(span.attributes, "network.peer.port", dice.randrange(32768, 61000))
    _add(span.attributes, "thread.id", dice.randrange(10**5))
    _add(span.attributes, "user_agent.original", f"python-httpx/0.{dice.randrange(20, 28)}.0")
    if service >= SERVICES:
        _add(span.attributes, "component", "proxy")
    else:
        _add(span.attributes, "http.request.header.x-request-id", f"{dice.getrandbits(64):016x}")
    event = span.events.add(time_unix_nano=start + 1000, name=dice.choice(["cache.miss", "retry", "parsed"]))
    _add(event.attributes, "attempt", dice.randrange(3))
    _add(event.attributes, "cache", dice.choice(["local", "redis"]))
    if dice.randrange(16) == 0:
        span.links.add(trace_id=dice.randbytes(16), span_id=dice.randbytes(8))
    return span


def _resource(place: int) -> Resource:
    resource = Resource()
    for key, value in {
        "service.name": f"svc{place}" if place < SERVICES else f"envoy{place}",
        "service.version": f"1.{place}.0",
        "service.instance.id": f"pod-{place:04x}",
        "deployment.environment.name": "production",
        "telemetry.sdk.name": "opentelemetry" if place < SERVICES else "envoy",
        "telemetry.sdk.language": "python",
    }.items():
        _add(resource.attributes, key, value)
    return resource


def _add(attributes: object, key: str, value: str | int) -> None:
    pair: KeyValue = attributes.add(key=key)  # type: ignore[attr-defined]
    if isinstance(value, int):
        pair.value.int_value = value
    else:
        pair.value.string_value = value


def _request(spans: list[tuple[int, Span]], resources: list[Resource]) -> bytes:
    request = ExportTraceServiceRequest()
    by_service: dict[int, list[Span]] = {}
    for service, span in spans:
        by_service.setdefault(service, []).append(span)
    for service, group in by_service.items():
        holder = request.resource_spans.add(resource=resources[service])
        scope = holder.scope_spans.add()
        scope.scope.name = "bench"
        scope.spans.extend(group)
    return request.SerializeToString()
