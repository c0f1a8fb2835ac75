"""The endpoint that proxies ask: what it answers, what it asks the judgement, and the span that it leaves."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from guarding import Spans, call
from identities import NOW_S, ORDERS, Scene
from opentelemetry import trace

from bindtrace.propagation.guard.request import FixedTrust, Request
from bindtrace.propagation.identity import certificates, keys
from bindtrace.propagation.identity.certificates import pem
from bindtrace.propagation.proxies.endpoint import MAX_HEADERS_BYTES, AuthzApp

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    recorded = Spans()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: recorded.provider)
    return recorded


def endpoint(scene: Scene, mode: Any = "enforce", **also: Any) -> AuthzApp:
    settings = {"receiver": scene.receiver, "trust": FixedTrust(scene.trust), "memory": scene.memory}
    return AuthzApp(mode=mode, now_unix_nano=lambda: NOW_S * 10**9, **{**settings, **also})


def as_is(request: Request) -> Request:
    """As Envoy asks: same method, same path after its prefix."""
    return Request(request.headers, request.method, f"/same{request.path}", None, request.source)


def told(request: Request, *also: tuple[bytes, bytes]) -> Request:
    """As nginx and Caddy ask: GET, with method and URI in headers."""
    asked = (
        (b"x-bindtrace-method", request.method.encode()),
        (b"x-bindtrace-uri", request.path.encode() + b"?page=2"),
    )
    return Request((*request.headers, *asked, *also), "GET", "/check", None, request.source)


@pytest.mark.parametrize(
    ("asking", "kind"), [(as_is, trace.SpanKind.INTERNAL), (told, trace.SpanKind.SERVER)]
)
def test_a_proven_call_is_let_through_with_a_span_below_the_requests_trace(
    spans: Spans, asking: Any, kind: trace.SpanKind
) -> None:
    """nginx and Caddy send no span, so that the verdict's stands for the proxy's."""
    scene = Scene()
    traced = scene.request(also=[(b"traceparent", f"00-{TRACE}-{PARENT}-01".encode())])

    start, body = call(endpoint(scene), asking(traced))

    assert (start["status"], body["body"]) == (200, b"")
    span, said = spans.one(), spans.said()
    told = {name.decode(): value.decode() for name, value in start["headers"]}
    assert (told["x-bindtrace-authz-reason"], told["x-bindtrace-caller-id"]) == ("ok", str(ORDERS))
    assert told["traceparent"] == f"00-{TRACE}-{span.context.span_id:016x}-01"
    assert not {"set-cookie", "location"} & told.keys()
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)
    assert (span.kind, said["bindtrace.authz.position"]) == (kind, "proxy")
    assert (said["bindtrace.caller.id"], said["url.path"]) == (str(ORDERS), "/stock/7")
    assert said["bindtrace.authz.decision"] == "allow"


def test_a_call_without_token_is_403_and_the_body_names_the_class_alone(spans: Spans) -> None:
    request = Request(((b"host", b"inventory:8080"),), "GET", "/stock/7")

    start, body = call(endpoint(Scene()), as_is(request))

    assert (start["status"], json.loads(body["body"])["reason"]) == (403, "request")
    assert spans.said()["bindtrace.authz.reason"] == "credential_missing"


def test_observe_lets_pass_and_says_what_enforcing_would_do(spans: Spans) -> None:
    start, _ = call(endpoint(Scene(), "observe"), as_is(Request((), "GET", "/stock/7")))

    said = spans.said()
    assert start["status"] == 200
    assert (said["bindtrace.authz.decision"], said["bindtrace.authz.would"]) == ("allow", "deny")


def test_a_missing_bundle_is_503_and_nothing_else_is(spans: Spans) -> None:
    scene = Scene()
    without = FixedTrust(type(scene.trust)({scene.domain.name: None}))

    start, _ = call(endpoint(scene, trust=without), as_is(scene.request()))

    assert (start["status"], spans.said()["bindtrace.authz.reason"]) == (503, "bundle_unavailable")


def test_a_proof_is_for_the_method_that_the_client_used_not_for_the_proxys_own(spans: Spans) -> None:
    scene = Scene()
    token = scene.domain.token(scene.key)
    posted = scene.request(token, scene.proof(token, method="POST"), method="POST")

    assert call(endpoint(scene), told(posted))[0]["status"] == 200
    assert spans.said()["http.request.method"] == "POST"


@pytest.mark.parametrize(
    "also",
    [(b"x-bindtrace-method", b"GET"), (b"X_Bindtrace_Method", b"GET"), (b"x.bindtrace.uri", b"/open")],
)
def test_a_client_cannot_say_what_the_proxy_says(spans: Spans, also: tuple[bytes, bytes]) -> None:
    scene = Scene()

    assert call(endpoint(scene), told(scene.request(), also))[0]["status"] == 403


@pytest.mark.parametrize("path", ["/", "/same", "/chec", "/checks", "/CHECK"])
def test_what_is_not_asked_by_either_way_is_403(spans: Spans, path: str) -> None:
    scene = Scene()
    proven = scene.request()

    assert call(endpoint(scene), Request(proven.headers, "GET", path))[0]["status"] == 403


def test_more_than_32_kilobytes_of_headers_are_403(spans: Spans) -> None:
    scene = Scene()
    long = scene.request(also=[(b"x-filler", b"x" * MAX_HEADERS_BYTES)])

    start, _ = call(endpoint(scene), as_is(long))

    assert (start["status"], spans.said()["bindtrace.authz.reason"]) == (403, "credential_malformed")


@pytest.mark.parametrize("source", ["127.0.0.1", "unix"])
def test_a_certificate_that_the_proxy_forwards_proves_the_call(spans: Spans, source: str) -> None:
    scene = Scene()
    text = quote(pem(x509.load_der_x509_certificate(scene.domain.leaf(scene.key))).decode(), safe="")
    request = scene.request(None, "", also=[(b"x-forwarded-client-cert", f"Cert={text}".encode())])
    receiver = replace(scene.receiver, forwarded_from=frozenset({source}))

    start, _ = call(
        endpoint(scene, receiver=receiver), as_is(request), client=None if source == "unix" else (source, 1)
    )

    said = spans.said()
    assert (start["status"], said["bindtrace.authz.assurance"]) == (200, "mtls")
    assert said["bindtrace.peer.id"] == str(ORDERS)


def refused(*shown: tuple[bytes, bytes]) -> Request:
    """As nginx and Caddy tell of a caller that they turned away for its certificate."""
    asked = ((b"x-bindtrace-method", b"POST"), (b"x-bindtrace-uri", b"/stock/7"))
    return Request((*asked, *shown), "GET", "/refused", None, "127.0.0.1")


def shown(certificate: x509.Certificate) -> tuple[bytes, bytes]:
    return b"x-forwarded-client-cert", f'Cert="{quote(pem(certificate).decode())}"'.encode()


def leaf(scene: Scene, *, own: bool = True, at_s: int = NOW_S) -> x509.Certificate:
    """Of orders, by the authority of the scene or by another of the same name."""
    key = keys.generate()
    (authority,), signer = scene.domain.bundle().authorities, scene.domain.ca_key
    if not own:
        signer = keys.generate()
        authority = certificates.authority(ORDERS.trust_domain, 1, signer, now_s=NOW_S)
    return certificates.leaf(ORDERS, keys.public_of(key), authority, signer, now_s=at_s)


@pytest.mark.parametrize("mode", ["observe", "enforce"])
@pytest.mark.parametrize(
    ("reason", "caller", "of"),
    [
        ("peer_cert_missing", None, lambda _: ()),
        ("peer_cert_missing", None, lambda _: ((b"x-forwarded-client-cert", b""),)),
        ("peer_cert_untrusted", None, lambda scene: (shown(leaf(scene, own=False)),)),
        ("peer_cert_expired", "s-orders", lambda scene: (shown(leaf(scene, at_s=NOW_S - 90_000)),)),
        ("peer_cert_not_yet_valid", "s-orders", lambda scene: (shown(leaf(scene, at_s=NOW_S + 3600)),)),
        ("peer_cert_untrusted", "s-orders", lambda scene: (shown(leaf(scene)),)),
        ("peer_cert_untrusted", None, lambda _: ((b"x-forwarded-client-cert", b'Cert="nothing"'),)),
    ],
)
def test_who_was_turned_away_for_his_certificate_leaves_a_refused_call_and_never_passes(
    spans: Spans, mode: str, reason: str, caller: str | None, of: Any
) -> None:
    scene = Scene()

    start, _ = call(endpoint(scene, mode), refused(*of(scene)))

    assert start["status"] == 403
    span, said = spans.one(), spans.said()
    assert (said["bindtrace.authz.reason"], said["bindtrace.authz.decision"]) == (reason, "deny")
    assert (span.kind, said["component"]) == (trace.SpanKind.SERVER, "proxy")
    assert said.get("bindtrace.caller.claimed") == caller
    assert "bindtrace.caller.id" not in said
    assert "bindtrace.peer.id" not in said
