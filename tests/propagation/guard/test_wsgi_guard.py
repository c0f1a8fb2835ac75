"""`WSGIGuard`: as `ASGIGuard`, with what WSGI servers fold and hide."""

from __future__ import annotations

import json
import logging
import socket
import threading
from dataclasses import replace
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from bending import Case
from guarding import Spans, as_bytes, listening
from identities import NOW_S, ORDERS, Scene
from refusals import DENIED

from bindtrace.propagation.guard.asgi import CALLER
from bindtrace.propagation.guard.request import FixedTrust, Request
from bindtrace.propagation.guard.wsgi import WSGIGuard


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    return listening(monkeypatch)


class App:
    def __init__(self) -> None:
        self.environs: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.environs.append(environ)
        start_response("200 OK", [("content-length", "2")])
        return [b"ok"]


class Socket:
    def __init__(self, peer: bytes) -> None:
        self.peer = peer

    def getpeercert(self, binary: bool) -> bytes:
        return self.peer


def guard(scene: Scene, app: Any, mode: Any = "enforce", **also: Any) -> WSGIGuard:
    settings: dict[str, Any] = {
        "receiver": scene.receiver,
        "trust": FixedTrust(scene.trust),
        "memory": scene.memory,
        "now_unix_nano": lambda: NOW_S * 10**9,
    }
    return WSGIGuard(app, mode=mode, **{**settings, **also})


def environ_of(request: Request, server: str = "gunicorn/27.0") -> dict[str, Any]:
    """As gunicorn makes it: two lines of a name joined by a comma."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": request.path,
        "REMOTE_ADDR": "" if request.source == "unix" else request.source or "10.0.0.7",
        "SERVER_SOFTWARE": server,
        "wsgi.url_scheme": "http",
    }
    for name, value in request.headers:
        key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    if request.peer is not None:
        environ["gunicorn.socket"] = Socket(request.peer)
    return environ


def call(application: WSGIGuard, environ: dict[str, Any]) -> tuple[str, bytes]:
    """Status line and body; the body is closed, as servers do."""
    started: list[str] = []
    body = application(environ, lambda status, headers, *_: started.append(status))
    content = b"".join(body)
    body.close()  # type: ignore[attr-defined]
    return started[0], content


def test_a_call_without_token_is_refused_and_the_application_never_runs(spans: Spans) -> None:
    app = App()

    status, body = call(guard(Scene(), app), environ_of(Request((), "GET", "/stock/7")))

    assert (status, app.environs) == ("403 Forbidden", [])
    assert json.loads(body)["reason"] == "request"
    assert spans.said()["bindtrace.authz.reason"] == "credential_missing"
    assert spans.said()["http.response.status_code"] == 403


def test_a_proven_call_passes_and_the_application_gets_the_caller_but_no_credential(spans: Spans) -> None:
    app, scene = App(), Scene()

    status, body = call(guard(scene, app), environ_of(scene.request()))

    assert (status, body) == ("200 OK", b"ok")
    assert app.environs[0][CALLER].id == ORDERS
    assert [key for key in app.environs[0] if "WORKLOAD" in key] == []
    assert spans.said()["bindtrace.authz.header_fidelity"] == "joined"


def test_observing_lets_pass_and_says_what_enforcing_would_do(spans: Spans) -> None:
    app = App()

    status, _ = call(guard(Scene(), app, "observe"), environ_of(Request((), "GET", "/")))

    assert (status, len(app.environs)) == ("200 OK", 1)
    assert spans.said()["bindtrace.authz.would"] == "deny"


ALIASES = ("header_alias",)
"""Names that are not spelled exactly so never reach a WSGI application on the servers that this guard trusts."""


@pytest.mark.parametrize(
    ("reason", "case"),
    [pytest.param(r, c, id=f"{r}: {n}") for r, n, c in DENIED if r not in (*ALIASES, "bundle_unavailable")],
)
def test_every_refused_request_of_the_matrix_is_refused_for_the_same_reason(
    reason: str, case: Case, spans: Spans
) -> None:
    scene = Scene()
    asked: list[tuple[Any, ...]] = []
    judged = scene.judge

    def recording(request: Request | None = None, **changes: Any) -> Any:
        request = request or scene.request()
        asked.append((request, replace(scene.receiver, **changes), scene.trust))
        return judged(request, **changes)

    scene.judge = recording  # type: ignore[method-assign]
    case(scene)
    request, receiver, trust = asked[-1]

    status, _ = call(guard(scene, App(), receiver=receiver, trust=FixedTrust(trust)), environ_of(request))

    assert status.startswith("503" if reason in ("bundle_stale", "policy_unavailable") else "403")
    assert spans.said()["bindtrace.authz.reason"] == reason


def test_a_certificate_that_gunicorn_shows_is_a_proof(spans: Spans) -> None:
    scene = Scene()

    status, _ = call(guard(scene, App()), environ_of(scene.request(peer=scene.domain.leaf(scene.key))))

    assert status == "200 OK"
    assert spans.said()["bindtrace.authz.assurance"] == "mtls"


def test_a_server_that_hides_attacks_is_refused_unless_that_is_accepted(
    spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    """At a real wsgiref, where an underscored name takes the place of the real one."""
    scene = Scene()
    statuses = [served(guard(scene, App(), header_fidelity=chosen), scene) for chosen in ("joined", "low")]

    assert statuses == [403, 200]
    assert 'header_fidelity="low"' in caplog.text
    assert [dict(span.attributes or {})["bindtrace.authz.reason"] for span in spans.all()] == [
        "internal_error",
        "ok",
    ]


def served(application: WSGIGuard, scene: Scene) -> int:
    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with make_server("127.0.0.1", 0, application, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=5) as connection:
            connection.sendall(as_bytes(scene.request()))
            answer = connection.recv(65536)
        thread.join(5)
    return int(answer.split()[1])


def test_a_public_edge_strips_and_restarts_the_trace(spans: Spans) -> None:
    app, scene = App(), Scene()
    request = scene.request(
        also=[
            (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            (b"service-binding", b"orders.inventory"),
            (b"baggage", b"user=7,bindtrace.hop=3"),
        ]
    )

    call(guard(scene, app, receiver=replace(scene.receiver, listener="public")), environ_of(request))

    (environ,) = app.environs
    assert {key for key in environ if key.startswith("HTTP_")} == {"HTTP_HOST", "HTTP_BAGGAGE"}
    assert environ["HTTP_BAGGAGE"] == "user=7"
    assert len(spans.one().links) == 1
    assert spans.said()["bindtrace.credential.exposed_on_public_path"] == str(ORDERS)


def test_a_fault_of_ours_refuses(spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    broken = replace(scene.trust, policy=object())  # type: ignore[arg-type]

    with caplog.at_level(logging.ERROR):
        status, _ = call(guard(scene, App(), trust=FixedTrust(broken)), environ_of(scene.request()))

    assert status == "403 Forbidden"
    assert spans.said()["bindtrace.authz.reason"] == "internal_error"


def test_an_application_that_fails_ends_its_span(spans: Spans) -> None:
    def failing(environ: Any, start_response: Any) -> list[bytes]:
        raise RuntimeError("the shelf fell over")

    scene = Scene()
    with pytest.raises(RuntimeError, match="shelf"):
        call(guard(scene, failing), environ_of(scene.request()))

    assert spans.one().end_time is not None
