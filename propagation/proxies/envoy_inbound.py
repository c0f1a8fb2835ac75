"""Envoy's listener for other services: who calls is judged by Envoy alone, or by the endpoint that it asks. No I/O."""

from __future__ import annotations

from bindtrace.propagation import vocabulary as words
from bindtrace.propagation.proxies import envoy_rules as rules
from bindtrace.propagation.proxies.endpoint_paths import SAME, TOLD
from bindtrace.propagation.proxies.envoy_clusters import APP, AUTHZ
from bindtrace.propagation.proxies.envoy_manager import manager
from bindtrace.propagation.proxies.envoy_rules import TYPE, Block
from bindtrace.propagation.proxies.plan import Sidecar


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
    return manager(
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


def _ext_authz(sidecar: Sidecar) -> Block:
    """Asks with every spelling of a header of ours, so that an alias is seen and refused."""
    spelled = [
        rules.any_spelling(name) for name in (*words.CREDENTIAL_HEADERS, *words.FORWARDED_CERT_HEADERS)
    ]
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
