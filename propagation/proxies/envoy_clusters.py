"""Envoy's clusters: the application, the callees, the collector, the endpoint that is asked. No I/O."""

from __future__ import annotations

from typing import Final

from bindtrace.propagation.proxies.envoy_rules import Block
from bindtrace.propagation.proxies.envoy_tls import upstream
from bindtrace.propagation.proxies.file_names import endpoints_file
from bindtrace.propagation.proxies.plan import Address, Callee, Sidecar

APP, COLLECTOR, AUTHZ = "app", "bindtrace-collector", "bindtrace-authz"
_PROTOCOLS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def clusters(sidecar: Sidecar) -> list[Block]:
    found = [_cluster(APP, sidecar.app)]
    for callee in sidecar.callees:
        cluster = (_followed if sidecar.follows_registry else _fixed)(sidecar, callee)
        cluster["transport_socket"] = upstream(sidecar.files, callee.service)
        cluster["typed_extension_protocol_options"] = _protocol(sidecar.connection_age_s)
        found.append(cluster)
    if sidecar.collector:
        cluster = _cluster(COLLECTOR, sidecar.collector)
        cluster["typed_extension_protocol_options"] = _protocol(None, http_2=True)
        found.append(cluster)
    if sidecar.proof == "wpt":
        found.append(_cluster(AUTHZ, sidecar.authz))
    return found


def _cluster(name: str, address: Address) -> Block:
    endpoint = {"endpoint": {"address": socket(address)}}
    return {
        "name": name,
        "type": "STRICT_DNS",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _fixed(_: Sidecar, callee: Callee) -> Block:
    return _cluster(callee.service.service, callee.address)


def _followed(sidecar: Sidecar, callee: Callee) -> Block:
    """Its endpoints are a file; one that is taken out still answers what it was asked before."""
    name = callee.service.service
    source = {
        "path": str(sidecar.files / endpoints_file(name)),
        "watched_directory": {"path": str(sidecar.files)},
    }
    return {
        "name": name,
        "type": "EDS",
        "connect_timeout": "5s",
        "eds_cluster_config": {
            "eds_config": {"path_config_source": source, "resource_api_version": "V3"},
        },
    }


def _protocol(max_connection_s: int | None, *, http_2: bool = False) -> Block:
    options: Block = {"@type": f"type.googleapis.com/{_PROTOCOLS}"}
    if max_connection_s is not None:
        options["common_http_protocol_options"] = {"max_connection_duration": f"{max_connection_s}s"}
    explicit: Block = {"http2_protocol_options": {}} if http_2 else {"http_protocol_options": {}}
    return {_PROTOCOLS: {**options, "explicit_http_config": explicit}}


def socket(address: Address) -> Block:
    return {"socket_address": {"address": address.host, "port_value": address.port}}
