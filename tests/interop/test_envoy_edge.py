"""A public call through Envoys that restart its trace: still one chain, because the edge says which trace came."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from interop.peers import peer
from interop.sidecars import Application, Shop, get, hop_of, reported, shop_in
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind
from support import free_port

pytestmark = pytest.mark.slow  # an authority, a collector and three Envoys

MANIFEST = """
scope = "shop"
[services.inventory]
public_hosts = ["inventory.example.com"]
[edges.gateway]
hosts = ["shop.example.com"]
match = { "service.name" = "gateway" }
[[grants]]
caller = "gateway"
callee = "inventory"
[[grants]]
caller = "orders"
callee = "inventory"
"""


@dataclass
class Running:
    shop: Shop
    app: Application
    public: int
    """The public listener of inventory's own Envoy."""
    gateway: int
    """That of an edge, whose Envoy calls inventory's over mutual TLS."""
    call: Callable[[str, int], str]
    """Orders, which traces itself, calls this name at this port. The trace id of its own trace."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    peer("envoy")
    with shop_in(tmp_path_factory.mktemp("edge"), MANIFEST) as shop:
        app = shop.application()
        inbound, public, gateway, outbound = (free_port() for _ in range(4))
        shop.inventory(app, inbound, public)
        shop.envoy(
            "gateway", "--files", shop.files("gateway"), "--callee", f"inventory=127.0.0.1:{inbound}",
            "--outbound", f"127.0.0.1:{outbound}", "--app", f"127.0.0.1:{outbound}",
            "--public", f"127.0.0.1:{gateway}", "--mode", "enforce", ports=[outbound, gateway],
        )  # fmt: skip
        provider = TracerProvider(resource=Resource({"service.name": "orders"}), shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=f"http://{shop.collector}", insecure=True)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        shop.stack.callback(provider.shutdown)
        yield Running(shop, app, public, gateway, lambda name, port: _call(provider, name, port))


def _call(provider: TracerProvider, name: str, port: int) -> str:
    tracer = provider.get_tracer("orders")
    with tracer.start_as_current_span("POST /orders", kind=SpanKind.SERVER):
        asked = {"url.full": f"https://{name}/stock/7", "http.request.method": "GET"}
        with tracer.start_as_current_span("GET", kind=SpanKind.CLIENT, attributes=asked) as span:
            own = span.get_span_context()
            traceparent = f"00-{own.trace_id:032x}-{own.span_id:016x}-01"
            # what a client says by the name under which Envoy keeps the trace counts for nothing
            forged = f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"
            assert get(port, "/stock/7", traceparent=traceparent, x_bindtrace_traceparent=forged) == 200
    return f"{own.trace_id:032x}"


ROADS = {
    "its own public listener": ("inventory.example.com", "public", "not_applicable_public"),
    "an edge": ("shop.example.com", "gateway", "ok"),
}


@pytest.mark.parametrize("road", ROADS)
def test_a_public_call_whose_trace_the_edge_restarts_is_one_chain(running: Running, road: str) -> None:
    name, listener, reason = ROADS[road]

    trace_id = running.call(name, getattr(running, listener))

    seen = running.app.seen[-1]
    assert trace_id not in seen["traceparent"]
    assert not any(header.startswith("x-bindtrace") for header in seen)
    own = seen["traceparent"].split("-")[1]
    hop = hop_of(
        running.shop.api, own, caller="orders", road="public", confidence="confirmed", pairing="link"
    )
    assert (hop["verdict"], hop["reason"]) == ("allowed", reason)
    chains = reported(running.shop.api, "chains", since="1h", limit=1000)
    assert ["orders", "inventory"] in [chain["signature"] for chain in chains], chains
    findings = reported(running.shop.api, "findings", since="1h", limit=1000)
    found = {
        (finding["rule"], finding["caller"], finding["callee"], finding["confidence"]) for finding in findings
    }
    assert ("public-route", "orders", "inventory", "confirmed") in found
    assert not {"undeclared-call", "public-entry"} & {finding["rule"] for finding in findings}, findings
