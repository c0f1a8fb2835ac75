"""The configuration of an Envoy beside a service: mutual TLS both ways, grants as RBAC, spans with our tags.

With proof by certificate no Python is on the path; with proof tokens Envoy asks `bindtrace authz serve`. Seen to work
with Envoy 1.40. It listens for others (`inbound`), for the service's own calls (`outbound`, a port a callee), and where
asked for the outside (`public`).
"""

from __future__ import annotations

from bindtrace.propagation.proxies.envoy_clusters import APP, clusters, socket
from bindtrace.propagation.proxies.envoy_edge import public
from bindtrace.propagation.proxies.envoy_inbound import inbound
from bindtrace.propagation.proxies.envoy_log import handshake_logger
from bindtrace.propagation.proxies.envoy_manager import outbound
from bindtrace.propagation.proxies.envoy_rules import Block
from bindtrace.propagation.proxies.envoy_statistics import statistics_sink
from bindtrace.propagation.proxies.envoy_tls import downstream
from bindtrace.propagation.proxies.plan import Address, Sidecar


def configuration(sidecar: Sidecar) -> Block:
    """The whole of it, for `envoy -c`."""
    listeners = []
    if sidecar.inbound:
        listener = _listener("inbound", sidecar.inbound, inbound(sidecar), _mutual(sidecar))
        listeners.append({**listener, **_logged(sidecar)})
    if sidecar.public:
        listeners.append(_listener("public", sidecar.public, public(sidecar), None))
    listeners += [
        _listener(f"outbound-{callee.service.service}", callee.local, outbound(sidecar, callee), None)
        for callee in sidecar.callees
    ]
    return {
        "node": {"id": sidecar.service.service, "cluster": sidecar.service.service},
        "static_resources": {"listeners": listeners, "clusters": clusters(sidecar)},
        **_counted(sidecar),
    }


def fragment(sidecar: Sidecar) -> Block:
    """The parts for a configuration that there is already: of its connection manager, its listener, its clusters."""
    manager = inbound(sidecar)
    taken = (
        "tracing", "forward_client_cert_details", "set_current_client_cert_details",
        "common_http_protocol_options", "http_filters",
    )  # fmt: skip
    return {
        "http_connection_manager": {key: manager[key] for key in taken if key in manager},
        "transport_socket": _mutual(sidecar),
        "listener": _logged(sidecar),
        "bootstrap": _counted(sidecar),
        "clusters": [cluster for cluster in clusters(sidecar) if cluster["name"] != APP],
    }


def _logged(sidecar: Sidecar) -> Block:
    return {"access_log": [handshake_logger(sidecar)]} if sidecar.collector else {}


def _counted(sidecar: Sidecar) -> Block:
    """Of the whole Envoy: what it counts of callers that it refused."""
    return {"stats_sinks": [statistics_sink(sidecar)]} if sidecar.collector else {}


def _mutual(sidecar: Sidecar) -> Block:
    return downstream(sidecar.files, sidecar.service.trust_domain)


def _listener(name: str, address: Address, manager: Block, transport_socket: Block | None) -> Block:
    chain: Block = {
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    }
    if transport_socket:
        chain["transport_socket"] = transport_socket
    return {"name": name, "address": socket(address), "filter_chains": [chain]}
