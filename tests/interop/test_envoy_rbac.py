"""A real Envoy asks who calls, and our reading of its configuration rules on each call as it does."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from certificates import certificate
from interop.envoys import envoy
from interop.peers import peer
from support import free_port

from bindtrace.propagation.platforms import read_manifest
from bindtrace.propagation.policies import Policies, policies_of
from bindtrace.propagation.workloads import Call

pytestmark = pytest.mark.slow

TYPE = "type.googleapis.com/envoy.extensions."
RBAC = f"{TYPE}filters.http.rbac.v3.RBAC"
CALLERS = ("web", "ops", "rogue")


def named(name: str) -> dict[str, Any]:
    return {"authenticated": {"principal_name": {"exact": f"spiffe://shop/{name}"}}}


LOCAL = {"address_prefix": "127.0.0.0", "prefix_len": 8}
DENY = {
    "action": "DENY",
    "policies": {
        "admin-is-for-ops": {
            "permissions": [{"url_path": {"path": {"prefix": "/admin"}}}],
            "principals": [{"not_id": named("ops")}],
        }
    },
}
ALLOW = {
    "action": "ALLOW",
    "policies": {
        "reads": {
            "permissions": [
                {
                    "and_rules": {
                        "rules": [
                            {"header": {"name": ":method", "string_match": {"exact": "GET"}}},
                            {
                                "or_rules": {
                                    "rules": [
                                        {"url_path": {"path": {"safe_regex": {"regex": "/v[0-9]+/.*"}}}},
                                        {"url_path": {"path": {"suffix": ".HTML", "ignore_case": True}}},
                                    ]
                                }
                            },
                        ]
                    }
                }
            ],
            "principals": [{"any": True}],
        },
        "writes": {
            "permissions": [
                {"not_rule": {"header": {"name": ":method", "string_match": {"exact": "DELETE"}}}}
            ],
            "principals": [{"and_ids": {"ids": [named("ops"), {"direct_remote_ip": LOCAL}]}}],
        },
    },
}
REQUESTS = (
    ("GET", "/v1/orders"),
    ("GET", "/vx/orders"),
    ("GET", "/index.html"),
    ("POST", "/v1/orders"),
    ("DELETE", "/v1/orders"),
    ("GET", "/admin"),
    ("GET", "/admin/v1/x"),
    ("POST", "/admin"),
)


def rbac(rules: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": "envoy.filters.http.rbac", "typed_config": {"@type": RBAC, "rules": rules}}


def listener(port: int, filters: list[dict[str, Any]], tls: dict[str, Any] | None) -> dict[str, Any]:
    answer = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
    manager = {
        "@type": f"{TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": f"on{port}",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [answer]}]},
        "http_filters": [
            *filters,
            {"name": "router", "typed_config": {"@type": f"{TYPE}filters.http.router.v3.Router"}},
        ],
    }
    chain: dict[str, Any] = {"filters": [{"name": "manager", "typed_config": manager}]}
    if tls:
        chain["transport_socket"] = {"name": "tls", "typed_config": tls}
    return {
        "name": f"on{port}",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [chain],
    }


@dataclass(frozen=True)
class Running:
    folder: Path
    policies: Policies
    guarded: int
    certified: int

    def status(self, port: int, caller: str | None, method: str, path: str) -> int | None:
        """What the real Envoy answers; None where it refuses the certificate."""
        if caller is None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        else:
            context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
            context.load_cert_chain(self.folder / f"{caller}.pem", self.folder / f"{caller}.key")
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
        try:
            connection.request(method, path)
            return connection.getresponse().status
        except (ssl.SSLError, ConnectionError):
            return None
        finally:
            connection.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("envoy")
    authority = certificate("ca", None, folder)
    for name in ("server", *CALLERS):
        certificate(name, authority, folder)
    alive, guarded, certified = free_port(), free_port(), free_port()
    names = [{"san_type": "URI", "matcher": {"exact": f"spiffe://shop/{name}"}} for name in ("web", "ops")]
    settings = {
        "node": {"id": "orders", "cluster": "orders"},
        "static_resources": {
            "listeners": [
                listener(alive, [], None),
                listener(guarded, [rbac(DENY), rbac(ALLOW)], tls(folder, [])),
                listener(certified, [], tls(folder, names)),
            ]
        },
    }
    path = folder / "orders.json"
    path.write_text(json.dumps(settings))
    with envoy(peer("envoy"), folder, settings):
        yield Running(folder, policies_of([read_manifest(path)]), guarded, certified)


def tls(folder: Path, names: list[dict[str, Any]]) -> dict[str, Any]:
    files = {"certificate_chain": folder / "server.pem", "private_key": folder / "server.key"}
    return {
        "@type": f"{TYPE}transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": True,
        "common_tls_context": {
            "tls_certificates": [{key: {"filename": str(file)} for key, file in files.items()}],
            "validation_context": {
                "trusted_ca": {"filename": str(folder / "ca.pem")},
                **({"match_typed_subject_alt_names": names} if names else {}),
            },
        },
    }


def ruled(running: Running, port: int, caller: str, method: str, path: str) -> str:
    call = Call(
        "orders", caller_id=f"spiffe://shop/{caller}", protection="mtls", method=method, path=path, port=str(port),
        source_address="127.0.0.1",
    )  # fmt: skip
    return running.policies.judge(call).verdict


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_rules_let_through_whom_envoy_lets_through(
    running: Running, caller: str, method: str, path: str
) -> None:
    answered = running.status(running.guarded, caller, method, path)

    assert answered in (200, 403)
    assert ruled(running, running.guarded, caller, method, path) == (
        "allowed" if answered == 200 else "denied"
    )


@pytest.mark.parametrize("caller", CALLERS)
def test_names_in_certificates_let_through_whom_envoy_lets_through(running: Running, caller: str) -> None:
    answered = running.status(running.certified, caller, "GET", "/")

    assert answered in (200, None)
    assert ruled(running, running.certified, caller, "GET", "/") == (
        "allowed" if answered == 200 else "denied"
    )


def test_a_plaintext_call_is_refused_by_both(running: Running) -> None:
    plain = Call("orders", protection="plaintext", port=str(running.guarded), method="GET", path="/v1/x")

    assert running.status(running.guarded, None, "GET", "/v1/x") is None
    assert running.policies.judge(plain).verdict == "denied"
