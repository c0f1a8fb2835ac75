"""T28: whatever headers come, guard and endpoint answer; what raises is a 500, which some proxies take for a yes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from guarding import App, call, guard, listening
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from identities import NOW_S, Scene
from opentelemetry import propagate
from opentelemetry.propagators.textmap import TextMapPropagator

from bindtrace.propagation.guard.request import FixedTrust, Request
from bindtrace.propagation.proxies.endpoint import AuthzApp

SCENE = Scene()
TOKEN = SCENE.domain.token(SCENE.key).encode()
NAMES = (
    b"host", b"traceparent", b"tracestate", b"baggage", b"service-binding", b"workload-identity-token",
    b"workload-proof-token", b"client-cert", b"x-forwarded-client-cert", b"x-forwarded-host", b"connection",
    b"authorization", b"txn-token", b"Workload_Identity_Token", b"x-bindtrace-method", b"x-bindtrace-uri",
)  # fmt: skip
VALUES = (
    TOKEN, b"Bearer " + TOKEN, SCENE.proof(TOKEN.decode()).encode(), b"inventory:" + b"9" * 5000, b"[::1]:80",
    b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01", b"a=b;c,bindtrace.x=1", b"9" * 5000,
    b'orders.ledger;caller="orders";chain="' + b"a" * 32 + b'";hop=' + b"9" * 5000,
    b"Hash=" + b"0" * 64 + b";URI=spiffe://x/y", b":MIIB:", b"%00%ff", b"/stock/7?a=b", b"GET",
)  # fmt: skip
HEADERS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES) | st.binary(max_size=40)), max_size=6
)
PATHS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map("/{}".format)


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    listening(monkeypatch)
    if request.param == "endpoint":
        told: Any = {"receiver": SCENE.receiver, "trust": FixedTrust(SCENE.trust)}
        return AuthzApp(mode="enforce", now_unix_nano=lambda: NOW_S * 10**9, **told)
    receiver = replace(SCENE.receiver, listener=request.param, forwarded_from=frozenset({"10.0.0.7"}))
    return guard(SCENE, App(), receiver=receiver)


@pytest.mark.parametrize("application", ["internal", "public", "endpoint"], indirect=True)
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    HEADERS,
    PATHS,
    st.sampled_from(["GET", "", "X" * 3000]),
    st.sampled_from(["", "/same", "/check", "/refused"]),
)
def test_whatever_headers_come_the_answer_is_none_of_a_fault(
    application: Any, headers: list[tuple[bytes, bytes]], path: str, method: str, before: str
) -> None:
    asked = Request(tuple(headers), method, before if before in ("/check", "/refused") else before + path)

    start, _ = call(application, asked)

    assert start["status"] in (200, 403)


class Raising(TextMapPropagator):
    """As a user may have configured one that reads only what it wrote itself."""

    fields = frozenset({"x-trace"})

    def extract(self, carrier: Any, context: Any = None, getter: Any = None) -> Any:
        raise ValueError(carrier)

    def inject(self, carrier: Any, context: Any = None, setter: Any = None) -> None:
        raise AssertionError("nothing is sent here")


@pytest.mark.parametrize("application", ["internal", "public", "endpoint"], indirect=True)
def test_a_propagator_that_raises_changes_no_verdict_and_its_fault_shows_no_header(
    application: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(propagate, "_HTTP_TEXT_FORMAT", Raising())
    asked = SCENE.request()
    path = "/same" + asked.path if isinstance(application, AuthzApp) else asked.path

    start, *_ = call(application, Request(asked.headers, asked.method, path))

    assert start["status"] == 200
    assert "event=propagator_fault fault=ValueError" in caplog.text
    assert TOKEN.decode() not in caplog.text
