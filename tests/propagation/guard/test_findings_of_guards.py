"""From a real guard's verdict to the finding that it raises (T32): each abuse is named, its benign twin is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import duckdb
import pytest
from guarding import App, guard, scope_of
from guarding import call as asked
from identities import BINDING, GRANTED, INVENTORY, NOW_S, ORDERS, POLICY, Scene, service
from loading import load
from opentelemetry import propagate, trace
from telling import Services, listening

from bindtrace.propagation.guard.request import BOUNDARY, FixedTrust, Request, Stamp, Trust
from bindtrace.propagation.identity import keys
from bindtrace.propagation.manifest import Grant, Manifest, Match
from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import open_database
from bindtrace.queries.policy import install_policy
from bindtrace.queries.query import Query

pytestmark = pytest.mark.slow
Found = dict[str, dict[str, Any]]


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Services:
    return listening(monkeypatch)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Knows that orders may call inventory, and how their identities name them."""
    connection = open_database(None)
    grant = Grant("bindtrace", "", None, "s-orders", "s-inventory", "INVENTORY_URL", "bindtrace.toml", 2)
    names = (Match("s-orders", "service", "service.name", "orders"),
             Match("s-inventory", "service", "service.name", "inventory"))  # fmt: skip
    install_policy(
        connection,
        [Manifest("bindtrace.toml", "bindtrace", "", revision="1", grants=(grant,), matches=names)],
    )
    yield connection
    connection.close()


def ask(services: Services, guarded: Any, request: Request, *, client: bool = True, **changes: Any) -> None:
    """One request to a guard, from the orders where `client`, else from somebody who sends no spans."""
    headers: dict[str, str] = {}
    if client:
        span = services.get_tracer("orders").start_span("GET", kind=trace.SpanKind.CLIENT)
        propagate.inject(headers, trace.set_span_in_context(span))
        span.end()
    sent = [*request.headers, *((name.encode(), value.encode()) for name, value in headers.items())]
    scope = scope_of(request._replace(headers=tuple(sent)))
    if changes.get("stamped", True):
        stamp = Stamp(tuple(sent), request.peer, "10.0.0.7", guarded)
        changes.setdefault("extensions", {BOUNDARY: stamp})
    changes.pop("stamped", None)
    asked(
        guarded,
        request._replace(headers=tuple(sent)),
        **{"headers": scope["headers"], "scheme": "https", **changes},
    )


def findings(con: duckdb.DuckDBPyConnection, services: Services) -> Found:
    """By rule, what is found of all that was asked."""
    load(con, services.otlp())
    return {row["rule"]: row for row in run_report(con, "findings", Query(settled=True))}


def test_a_good_call_raises_nothing(con: duckdb.DuckDBPyConnection, services: Services) -> None:
    scene = Scene(policy=POLICY)

    for _ in range(3):
        ask(services, guard(scene, App()), scene.request())

    assert findings(con, services) == {}


def test_a_forged_token_is_rejected(con: duckdb.DuckDBPyConnection, services: Services) -> None:
    scene = Scene()
    forged = replace(scene, domain=replace(scene.domain, token_key=keys.generate())).domain.token(scene.key)

    ask(services, guard(scene, App()), scene.request(forged))

    rows = findings(con, services)
    assert list(rows) == ["rejected-credential"]
    assert "(key_unknown), and was refused" in rows["rejected-credential"]["message"]


def test_many_of_them_are_a_burst(con: duckdb.DuckDBPyConnection, services: Services) -> None:
    scene = Scene()
    guarded = guard(scene, App())

    for _ in range(20):
        ask(services, guarded, scene.request("not.a.token"))

    assert list(findings(con, services)) == ["attack-burst"]


def test_a_token_for_another_service_is_unauthorized(
    con: duckdb.DuckDBPyConnection, services: Services
) -> None:
    scene = Scene()
    token = scene.domain.token(scene.key, granted=replace(GRANTED, callee=service("s-billing")))

    ask(services, guard(scene, App(), mode="observe"), scene.request(token))

    rows = findings(con, services)
    assert list(rows) == ["unauthorized-call"]
    assert rows["unauthorized-call"]["severity"] == "high"


def test_a_call_without_a_token_is_unauthenticated(
    con: duckdb.DuckDBPyConnection, services: Services
) -> None:
    scene = Scene()

    ask(services, guard(scene, App(), mode="observe"), Request(((b"host", b"inventory"),), "GET", "/stock/7"))

    rows = findings(con, services)
    assert list(rows) == ["unauthenticated-call"]
    assert rows["unauthenticated-call"]["severity"] == "medium"


def test_a_proof_that_is_used_twice_is_a_replay(con: duckdb.DuckDBPyConnection, services: Services) -> None:
    scene = Scene(policy=POLICY)
    guarded, request = guard(scene, App()), scene.request()

    for _ in range(2):
        ask(services, guarded, request)

    rows = findings(con, services)
    assert list(rows) == ["credential-replay"]
    assert rows["credential-replay"]["severity"] == "low"  # a GET of the same peer, at once: as a proxy would


def test_a_replay_that_the_binding_only_reports_is_found_too(
    con: duckdb.DuckDBPyConnection, services: Services
) -> None:
    reporting = replace(POLICY, bindings={"b1": replace(BINDING, replay="report")})
    scene = Scene(policy=reporting)
    guarded, request = guard(scene, App()), scene.request()

    for _ in range(2):
        ask(services, guarded, request)

    assert "let pass" in findings(con, services)["credential-replay"]["message"]


def test_a_clock_that_is_behind_is_named_with_its_distance(
    con: duckdb.DuckDBPyConnection, services: Services
) -> None:
    scene = Scene()
    guarded = guard(scene, App())

    for _ in range(5):
        token = scene.domain.token(scene.key)
        ask(services, guarded, scene.request(token, scene.proof(token, now_s=NOW_S - 147)))

    rows = findings(con, services)
    assert "147 s behind" in rows["clock-or-expiry"]["fix"]


def test_credentials_near_their_end_are_a_stalled_rotation(
    con: duckdb.DuckDBPyConnection, services: Services
) -> None:
    scene = Scene()
    old = scene.domain.token(scene.key, now_s=NOW_S - 800)

    for _ in range(3):
        ask(services, guard(scene, App()), scene.request(old))

    rows = findings(con, services)
    assert list(rows) == ["rotation-stalled"]
    assert "100 s left of 900 s" in rows["rotation-stalled"]["message"]


def test_a_guard_that_missed_five_refreshes_says_so(
    con: duckdb.DuckDBPyConnection, services: Services
) -> None:
    scene = Scene(policy=POLICY)
    late = FixedTrust(replace(scene.trust, policy_at_s=NOW_S - 301))

    ask(services, guard(scene, App(), trust=late), scene.request())

    rows = findings(con, services)
    assert list(rows) == ["rotation-stalled"]
    assert "trust that it has not refreshed" in rows["rotation-stalled"]["message"]


def test_a_binding_that_wants_a_certificate_names_who_has_none(
    con: duckdb.DuckDBPyConnection, services: Services
) -> None:
    scene = Scene(policy=replace(POLICY, bindings={"b1": replace(BINDING, proof="mtls")}))

    ask(services, guard(scene, App(), mode="observe"), scene.request())

    rows = findings(con, services)
    assert list(rows) == ["weak-assurance"]
    assert "a client certificate is asked for" in rows["weak-assurance"]["message"]


def test_a_guard_that_failed_open_is_named(con: duckdb.DuckDBPyConnection, services: Services) -> None:
    scene = Scene()
    receiver = replace(scene.receiver, fail_open_until_s=NOW_S + 60)
    nothing = FixedTrust(Trust({scene.domain.name: None}))

    ask(services, guard(scene, App(), receiver=receiver, trust=nothing), scene.request())

    rows = findings(con, services)
    assert list(rows) == ["fail-open-used"]
    assert "(bundle_unavailable)" in rows["fail-open-used"]["message"]


def test_middleware_that_ran_first_is_a_gap_with_what_it_changed(
    con: duckdb.DuckDBPyConnection, services: Services
) -> None:
    scene = Scene()
    request = scene.request()
    stamp = Stamp(request.headers[:-1], None, "10.0.0.7", object())

    guarded = guard(scene, App(), mode="observe")
    ask(services, guarded, request, extensions={BOUNDARY: stamp})

    row = findings(con, services)["enforcement-gap"]
    assert row["severity"] == "medium"
    assert "position inner, headers_mutated" in row["message"]


def test_a_guard_that_enforces_from_an_unknown_place_is_worse(
    con: duckdb.DuckDBPyConnection, services: Services
) -> None:
    scene = Scene()

    ask(services, guard(scene, App()), scene.request(), stamped=False)

    row = findings(con, services)["enforcement-gap"]
    assert (row["severity"], "position unknown" in row["message"]) == ("high", True)


def test_a_good_token_at_a_public_listener_is_taken_off_and_named(
    con: duckdb.DuckDBPyConnection, services: Services
) -> None:
    scene = Scene()
    public = guard(scene, App(), receiver=replace(scene.receiver, listener="public"))

    ask(services, public, scene.request(), client=False)

    row = findings(con, services)["internal-headers-at-edge"]
    assert row["severity"] == "high"
    assert "workload-identity-token,workload-proof-token" in row["message"]
    assert str(ORDERS) in row["message"]
    assert str(INVENTORY) not in row["message"]
