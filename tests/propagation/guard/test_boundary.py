"""The guard behind a real uvicorn: what arrives at the boundary is judged, whatever ran in between."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest
from cryptography import x509
from guarding import App, Spans, as_bytes, exchange, guard, listening, serving
from identities import INVENTORY, ORDERS, Domain, Scene
from spellings import SPELLINGS, TAKEN
from spellings import request as spelled

from bindtrace.propagation import clock
from bindtrace.propagation.guard.asgi import CALLER
from bindtrace.propagation.identity import keys
from bindtrace.propagation.identity.tls import client_context, server_context
from bindtrace.propagation.serving.boundary import BoundaryProtocol


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    return listening(monkeypatch)


def now() -> int:
    return clock.now_unix_nano() // 10**9


def leaf(domain: Domain, key: keys.PrivateKey, workload: Any) -> x509.Certificate:
    return x509.load_der_x509_certificate(domain.leaf(key, workload))


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def test_a_call_over_mtls_is_proven_by_its_certificate(spans: Spans) -> None:
    app, scene, own = App(), Scene(Domain(now_s=now())), keys.generate()
    server = server_context(own, leaf(scene.domain, own, INVENTORY), [scene.domain.ca])
    client = client_context(
        scene.key, leaf(scene.domain, scene.key, ORDERS), [scene.domain.ca], expects=lambda _: True
    )
    request = scene.request(scene.domain.token(scene.key), "", peer=b"")

    with serving(guard(scene, app, now_unix_nano=clock.now_unix_nano), server) as port:
        answer = exchange(port, as_bytes(request), client)

    said = spans.said()
    assert status(answer) == 200
    assert (said["bindtrace.authz.assurance"], said["bindtrace.authz.position"]) == ("mtls", "outermost")
    assert (said["bindtrace.peer.id"], said["bindtrace.caller.id"]) == (str(ORDERS), str(ORDERS))
    assert app.scopes[0][CALLER].assurance == "mtls"
    assert "bindtrace.boundary" not in app.scopes[0]["extensions"]


def test_a_token_on_another_certificates_connection_is_refused(spans: Spans) -> None:
    scene, own, other = Scene(Domain(now_s=now())), keys.generate(), keys.generate()
    server = server_context(own, leaf(scene.domain, own, INVENTORY), [scene.domain.ca])
    client = client_context(
        other, leaf(scene.domain, other, ORDERS), [scene.domain.ca], expects=lambda _: True
    )

    with serving(guard(scene, App(), now_unix_nano=clock.now_unix_nano), server) as port:
        answer = exchange(port, as_bytes(scene.request(None, "", peer=b"")), client)

    assert status(answer) == 403
    assert spans.said()["bindtrace.authz.reason"] == "cert_binding_mismatch"


def test_a_stranger_gets_no_handshake_and_a_tls_1_2_client_neither(spans: Spans) -> None:
    scene, own, strangers = Scene(Domain(now_s=now())), keys.generate(), Domain(now_s=now())
    server = server_context(own, leaf(scene.domain, own, INVENTORY), [scene.domain.ca])
    stranger = client_context(own, leaf(strangers, own, ORDERS), [scene.domain.ca], expects=lambda _: True)
    old = client_context(
        scene.key, leaf(scene.domain, scene.key, ORDERS), [scene.domain.ca], expects=lambda _: True
    )
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2

    with serving(guard(scene, App()), server) as port:
        assert exchange(port, b"GET / HTTP/1.1\r\n\r\n", stranger) == b""
        with pytest.raises(ssl.SSLError):
            exchange(port, b"GET / HTTP/1.1\r\n\r\n", old)

    assert spans.all() == ()


class Renaming:
    """Somebody's middleware that changes a header before the guard sees it."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(name, value) for name, value in scope.get("headers", ()) if name != b"x-tenant"]
        await self.app({**scope, "headers": headers}, receive, send)


def test_user_middleware_that_ran_first_is_seen_and_what_arrived_is_judged(spans: Spans) -> None:
    scene = Scene()
    request = scene.request(also=[(b"x-tenant", b"7")])

    with serving(Renaming(guard(scene, App()))) as port:
        answer = exchange(port, as_bytes(request))

    said = spans.said()
    assert status(answer) == 200
    assert (said["bindtrace.authz.position"], said["bindtrace.authz.headers_mutated"]) == ("inner", True)


@pytest.mark.parametrize("spelling", [spelling for spelling in SPELLINGS if spelling not in TAKEN])
def test_no_other_spelling_of_the_token_header_passes(spelling: str, spans: Spans) -> None:
    """T5 at uvicorn: each is refused by the server (400) or by the guard (403); other servers in tests/interop."""
    scene = Scene()
    token = scene.domain.token(scene.key)
    raw = spelled(spelling, token, scene.proof(token))
    app = App()

    with serving(guard(scene, app)) as port:
        answer = exchange(port, raw)

    assert status(answer) in (400, 403)
    assert app.scopes == []


@pytest.mark.parametrize(
    "name", [b"Workload-Identity-Token", b"workload-identity-token", b"WORKLOAD-IDENTITY-TOKEN"]
)
def test_the_one_name_passes_in_any_case_as_http_has_it(name: bytes, spans: Spans) -> None:
    scene = Scene()
    request = scene.request()
    headers = tuple(
        (name if key == b"workload-identity-token" else key, value) for key, value in request.headers
    )

    with serving(guard(scene, App())) as port:
        assert status(exchange(port, as_bytes(request._replace(headers=headers)))) == 200


def test_a_session_is_never_resumed(spans: Spans) -> None:
    """T7: a ticket would carry the trust of the day it was made past a change of the bundle."""
    scene, own = Scene(Domain(now_s=now())), keys.generate()
    server = server_context(own, leaf(scene.domain, own, INVENTORY), [scene.domain.ca])
    client = client_context(
        scene.key, leaf(scene.domain, scene.key, ORDERS), [scene.domain.ca], expects=lambda _: True
    )

    with serving(guard(scene, App(), now_unix_nano=clock.now_unix_nano), server) as port:
        session = None
        for _ in range(3):
            with (
                socket.create_connection(("127.0.0.1", port), timeout=3) as plain,
                client.wrap_socket(plain, session=session) as connection,
            ):
                connection.sendall(as_bytes(scene.request(None, "", peer=b"")))
                assert connection.recv(65536)
                assert not connection.session_reused
                session = connection.session
                assert session is None or not session.has_ticket

    assert len(spans.all()) == 3


def test_a_connection_older_than_half_of_its_leaf_ends_with_the_answer(spans: Spans) -> None:
    scene, own = Scene(Domain(now_s=now())), keys.generate()
    server = server_context(own, leaf(scene.domain, own, INVENTORY), [scene.domain.ca])
    brief = x509.load_der_x509_certificate(scene.domain.leaf(scene.key, ORDERS, life_s=30))
    client = client_context(scene.key, brief, [scene.domain.ca], expects=lambda _: True)
    request = as_bytes(scene.request(None, "", peer=b""), close=False)

    class Aged(BoundaryProtocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._began_s -= 31  # of a life of 30 s and the 30 s that a leaf is backdated by

    guarded = guard(scene, App(), now_unix_nano=clock.now_unix_nano)
    with serving(guarded, server, http=Aged) as old, serving(guarded, server) as young:
        ended, kept = exchange(old, request, client), exchange(young, request, client)

    assert (status(ended), status(kept)) == (200, 200)
    assert b"connection: close" in ended.lower()
    assert b"connection: close" not in kept.lower()
