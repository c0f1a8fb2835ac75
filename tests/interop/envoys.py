"""Two real Envoys in a row, edge and orders, before an application: their configuration and their processes."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from support import free_port, wait_for

Exporter = Literal["grpc", "http", "zipkin"]
HTTP_2 = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
}


def config(
    name: str, port: int, callee: tuple[str, int], collector: str, exporter: Exporter
) -> dict[str, Any]:
    """One Envoy that listens on `port`, calls `callee`, and traces every request to `collector` (HOST:PORT)."""
    called, called_port = callee
    host, _, traced_port = collector.rpartition(":")
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
        "HttpConnectionManager",
        "stat_prefix": name,
        "tracing": {
            "provider": _provider(name, collector, exporter),
            "random_sampling": {"value": 100},
            "spawn_upstream_span": True,  # else one span per hop, no CLIENT span
        },
        "route_config": {
            "virtual_hosts": [
                {
                    "name": name,
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": called}}],
                }
            ]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                },
            }
        ],
    }
    return {
        "node": {"id": name, "cluster": name},
        # Flushed span by span, so that a test need not wait for the 5 seconds of its buffer.
        "layered_runtime": {
            "layers": [
                {
                    "name": "tests",
                    "static_layer": {
                        "tracing.opentelemetry.min_flush_spans": 1,
                        "tracing.zipkin.min_flush_spans": 1,
                    },
                }
            ]
        },
        "static_resources": {
            "listeners": [
                {
                    "name": "ingress",
                    "address": _address("127.0.0.1", port),
                    "filter_chains": [
                        {
                            "filters": [
                                {
                                    "name": "envoy.filters.network.http_connection_manager",
                                    "typed_config": manager,
                                }
                            ]
                        }
                    ],
                }
            ],
            "clusters": [
                _cluster(called, "127.0.0.1", called_port, http_2=False),
                _cluster("tracing", host, int(traced_port), http_2=exporter == "grpc"),
            ],
        },
    }


def _provider(name: str, collector: str, exporter: Exporter) -> dict[str, Any]:
    if exporter == "zipkin":
        return {
            "name": "envoy.tracers.zipkin",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.config.trace.v3.ZipkinConfig",
                "collector_cluster": "tracing",
                "collector_endpoint": "/api/v2/spans",
                "collector_endpoint_version": "HTTP_JSON",
                "trace_id_128bit": True,
            },
        }
    services: dict[Exporter, dict[str, Any]] = {
        "grpc": {"grpc_service": {"envoy_grpc": {"cluster_name": "tracing"}, "timeout": "5s"}},
        "http": {
            "http_service": {
                "http_uri": {"uri": f"http://{collector}/v1/traces", "cluster": "tracing", "timeout": "5s"}
            }
        },
    }
    return {
        "name": "envoy.tracers.opentelemetry",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
            "service_name": name,
            **services[exporter],
        },
    }


def _cluster(name: str, host: str, port: int, *, http_2: bool) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(host, port)}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        **({"typed_extension_protocol_options": HTTP_2} if http_2 else {}),
    }


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


@contextlib.contextmanager
def edge_and_orders(binary: Path, folder: Path, collector: str, exporter: Exporter) -> Iterator[str]:
    """URL of the edge, once a call goes through both. Ends every process at the end."""
    edge, orders = free_port(), free_port()
    with contextlib.ExitStack() as stack:
        app = stack.enter_context(application())
        stack.enter_context(
            envoy(binary, folder, config("orders", orders, ("app", app), collector, exporter))
        )
        stack.enter_context(
            envoy(binary, folder, config("edge", edge, ("orders", orders), collector, exporter))
        )
        yield f"http://127.0.0.1:{edge}"


@contextlib.contextmanager
def application() -> Iterator[int]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@contextlib.contextmanager
def envoy(binary: Path, folder: Path, settings: dict[str, Any]) -> Iterator[None]:
    name = settings["node"]["id"]
    path = folder / f"{name}.json"
    path.write_text(json.dumps(settings))
    log = folder / f"{name}.log"
    command = [binary, "-c", path, "--concurrency", "1", "--use-dynamic-base-id", "-l", "warning"]
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
    try:
        port = settings["static_resources"]["listeners"][0]["address"]["socket_address"]["port_value"]
        wait_for(lambda: _listens(process, port, log), seconds=30, what=f"the {name} Envoy")
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _listens(process: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    assert process.poll() is None, log.read_text()[-2000:]
    with contextlib.suppress(OSError):
        open_connection = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1)
        open_connection.close()
        return True
    return False


def call(url: str, exporter: Exporter) -> str:
    """One call through both with a trace of its own. Its trace id."""
    trace_id, span_id = os.urandom(16).hex(), os.urandom(8).hex()
    headers = (
        {"x-b3-traceid": trace_id, "x-b3-spanid": span_id, "x-b3-sampled": "1"}
        if exporter == "zipkin"
        else {"traceparent": f"00-{trace_id}-{span_id}-01"}
    )
    with urllib.request.urlopen(
        urllib.request.Request(f"{url}/orders/7", headers=headers), timeout=10
    ) as answer:
        assert answer.status == 200
    return trace_id
