"""Envoy's access logger of a listener: TLS handshakes that it refused, which leave no span. No I/O.

Only those are logged; the keys are those of the span that the collector makes of a record (`HANDSHAKE_FAILURE`).
"""

from __future__ import annotations

from typing import Final

from bindtrace.propagation import vocabulary as words
from bindtrace.propagation.proxies.envoy_clusters import COLLECTOR
from bindtrace.propagation.proxies.envoy_rules import TYPE, Block
from bindtrace.propagation.proxies.plan import Sidecar

_LOGGER: Final = f"{TYPE}.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig"
_CEL: Final = f"{TYPE}.extensions.access_loggers.filters.cel.v3.ExpressionFilter"
_ATTRIBUTES: Final = {
    words.HANDSHAKE_FAILURE: "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
    words.HANDSHAKE_DURATION_MS: "%DURATION%",
    words.CALLER_UNVERIFIED: "%DOWNSTREAM_PEER_URI_SAN%",
    words.PEER_CERT_SHA256: "%DOWNSTREAM_PEER_FINGERPRINT_256%",
    "tls.protocol.version": "%DOWNSTREAM_TLS_VERSION%",
    "network.peer.address": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
    "network.peer.port": "%DOWNSTREAM_DIRECT_REMOTE_PORT%",
    "network.local.port": "%DOWNSTREAM_LOCAL_PORT%",
}


def handshake_logger(sidecar: Sidecar) -> Block:
    """For a listener's `access_log`."""
    resource = {"service.name": sidecar.service.service, **sidecar.resource}
    return {
        "name": "envoy.access_loggers.open_telemetry",
        "filter": {
            "extension_filter": {
                "name": "envoy.access_loggers.extension_filters.cel",
                "typed_config": {"@type": _CEL, "expression": 'connection.transport_failure_reason != ""'},
            }
        },
        "typed_config": {
            "@type": _LOGGER,
            "log_name": "bindtrace.handshakes",
            "grpc_service": {"envoy_grpc": {"cluster_name": COLLECTOR}, "timeout": "5s"},
            "disable_builtin_labels": True,
            "resource_attributes": _pairs(resource),
            "attributes": _pairs({**_ATTRIBUTES, words.TARGET_ID: str(sidecar.service)}),
        },
    }


def _pairs(values: dict[str, str]) -> Block:
    return {"values": [{"key": key, "value": {"string_value": value}} for key, value in values.items()]}
