"""What the demo runs: each part of the shop with its ports and its environment. Data and pure functions only."""

from __future__ import annotations

import json
import socket
import string
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from bindtrace.propagation.manifest import Grant

SHOP = files("bindtrace.collector.demo.shop")
LOOPBACK = "127.0.0.1"
COLLECTOR_PORTS = {"grpc": 4317, "http": 4318, "api": 4319}


class Part(NamedTuple):
    """One process of the shop. `variables` are environment values, with `$name` for another part's host."""

    name: str
    port: int
    protocol: str = "none"  # of its exporter: grpc, http/protobuf, or none for no telemetry
    stable_names: bool = False  # which HTTP conventions its telemetry speaks
    telemetry_name: str | None = None  # where it differs from the manifest's
    propagators: str = "tracecontext,baggage,binding"
    variables: tuple[tuple[str, str], ...] = ()
    about: str = "a service"


GRPC, HTTP = "grpc", "http/protobuf"
PARTS = (
    Part("storefront", 9101, GRPC, stable_names=True, variables=(("LEDGER_HOST", "$ledger"),)),
    Part("catalog", 9102, HTTP),
    Part("orders", 9103, GRPC, stable_names=True, variables=(("SHOP_ORIGIN", "http://$edge"),)),
    Part("inventory", 9104, HTTP, variables=(("WAREHOUSE_HOST", "$warehouse"),)),
    Part("billing", 9105, GRPC),
    Part("ledger", 9106, HTTP, stable_names=True, telemetry_name="ledger-api"),
    # A public edge is no service: it carries calls, it makes none, so it has no claim of its own.
    Part("edge", 8080, HTTP, stable_names=True, propagators="tracecontext,baggage", about="the public edge"),
    Part("warehouse", 9107, about="a machine that nobody declared, without telemetry"),
)


def bound_socket(port: int) -> socket.socket:
    """A listening socket on `port` of the loopback, or on any free port where that one is taken."""
    for wanted in (port, 0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, wanted))
            listener.listen(128)
        except OSError:
            listener.close()
            if wanted == 0:
                raise
        else:
            return listener
    raise AssertionError("port 0 is always tried")


def host_of(listener: socket.socket) -> str:
    """`127.0.0.1:PORT`."""
    return f"{LOOPBACK}:{listener.getsockname()[1]}"


def free_endpoints() -> dict[str, str]:
    """Where the collector shall listen: its usual ports, or free ones where those are taken."""
    probes = {name: bound_socket(port) for name, port in COLLECTOR_PORTS.items()}
    try:
        return {name: host_of(probe) for name, probe in probes.items()}
    finally:
        for probe in probes.values():
            probe.close()


def write_manifests(folder: Path, hosts: Mapping[str, str]) -> tuple[Path, Path]:
    """Writes the shop's `vercel.json` and, with this run's hosts, `bindtrace.toml`; returns their paths."""
    vercel, own = folder / "vercel.json", folder / "bindtrace.toml"
    vercel.write_bytes((SHOP / "vercel.json").read_bytes())
    template = string.Template((SHOP / "bindtrace.template.toml").read_text("utf-8"))
    own.write_text(template.substitute(hosts), "utf-8")
    return vercel, own


def environment_of(
    part: Part,
    hosts: Mapping[str, str],
    grants: Iterable[Grant],
    endpoints: Mapping[str, str],
    manifest: Path,
    scheme: str = "http",
) -> dict[str, str]:
    """What the platform puts into a service's environment: its bindings' URLs, and where telemetry goes.

    `scheme` is that of the services; the public edge speaks plain HTTP.
    """
    own = {variable: string.Template(value).substitute(hosts) for variable, value in part.variables}
    if part.name == "edge":
        services = {name: f"{scheme}://{host}" for name, host in hosts.items()}
        own |= {"EDGE_MANIFEST": str(manifest), "EDGE_SERVICES": json.dumps(services)}
    bound = {grant.binding: grant.callee for grant in grants if grant.caller == part.name and grant.binding}
    own |= {variable: f"{scheme}://{hosts[callee]}" for variable, callee in bound.items()}
    if bound:
        own["BINDTRACE_BINDINGS"] = ",".join(f"{variable}={callee}" for variable, callee in bound.items())
    return own | (_telemetry(part, endpoints) if part.protocol != "none" else {})


def telemetry_of(name: str, endpoints: Mapping[str, str]) -> dict[str, str]:
    """The same for a process that is no part of the shop."""
    return _telemetry(Part(name, 0, GRPC), endpoints)


def _telemetry(part: Part, endpoints: Mapping[str, str]) -> dict[str, str]:
    return {
        "OTEL_SERVICE_NAME": part.telemetry_name or part.name,
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=production",
        "OTEL_PROPAGATORS": part.propagators,
        "OTEL_SEMCONV_STABILITY_OPT_IN": "http" if part.stable_names else "",
        "OTEL_EXPORTER_OTLP_PROTOCOL": part.protocol,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{endpoints['grpc' if part.protocol == GRPC else 'http']}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "3",  # seconds
        "OTEL_BSP_SCHEDULE_DELAY": "200",  # milliseconds: who watches a demo does not wait five seconds
    }
