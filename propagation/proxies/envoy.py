"""The configuration of an Envoy beside a service: mutual TLS both ways, grants as RBAC, spans with our tags.

With proof by certificate no Python is on the path; with proof tokens Envoy asks `bindtrace authz serve`. Seen to work
with Envoy 1.40. It listens for others (`inbound`), for the service's own calls (`outbound`, a port a callee), and where
asked for the outside (`public`).
"""

from __future__ import annotations

from typing import Any, Final

from bindtrace.propagation import vocabulary as words
from bindtrace.propagation.proxies import envoy_rules as rules
from bindtrace.propagation.proxies.endpoint_paths import SAME, TOLD
from bindtrace.propagation.proxies.envoy_rules import TYPE, Block
from bindtrace.propagation.proxies.envoy_tls import downstream, upstream
from bindtrace.propagation.proxies.file_names import endpoints_file
from bindtrace.propagation.proxies.plan import Address, Callee, Sidecar

APP, COLLECTOR, AUTHZ = "app", "bindtrace-collector", "bindtrace-authz"
_HTTP: Final = f"{TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_MUTATION: Final = f"{TYPE}.extensions.filters.http.header_mutation.v3.HeaderMutation"
_EARLY: Final = f"{TYPE}.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
_PROTOCOLS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def configuration(sidecar: Sidecar) -> Block:
    """The whole of it, for `envoy -c`."""
    listeners = []
    if sidecar.inbound:
        listeners.append(_listener("inbound", sidecar.inbound, inbound(sidecar), _mutual(sidecar)))
    if sidecar.public:
        listeners.append(_listener("public", sidecar.public, public(sidecar), None))
    listeners += [
        _listener(f"outbound-{callee.service.service}", callee.local, outbound(sidecar, callee), None)
        for callee in sidecar.callees
    ]
    return {
        "node": {"id": sidecar.service.service, "cluster": sidecar.service.service},
        "static_resources": {"listeners": listeners, "clusters": clusters(sidecar)},
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
        "clusters": [cluster for cluster in clusters(sidecar) if cluster["name"] != APP],
    }


def inbound(sidecar: Sidecar) -> Block:
    """From other services, over mutual TLS, to the application."""
    certified = {
        words.PEER_ID: "%DOWNSTREAM_PEER_URI_SAN%",
        words.PEER_CERT_SHA256: "%DOWNSTREAM_PEER_FINGERPRINT_256%",
        "tls.protocol.version": "%DOWNSTREAM_TLS_VERSION%",
        "network.peer.address": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
    }
    if sidecar.proof == "mtls":
        certified |= _by_certificate(sidecar)
        filters = rules.by_grant(sidecar.callers, sidecar.service, sidecar.mode)
    else:
        certified |= _as_told(sidecar)
        filters = [_ext_authz(sidecar)]
    return _manager(
        sidecar,
        "inbound",
        APP,
        tags=certified,
        filters=filters,
        forward_client_cert_details="SANITIZE_SET",
        set_current_client_cert_details={"cert": True, "uri": True},
    )


def _by_certificate(sidecar: Sidecar) -> dict[str, str]:
    """The verdict: who calls is known by the certificate that the handshake verified and RBAC judged."""
    return {
        words.VERIFIED_CALLER: "%DOWNSTREAM_PEER_URI_SAN%",
        words.TARGET_ID: str(sidecar.service),
        words.BINDING_ID: rules.noted("binding"),
        words.AUTHZ_REASON: rules.noted("reason"),
        words.AUTHZ_DECISION: rules.noted("decision"),
        words.AUTHZ_WOULD: rules.noted("would"),
        words.AUTHZ_MODE: sidecar.mode,
        words.AUTHZ_ASSURANCE: "mtls",
        words.AUTHZ_POSITION: "proxy",
    }


def _as_told(sidecar: Sidecar) -> dict[str, str]:
    """The verdict that `bindtrace authz serve` gave, on Envoy's own span as well."""
    return {
        words.TARGET_ID: str(sidecar.service),
        words.AUTHZ_MODE: sidecar.mode,
        words.AUTHZ_POSITION: "proxy",
        **{
            name: f"%DYNAMIC_METADATA(envoy.filters.http.ext_authz:{header})%"
            for header, name in TOLD.items()
        },
    }


def public(sidecar: Sidecar) -> Block:
    """From the outside: nothing of ours comes in, and no trace goes on."""
    named = {name: [rules.header_present(name)] for name in words.EDGE_HEADERS}
    early = {
        "@type": _EARLY,
        "mutations": [{"remove": name} for name in ("traceparent", "tracestate", "baggage")],
    }
    tags = {
        words.AUTHZ_REASON: "not_applicable_public",
        words.AUTHZ_DECISION: "allow",
        words.AUTHZ_MODE: sidecar.mode,
        words.AUTHZ_POSITION: "proxy",
        words.EDGE_STRIPPED: rules.noted("stripped"),
        "client.address": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    }
    return _manager(
        sidecar,
        "public",
        APP,
        tags=tags,
        filters=[rules.noting("stripped", named), _stripping()],
        use_remote_address=True,
        early_header_mutation_extensions=[
            {"name": "envoy.http.early_header_mutation.header_mutation", "typed_config": early}
        ],
    )


def outbound(sidecar: Sidecar, callee: Callee) -> Block:
    """The service's own calls to one callee."""
    tags = {
        words.BINDING_ID: callee.binding,
        words.TARGET_ID: str(callee.service),
        "upstream.peer.spiffe": "%UPSTREAM_PEER_URI_SAN%",
        **({words.BINDING_NAME: callee.variable} if callee.variable else {}),
    }
    return _manager(sidecar, "outbound", callee.service.service, tags=tags, filters=[])


def clusters(sidecar: Sidecar) -> list[Block]:
    found = [_cluster(APP, sidecar.app)]
    for callee in sidecar.callees:
        cluster = (_followed if sidecar.follows_registry else _fixed)(sidecar, callee)
        cluster["transport_socket"] = upstream(sidecar.files, callee.service)
        cluster["typed_extension_protocol_options"] = _protocol(sidecar.leaf_life_s // 2)
        found.append(cluster)
    if sidecar.collector:
        cluster = _cluster(COLLECTOR, sidecar.collector)
        cluster["typed_extension_protocol_options"] = _protocol(None, http_2=True)
        found.append(cluster)
    if sidecar.proof == "wpt":
        found.append(_cluster(AUTHZ, sidecar.authz))
    return found


def _manager(
    sidecar: Sidecar, name: str, cluster: str, *, tags: dict[str, str], filters: list[Block], **also: Any
) -> Block:
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "0s"}}]
    hosts = [{"name": cluster, "domains": ["*"], "routes": routes}]
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{TYPE}.extensions.filters.http.router.v3.Router"},
    }
    return {
        "@type": _HTTP,
        "stat_prefix": name,
        **({"tracing": _tracing(sidecar, tags)} if sidecar.collector else {}),
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "common_http_protocol_options": {
            # an old connection keeps the old certificate: it ends while that is still good
            "max_connection_duration": f"{sidecar.leaf_life_s // 2}s",
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        **also,
        "route_config": {"virtual_hosts": hosts},
        "http_filters": [*filters, router],
    }


def _tracing(sidecar: Sidecar, tags: dict[str, str]) -> Block:
    resource = {
        "deployment.environment.name": sidecar.service.environment,
        "service.namespace": sidecar.service.project,
    }
    provider = {
        "@type": f"{TYPE}.config.trace.v3.OpenTelemetryConfig",
        "service_name": sidecar.service.service,
        "grpc_service": {"envoy_grpc": {"cluster_name": COLLECTOR}, "timeout": "5s"},
        "resource_detectors": [
            {
                "name": "envoy.tracers.opentelemetry.resource_detectors.static_config",
                "typed_config": {
                    "@type": f"{TYPE}.extensions.tracers.opentelemetry.resource_detectors.v3"
                    ".StaticConfigResourceDetectorConfig",
                    "attributes": resource,
                },
            }
        ],
    }
    headers = {
        words.CAPTURED_BINDING_HEADER_KEYS[0]: words.BINDING_HEADER,
        "http.request.header.host": ":authority",
    }
    return {
        "provider": {"name": "envoy.tracers.opentelemetry", "typed_config": provider},
        "random_sampling": {"value": 100},
        "spawn_upstream_span": True,  # else one span a request, and none for the call onwards
        "custom_tags": [
            *({"tag": tag, "request_header": {"name": name}} for tag, name in headers.items()),
            *({"tag": tag, "value": value} for tag, value in tags.items()),
            {"tag": "envoy.response_code_details", "value": "%RESPONSE_CODE_DETAILS%"},
        ],
    }


def _ext_authz(sidecar: Sidecar) -> Block:
    """Asks with every spelling of a header of ours, so that an alias is seen and refused."""
    spelled = [_any_spelling(name) for name in (*words.CREDENTIAL_HEADERS, *words.FORWARDED_CERT_HEADERS)]
    sent: list[Block] = [{"safe_regex": {"regex": f"(?i){name}"}} for name in spelled]
    sent += [{"exact": name} for name in ("connection", "traceparent", "tracestate", "authorization")]
    return {
        "name": "envoy.filters.http.ext_authz",
        "typed_config": {
            "@type": f"{TYPE}.extensions.filters.http.ext_authz.v3.ExtAuthz",
            "transport_api_version": "V3",
            "failure_mode_allow": False,
            "allowed_headers": {"patterns": sent},
            "http_service": {
                "path_prefix": SAME,
                "server_uri": {"uri": f"http://{sidecar.authz}", "cluster": AUTHZ, "timeout": "1s"},
                "authorization_response": {
                    "dynamic_metadata_from_headers": {"patterns": [{"exact": name} for name in TOLD]},
                    # without a list, all that it answers would go to whoever was refused
                    "allowed_client_headers": {"patterns": [{"exact": "content-type"}]},
                },
            },
        },
    }


def _stripping() -> Block:
    """By canonical name, one expression a name (Envoy bounds the size of each); of the prefixes, all below them."""
    names = [_any_spelling(name) for name in words.EDGE_HEADERS]
    names += [_any_spelling(prefix) + ".*" for prefix in words.EDGE_HEADER_PREFIXES]
    mutations = [
        {"remove_on_match": {"key_matcher": {"safe_regex": {"regex": f"(?i){name}"}}}} for name in names
    ]
    return {
        "name": "envoy.filters.http.header_mutation",
        "typed_config": {"@type": _MUTATION, "mutations": {"request_mutations": mutations}},
    }


def _any_spelling(name: str) -> str:
    """Of a header's name: servers read `_` and `.` as `-`."""
    return name.replace("-", "[-_.]")


def _mutual(sidecar: Sidecar) -> Block:
    return downstream(sidecar.files, sidecar.service.trust_domain)


def _listener(name: str, address: Address, manager: Block, transport_socket: Block | None) -> Block:
    chain: Block = {
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    }
    if transport_socket:
        chain["transport_socket"] = transport_socket
    return {"name": name, "address": _socket(address), "filter_chains": [chain]}


def _cluster(name: str, address: Address) -> Block:
    endpoint = {"endpoint": {"address": _socket(address)}}
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


def _socket(address: Address) -> Block:
    return {"socket_address": {"address": address.host, "port_value": address.port}}
