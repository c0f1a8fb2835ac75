"""Real proxies that ask `bindtrace authz serve`: Envoy, nginx and Caddy, with the same calls."""

from __future__ import annotations

import http.client
import shutil
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from interop.sidecars import (
    BINDTRACE,
    TRUST_DOMAIN,
    Application,
    Shop,
    hop_of,
    process,
    reported,
    run,
    shop_in,
    traced,
)
from spellings import SPELLINGS, TAKEN, answered, documented
from spellings import request as spelled
from support import free_port, listening, wait_for

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.identity import tls
from bindtrace.propagation.identity.spiffe import Service
from bindtrace.propagation.workload.identity import Identity
from bindtrace.propagation.workload.outgoing import Target, sign

pytestmark = pytest.mark.slow  # an authority, a collector, the endpoint and a proxy

INVENTORY = Service(TRUST_DOMAIN, "default", "production", "inventory")


@dataclass
class Before:
    """A proxy before inventory; `orders` and `stranger` are others' identities."""

    shop: Shop
    app: Application
    port: int
    orders: Identity
    stranger: Identity

    def call(
        self, identity: Identity, method: str = "GET", path: str = "/stock/7?x=1", **changes: Any
    ) -> tuple[str, int]:
        """A signed call, as its transport sends it, with `also` headers or without its own; trace and status."""
        trace_id, headers = traced()
        wanted = {name: value for name, value in changes.items() if value}
        if changes.get("signed", True):
            added = sign(
                identity.generation,
                Target(INVENTORY, changes.get("proof", "wpt")),
                method=changes.get("signed_method", method),
                url=f"https://inventory{path}",
                other_headers={},
                now_s=now_unix_nano() / 1e9,
            )
            headers |= dict(added.headers)
        headers |= wanted.get("also", {})
        own = changes.get("certificate_of", identity).generation
        context = tls.client_context(
            own.tls_key, own.certificate, identity.bundle.authorities, expects=lambda _: True
        )
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=15)
        connection.request(method, path, headers=headers)
        status = connection.getresponse().status
        connection.close()
        return trace_id, status


def envoy(shop: Shop, files: Path, app: Application, authz: int, port: int) -> None:
    shop.envoy(
        "inventory", "--files", files, "--app", f"127.0.0.1:{app.port}", "--inbound", f"127.0.0.1:{port}",
        "--mode", "enforce", "--proof", "wpt", "--authz", f"127.0.0.1:{authz}", ports=[port],
    )  # fmt: skip


def nginx(shop: Shop, files: Path, app: Application, authz: int, port: int) -> None:
    program = shutil.which("nginx") or pytest.skip("nginx is not installed")
    written = run(
        "proxy", "nginx", "--files", files, "--app", f"127.0.0.1:{app.port}", "--inbound", f"127.0.0.1:{port}",
        "--authz", f"127.0.0.1:{authz}",
    ).stdout  # fmt: skip
    path = shop.folder / "nginx.conf"
    (shop.folder / "bindtrace.conf").write_text(written)
    temporary = "\n".join(
        f"{name}_temp_path {shop.folder}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path.write_text(
        f"daemon off; pid {shop.folder}/nginx.pid; error_log stderr; user root; worker_processes 1; events {{}}\n"
        f"http {{ access_log off; {temporary}\n include {shop.folder}/bindtrace.conf; }}\n"
    )
    shop.stack.enter_context(process([program, "-c", path, "-p", shop.folder], shop.folder / "nginx.log"))


def caddy(shop: Shop, files: Path, app: Application, authz: int, port: int) -> None:
    program = shutil.which("caddy") or pytest.skip("caddy is not installed")
    written = run(
        "proxy", "caddy", "--files", files, "--app", f"127.0.0.1:{app.port}", "--inbound", f"127.0.0.1:{port}",
        "--authz", f"127.0.0.1:{authz}",
    ).stdout  # fmt: skip
    path = shop.folder / "Caddyfile"
    path.write_text(written.replace("auto_https off", "auto_https off\n\tadmin off"))
    command = [program, "run", "--adapter", "caddyfile", "--config", path]
    home = str(shop.folder)
    shop.stack.enter_context(
        process(command, shop.folder / "caddy.log", HOME=home, XDG_DATA_HOME=home, XDG_CONFIG_HOME=home)
    )


@pytest.fixture(scope="module", params=[envoy, nginx, caddy], ids=lambda start: start.__name__)
def before(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Before]:
    folder = tmp_path_factory.mktemp(request.param.__name__)
    with shop_in(folder) as shop:
        app, files, authz, port = shop.application(), folder / "files", free_port(), free_port()
        serve = [
            BINDTRACE, "authz", "serve", "--join", shop.invitation("inventory"), "--mode", "enforce",
            "--listen", f"127.0.0.1:{authz}", "--files", files,
        ]  # fmt: skip
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{shop.collector}"}
        shop.stack.enter_context(process(serve, folder / "authz.log", **told))
        wait_for(lambda: listening(authz), seconds=30, what="authz serve")
        request.param(shop, files, app, authz, port)

        def up() -> bool:
            return listening(port)

        wait_for(up, seconds=30, what=f"the proxy; {[p.read_text()[-800:] for p in folder.glob('*.log')]}")
        yield Before(
            shop,
            app,
            port,
            shop.identity("orders"),
            shop.identity("stranger"),
        )


def test_a_signed_call_passes_and_is_one_proven_hop(before: Before) -> None:
    trace_id, status = before.call(before.orders)

    assert status == 200, before.app.seen
    hop_of(before.shop.api, trace_id, caller="orders", reason="ok", verdict="allowed", grade="proven")
    assert before.app.seen[-1]["traceparent"].split("-")[1] == trace_id


CALLS: dict[str, tuple[dict[str, Any], str]] = {
    "without a token": ({"signed": False}, "credential_missing"),
    "another method signed": ({"method": "POST", "signed_method": "GET"}, "pop_method_mismatch"),
    "another's certificate": ({"certificate_of": "stranger"}, "peer_id_mismatch"),
}


def test_each_denial_is_one_hop_with_its_reason(before: Before) -> None:
    made = {
        name: before.call(
            before.orders,
            **{
                key: getattr(before, value) if key == "certificate_of" else value
                for key, value in changes.items()
            },
        )
        for name, (changes, _) in CALLS.items()
    }

    assert {name: status for name, (_, status) in made.items()} == dict.fromkeys(CALLS, 403)
    for name, (_, reason) in CALLS.items():
        hop_of(before.shop.api, made[name][0], reason=reason, outcome="refused")


def test_the_page_says_what_each_proxy_and_the_endpoint_make_of_each_spelling(
    before: Before, request: pytest.FixtureRequest
) -> None:
    own = before.orders.generation
    found = {}
    for spelling in SPELLINGS:
        added = sign(
            own, Target(INVENTORY, "wpt"), method="GET", url="https://inventory/stock/7", other_headers={},
            now_s=now_unix_nano() / 1e9,
        )  # fmt: skip
        (_, token), (_, proof) = added.headers
        context = tls.client_context(
            own.tls_key, own.certificate, before.orders.bundle.authorities, expects=lambda _: True
        )
        found[spelling] = answered(before.port, spelled(spelling, token, proof), context)

    assert {spelling for spelling, outcome in found.items() if outcome == "ok"} <= {*TAKEN, "two spellings"}
    assert found == documented().get(request.node.callspec.params["before"].__name__, {}), str(found)


@pytest.mark.parametrize("name", ["X-Forwarded-Client-Cert", "Client-Cert"])
def test_no_certificate_header_of_the_clients_own_gets_through(before: Before, name: str) -> None:
    _, status = before.call(before.orders, also={name: "URI=spiffe://shop.example/admin;Hash=00"})

    assert status in (200, 400, 403)
    if status == 200:
        assert "admin" not in str(before.app.seen[-1])


SHOWN = {
    "nothing": ("peer_cert_missing", None),
    "one of another authority": ("peer_cert_untrusted", None),
    "an expired one": ("peer_cert_expired", "clerk"),
}


@pytest.mark.parametrize("shown", SHOWN)
def test_without_a_certificate_that_counts_there_is_no_answer_of_the_service_and_a_refused_call(
    before: Before, request: pytest.FixtureRequest, shown: str
) -> None:
    """Caddy ends the handshake where one is shown that does not count, and says so in a log of its own alone."""
    served = len(before.app.seen)
    leaf = (None, None) if shown == "nothing" else before.shop.leaf(expired=shown == "an expired one")
    context = tls.client_context(*leaf, before.orders.bundle.authorities, expects=lambda _: True)
    connection = http.client.HTTPSConnection("127.0.0.1", before.port, context=context, timeout=10)

    try:
        connection.request("POST", "/stock/7", body=b"7")
        assert connection.getresponse().status == 403
    except (ssl.SSLError, ConnectionError):
        assert request.node.callspec.params["before"] is not nginx
    finally:
        connection.close()

    assert len(before.app.seen) == served
    reason, caller = SHOWN[shown]
    if shown == "nothing" or request.node.callspec.params["before"] is not caddy:
        (hop,) = wait_for(lambda: refused(before, reason), seconds=25, what=f"a call refused by {reason}")
        assert (hop["caller"], hop["verdict"], hop["outcome"]) == (caller, "denied", "refused")
        assert hop["grade"] in ("claimed", "inferred")


def refused(before: Before, reason: str) -> list[dict[str, Any]]:
    hops = reported(before.shop.api, "hops", since="1h", limit=100000)
    return [hop for hop in hops if hop["callee"] == "inventory" and hop["reason"] == reason]
