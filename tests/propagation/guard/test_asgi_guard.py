"""`ASGIGuard`: who is refused, what the application gets, and what the span says."""

from __future__ import annotations

import json
import logging
from concurrent.futures import Future
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from bending import Case, token
from guarding import App, Spans, call, guard, listening
from identities import NOW_S, ORDERS, Scene
from opentelemetry import trace
from refusals import DENIED

from bindtrace.propagation.guard.asgi import CALLER, ASGIGuard
from bindtrace.propagation.guard.request import BOUNDARY, FixedTrust, Request, Stamp, Trust


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    return listening(monkeypatch)


def anonymous() -> Request:
    return Request(((b"host", b"inventory:8080"),), "GET", "/stock/7")


def test_a_call_without_token_is_refused_and_the_application_never_runs(spans: Spans) -> None:
    app = App()

    start, body = call(guard(Scene(), app), anonymous())

    assert (start["status"], app.scopes) == (403, [])
    assert dict(start["headers"])[b"content-type"] == b"application/problem+json"
    assert json.loads(body["body"])["reason"] == "request"
    said = spans.said()
    assert said["bindtrace.authz.reason"] == "credential_missing"
    assert (said["bindtrace.authz.decision"], said["http.response.status_code"]) == ("deny", 403)
    assert (said["server.address"], said["server.port"], said["url.path"]) == ("inventory", 8080, "/stock/7")
    assert spans.one().kind is trace.SpanKind.SERVER


def test_a_proven_call_passes_and_the_application_gets_the_caller_but_no_credential(spans: Spans) -> None:
    app, scene = App(), Scene()

    start, _ = call(guard(scene, app), scene.request(also=[(b"Authorization", b"Basic x")]))

    (seen,) = app.scopes
    assert start["status"] == 200
    assert [name for name, _ in seen["headers"]] == [b"host", b"Authorization"]
    assert (seen[CALLER].id, seen[CALLER].assurance) == (ORDERS, "wpt")
    said = spans.said()
    assert said["bindtrace.caller.id"] == str(ORDERS)
    assert (said["bindtrace.authz.decision"], said["bindtrace.authz.assurance"]) == ("allow", "wpt")
    assert said["bindtrace.credential.remaining_s"] == 900


def test_observing_lets_pass_and_says_what_enforcing_would_do(spans: Spans) -> None:
    app = App()

    start, _ = call(guard(Scene(), app, "observe"), anonymous())

    said = spans.said()
    assert (start["status"], len(app.scopes)) == (200, 1)
    assert CALLER not in app.scopes[0]
    assert (said["bindtrace.authz.decision"], said["bindtrace.authz.would"]) == ("allow", "deny")


def test_off_judges_nothing_and_still_hands_no_credential_on(spans: Spans) -> None:
    app, scene = App(), Scene()

    call(guard(scene, app, "off"), scene.request())

    assert [name for name, _ in app.scopes[0]["headers"]] == [b"host"]
    assert spans.all() == ()


def test_a_mode_has_to_be_chosen() -> None:
    with pytest.raises(TypeError, match="mode"):
        ASGIGuard(App(), receiver=Scene().receiver, trust=FixedTrust(Scene().trust))  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="enforced"):
        guard(Scene(), App(), "enforced")


@pytest.mark.parametrize(
    "case", [pytest.param(c, id=f"{r}: {n}") for r, n, c in DENIED if r != "bundle_unavailable"]
)
def test_whatever_a_caller_sends_it_is_answered_403_or_503_for_a_missing_bundle(
    case: Case, spans: Spans
) -> None:
    """Every refused request of the matrix, sent to the guard: the same reason on the span, and never a crash."""
    scene = Scene()
    asked: list[tuple[Any, ...]] = []
    judged = scene.judge

    def recording(request: Request | None = None, **changes: Any) -> Any:
        request = request or scene.request()
        asked.append((request, replace(scene.receiver, **changes), scene.trust))
        return judged(request, **changes)

    scene.judge = recording  # type: ignore[method-assign]
    expected = case(scene)  # `bundle_unavailable` asks the judge itself
    if expected.reason in ("pop_replayed", "pop_cache_saturated"):
        scene.memory = type(scene.memory)(scene.memory.replay)
    request, receiver, trust = asked[-1]
    stamped = {"extensions": {"tls": {"client_cert_chain": [_pem(request.peer)]}}} if request.peer else {}
    client = {"client": None} if request.source == "unix" else {}

    start, _ = call(
        guard(scene, App(), receiver=receiver, trust=FixedTrust(trust)), request, **stamped, **client
    )

    assert start["status"] == (503 if expected.reason in ("bundle_stale", "policy_unavailable") else 403)
    assert spans.said()["bindtrace.authz.reason"] == expected.reason


@pytest.mark.parametrize("host", [b"inventory:" + b"1" * 5000, b"inventory:99999999", "inventory:²".encode()])
def test_a_host_whose_port_is_none_is_no_crash(host: bytes, spans: Spans) -> None:
    """Python raises for a number of more than 4,300 digits, and a guard that raises is a 500."""
    start, _ = call(guard(Scene(), App()), Request(((b"host", host),), "GET", "/stock/7"))

    assert start["status"] == 403
    assert spans.said()["server.port"] == 80


def _pem(der: bytes) -> str:
    from cryptography import x509

    from bindtrace.propagation.identity import certificates

    try:
        return certificates.pem(x509.load_der_x509_certificate(der)).decode()
    except ValueError:
        return "not a certificate"


def test_a_fault_of_ours_refuses_and_says_so(spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    broken = replace(scene.trust, policy=object())  # type: ignore[arg-type]

    with caplog.at_level(logging.ERROR):
        start, _ = call(guard(scene, App(), trust=FixedTrust(broken)), scene.request())

    assert start["status"] == 403
    assert spans.said()["bindtrace.authz.reason"] == "internal_error"
    assert "internal_error" in caplog.text


@pytest.mark.parametrize(("added", "mutated"), [([], None), ([[b"x-more", b"1"]], True)])
def test_headers_that_middleware_made_lists_of_are_not_changed_by_it(
    added: list[Any], mutated: bool | None, spans: Spans
) -> None:
    scene = Scene()
    request, application = scene.request(), guard(scene, App())
    stamp = Stamp(request.headers, None, "10.0.0.7", application)

    lines = [*map(list, request.headers), *added]
    call(application, request, headers=lines, extensions={BOUNDARY: stamp})

    said = spans.said()
    assert (said["bindtrace.authz.reason"], said["bindtrace.authz.position"]) == ("ok", "outermost")
    assert said.get("bindtrace.authz.headers_mutated") == mutated


def test_a_span_that_is_already_there_takes_the_verdict(spans: Spans) -> None:
    application = guard(Scene(), App())

    with spans.provider.get_tracer("outer").start_as_current_span("GET /", kind=trace.SpanKind.SERVER):
        call(application, anonymous())

    assert spans.one().name == "GET /"
    assert spans.said()["bindtrace.authz.reason"] == "credential_missing"


def test_the_span_continues_the_callers_trace(spans: Spans) -> None:
    traceparent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    call(guard(Scene(), App()), Request(((b"traceparent", traceparent),), "GET", "/"))

    assert f"{spans.one().context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"


def test_a_public_edge_strips_restarts_the_trace_and_tells_an_internal_token(spans: Spans) -> None:
    app, scene = App(), Scene()
    traceparent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    request = scene.request(
        also=[
            (b"traceparent", traceparent),
            (b"service_binding", b"orders.inventory"),
            (b"baggage", b"user=7,bindtrace.hop=3"),
            (b"x-bindtrace-debug", b"1"),
            (b"accept", b"*/*"),
        ]
    )

    start, _ = call(guard(scene, app, receiver=replace(scene.receiver, listener="public")), request)

    assert start["status"] == 200
    assert app.scopes[0]["headers"] == [(b"host", b"inventory"), (b"baggage", b"user=7"), (b"accept", b"*/*")]
    span, said = spans.one(), spans.said()
    (link,) = span.links
    assert f"{link.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert link.attributes == {"bindtrace.trace.external": True}
    assert span.context.trace_id != link.context.trace_id
    assert said["bindtrace.authz.reason"] == "not_applicable_public"
    assert said["bindtrace.credential.exposed_on_public_path"] == str(ORDERS)
    assert set(said["bindtrace.edge.stripped"]) == {
        "workload-identity-token",
        "workload-proof-token",
        "service_binding",
        "x-bindtrace-debug",
    }


def test_a_forged_token_at_the_public_edge_exposes_nobody(spans: Spans) -> None:
    scene = Scene()
    forged = scene.domain.token(scene.key)[:-8] + "AAAAAAAA"

    call(guard(scene, App(), receiver=replace(scene.receiver, listener="public")), scene.request(forged, "x"))

    assert "bindtrace.credential.exposed_on_public_path" not in spans.said()


def test_an_exempt_path_needs_no_token_and_only_that_path(spans: Spans) -> None:
    application = guard(
        Scene(), App(), receiver=replace(Scene().receiver, exempt_paths=frozenset({"/livez"}))
    )

    assert call(application, Request((), "GET", "/livez"))[0]["status"] == 200
    assert call(application, Request((), "GET", "/livez/x"))[0]["status"] == 403
    assert call(application, Request((), "GET", "/Livez"))[0]["status"] == 403


def test_a_websocket_without_token_is_closed_before_it_is_accepted(spans: Spans) -> None:
    sent = call(guard(Scene(), App()), anonymous(), type="websocket")

    assert [message["type"] for message in sent] == ["websocket.close"]


class Learning:
    """Knows the key only once it was asked for news; answers once."""

    def __init__(self, before: Trust, after: Trust) -> None:
        self.trust, self._after, self.asked = before, after, 0

    def current(self) -> Trust:
        return self.trust

    def news(self) -> Future[bool] | None:
        self.asked += 1
        if self.asked > 1:
            return None
        answer: Future[bool] = Future()
        self.trust = self._after
        answer.set_result(True)
        return answer


def test_an_unknown_key_is_asked_for_once(spans: Spans) -> None:
    scene = Scene()
    other = next(iter(Scene().domain.bundle().token_keys.items()))
    before = scene.domain.bundle(token_keys=MappingProxyType(dict([other])), sequence=0)
    learning = Learning(Trust({scene.domain.name: before}), scene.trust)
    application = guard(scene, App(), trust=learning)

    statuses = [call(application, scene.request())[0]["status"] for _ in range(2)]
    stranger = call(application, Scene().request())[0]["status"]

    assert (statuses, stranger, learning.asked) == ([200, 200], 403, 2)


def test_no_token_is_in_a_span_a_log_or_an_answer(spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    request = scene.request()

    with caplog.at_level(logging.DEBUG):
        sent = [call(guard(scene, App(), explain=True), request) for _ in range(2)]

    written = f"{[span.to_json() for span in spans.all()]}{caplog.text}{sent}"
    assert "pop_replayed" in written
    for part in dict(request.headers)[b"workload-identity-token"].decode().split("."):
        assert part not in written


def test_the_answer_names_the_reason_only_where_it_is_asked_for(spans: Spans) -> None:
    scene = Scene()
    request = scene.request(scene.domain.token(scene.key, now_s=NOW_S - 5000))

    explained = json.loads(call(guard(scene, App(), explain=True), request)[1]["body"])
    short = json.loads(call(guard(scene, App()), request)[1]["body"])

    assert (explained["reason"], short["reason"]) == ("expired", "authenticity")
    assert token(scene).allowed
