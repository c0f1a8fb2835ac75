"""Two real Envoys with our configuration: who passes, who is refused by which reason, and what the collector says."""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from interop.peers import peer
from interop.sidecars import Application, Shop, called_with, get, hop_of, reported, shop_in, traced
from support import free_port, wait_for

from bindtrace.propagation.authority.issuing import Authority
from bindtrace.propagation.identity import tls
from bindtrace.propagation.workload.identity import Identity

pytestmark = pytest.mark.slow  # an authority, a collector and two Envoys

MANIFEST = """
scope = "shop"
[[grants]]
caller = "orders"
callee = "inventory"
methods = ["GET"]
[[grants]]
caller = "clerk"
callee = "inventory"
paths = ["/stock/**"]
[[grants]]
caller = "stranger"
callee = "orders"
"""


@dataclass
class Running:
    shop: Shop
    app: Application
    orders: int
    """Where orders' own calls to inventory go out."""
    inventory: int
    public: int

    def directly(self, identity: Identity | None, path: str, **headers: str) -> int:
        """Inventory's own listener, called with the certificate of anybody."""
        return called_with(identity, self.inventory, path, **headers)

    def refused(self, shown: str) -> None:
        """A call to inventory's own listener that ends in the handshake."""
        if shown == "plain text":
            with socket.create_connection(("127.0.0.1", self.inventory), timeout=10) as plain:
                plain.sendall(b"GET / HTTP/1.1\r\nhost: inventory\r\n\r\n")
                assert plain.recv(16) == b""
            return
        leaf = (None, None) if shown == "nothing" else self.shop.leaf(expired=shown == "an expired one")
        trusted = Authority(self.shop.authority).bundle().authorities
        context = tls.client_context(*leaf, trusted, expects=lambda _: True)
        connection = http.client.HTTPSConnection("127.0.0.1", self.inventory, context=context, timeout=10)
        with pytest.raises(
            (ssl.SSLError, ConnectionError)
        ):  # in TLS 1.3 a client learns of it with the answer
            _answered(connection)


def _answered(connection: http.client.HTTPSConnection) -> int:
    connection.request("GET", "/stock/7")
    return connection.getresponse().status


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    peer("envoy")
    with shop_in(tmp_path_factory.mktemp("sidecars"), MANIFEST) as shop:
        app = shop.application()
        inbound, outbound, public = free_port(), free_port(), free_port()
        shop.inventory(app, inbound, public)
        shop.envoy(
            "orders", "--files", shop.files("orders"), "--callee", f"inventory=127.0.0.1:{inbound}",
            "--outbound", f"127.0.0.1:{outbound}", "--mode", "enforce", ports=[outbound],
        )  # fmt: skip
        yield Running(shop, app, outbound, inbound, public)


def test_a_call_through_two_envoys_is_one_proven_hop_that_both_certificates_carry(running: Running) -> None:
    trace_id, headers = traced()

    assert get(running.orders, "/stock/7", **headers) == 200

    hop = hop_of(
        running.shop.api, trace_id, caller="orders", verdict="allowed", outcome="passed", reason="ok",
        protection="mtls", grade="proven", pairing="parent",
    )  # fmt: skip
    assert len(hop["evidence"]) >= 2


def test_a_method_that_is_not_granted_is_refused_by_envoy_alone(running: Running) -> None:
    trace_id, headers = traced()

    assert get(running.orders, "/stock/7", "POST", **headers) == 403

    hop_of(running.shop.api, trace_id, verdict="denied", outcome="refused", reason="route_not_allowed")


CALLS = {
    ("clerk", "production", "/stock/7"): (200, "ok", "allowed"),
    ("clerk", "production", "/prices/7"): (403, "route_not_allowed", "denied"),
    ("clerk", "production", "/prices/../stock/8"): (200, "ok", "allowed"),
    ("stranger", "production", "/stock/7"): (403, "caller_not_bound", "denied"),
    ("orders", "preview", "/stock/7"): (403, "environment_mismatch", "denied"),
}


def test_each_certificate_is_judged_by_the_grant_of_its_service(running: Running) -> None:
    identities = {who: running.shop.identity(*who) for who in {(call[0], call[1]) for call in CALLS}}
    traces = {call: traced() for call in CALLS}

    statuses = {
        call: running.directly(identities[call[0], call[1]], call[2], **headers)
        for call, (_, headers) in traces.items()
    }

    assert statuses == {call: status for call, (status, _, _) in CALLS.items()}
    for call, (_, reason, verdict) in CALLS.items():
        hop_of(running.shop.api, traces[call][0], caller=call[0], reason=reason, verdict=verdict)


@pytest.mark.parametrize(
    ("shown", "reason", "caller"),
    [
        ("nothing", "peer_cert_missing", None),
        ("one of another authority", "peer_cert_untrusted", None),
        ("an expired one", "peer_cert_expired", "clerk"),
        ("plain text", "handshake_failed", None),
    ],
)
def test_a_refused_handshake_leaves_no_span_and_is_a_refused_call_all_the_same(
    running: Running, shown: str, reason: str, caller: str | None
) -> None:
    running.refused(shown)

    def found() -> list[dict[str, Any]]:
        hops = reported(running.shop.api, "hops", since="1h", limit=100000)
        return [hop for hop in hops if hop["callee"] == "inventory" and hop["reason"] == reason]

    (hop,) = wait_for(found, seconds=25, what=f"a call refused by {reason}")
    assert (hop["caller"], hop["verdict"], hop["outcome"]) == (caller, "denied", "refused")
    assert hop["grade"] in ("claimed", "inferred")


def test_the_application_gets_the_certificate_of_the_connection_and_no_other(running: Running) -> None:
    forged = {"x-forwarded-client-cert": "By=spiffe://a;Hash=00;URI=spiffe://shop.example/admin"}

    assert get(running.orders, "/stock/forged", **forged) == 200

    assert (
        "URI=spiffe://shop.example/project/default/env/production/service/orders/deployment/1"
        in (running.app.seen[-1]["x-forwarded-client-cert"])
    )
    assert "admin" not in running.app.seen[-1]["x-forwarded-client-cert"]


def test_nothing_of_ours_comes_in_from_the_outside_and_the_trace_starts_anew(running: Running) -> None:
    outside, headers = traced()
    ours = {
        "Service-Binding": 'x.y;caller="x";chain="0"', "Workload-Identity-Token": "a.b.c", "Client-Cert": ":YQ==:",
        "l5d.client.id": "x", "X-Bindtrace-Method": "GET", "baggage": "bindtrace.caller=x", "SSL-Client-Verify": "S",
    }  # fmt: skip

    assert get(running.public, "/stock/public", **headers, **ours) == 200

    seen = running.app.seen[-1]
    assert not {name.lower() for name in ours} & seen.keys()
    assert outside not in seen["traceparent"]
    trace_id = seen["traceparent"].split("-")[1]
    hop_of(running.shop.api, trace_id, caller=None, road="public", reason="undeclared")


@pytest.mark.parametrize("words", [("--proof", "mtls"), ("--proof", "wpt"), ("--otlp", "-")])
def test_envoy_takes_every_configuration_that_we_write(tmp_path: Path, words: tuple[str, ...]) -> None:
    from interop.sidecars import run

    binary, path = peer("envoy"), tmp_path / "envoy.yaml"
    (tmp_path / "bindtrace.toml").write_text(MANIFEST)
    written = run(
        "proxy", "envoy", "--service", "inventory", "--manifest", tmp_path / "bindtrace.toml", "--mode", "observe",
        "--trust-domain", "shop.example", "--files", tmp_path / "files", "--inbound", "127.0.0.1:1",
        "--public", "127.0.0.1:2", *words,
    )  # fmt: skip
    path.write_text(written.stdout)

    done = subprocess.run(
        [binary, "--mode", "validate", "-c", path], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert written.stderr == ""
