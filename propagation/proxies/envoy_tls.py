"""Envoy's TLS: our certificate and trust by file, version 1.3 alone, no session that is resumed.

The files are read again when `current` is swapped (`files.py`); a resumed session would keep yesterday's trust
(Envoy CVE-2022-21654).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from bindtrace.propagation.identity.spiffe import Service
from bindtrace.propagation.proxies.envoy_rules import TYPE, Block, uri_pattern
from bindtrace.propagation.proxies.file_names import AUTHORITIES, CERTIFICATE, CURRENT, KEY

IDENTITY, TRUST = "identity", "trust"
_SECRET: Final = f"{TYPE}.extensions.transport_sockets.tls.v3.Secret"
_TLS: Final = f"{TYPE}.extensions.transport_sockets.tls.v3"


def secrets(folder: Path) -> dict[str, Block]:
    """The two secrets, by file name: each names files below `current`, and watches the folder for its swap."""
    watched = {"watched_directory": {"path": str(folder)}}
    current = folder / CURRENT
    identity = {
        "certificate_chain": {"filename": str(current / CERTIFICATE)},
        "private_key": {"filename": str(current / KEY)},
        **watched,
    }
    trust = {"trusted_ca": {"filename": str(current / AUTHORITIES)}, **watched}
    return {
        _file(IDENTITY): _resource(IDENTITY, "tls_certificate", identity),
        _file(TRUST): _resource(TRUST, "validation_context", trust),
    }


def downstream(folder: Path, trust_domain: str) -> Block:
    """Whoever connects shows a certificate of this trust domain; who that is, RBAC or ext_authz decides."""
    names = {"prefix": f"spiffe://{trust_domain}/"}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_TLS}.DownstreamTlsContext",
            "require_client_certificate": True,
            "disable_stateless_session_resumption": True,
            "disable_stateful_session_resumption": True,
            "common_tls_context": _common(folder, names),
        },
    }


def upstream(folder: Path, callee: Service) -> Block:
    """Shakes hands with a deployment of the callee, and with nobody else."""
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_TLS}.UpstreamTlsContext",
            "max_session_keys": 0,
            "common_tls_context": _common(folder, {"safe_regex": {"regex": uri_pattern(callee)}}),
        },
    }


def _common(folder: Path, names: Block) -> Block:
    return {
        "tls_params": {
            "tls_minimum_protocol_version": "TLSv1_3",
            "tls_maximum_protocol_version": "TLSv1_3",
        },
        "tls_certificate_sds_secret_configs": [_by_file(folder, IDENTITY)],
        "combined_validation_context": {
            "default_validation_context": {
                "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": names}]
            },
            "validation_context_sds_secret_config": _by_file(folder, TRUST),
        },
    }


def _by_file(folder: Path, name: str) -> Block:
    return {
        "name": name,
        "sds_config": {
            "path_config_source": {"path": str(folder / _file(name))},
            "resource_api_version": "V3",
        },
    }


def _file(name: str) -> str:
    return f"sds-{name}.json"


def _resource(name: str, kind: str, value: dict[str, Any]) -> Block:
    return {"resources": [{"@type": _SECRET, "name": name, kind: value}]}
