"""T32: every request with one fault, in both modes, from the guard's verdict to the finding: what is due, no more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import duckdb
import pytest
from guarding import Spans
from identities import NOW_S, ORDERS, Scene
from loading import hops, load
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from passing import ALLOWED
from refusals import DENIED
from telling import otlp

from bindtrace.propagation.guard.modes import outcome
from bindtrace.propagation.guard.request import Judgement
from bindtrace.propagation.guard.verdict import attributes
from bindtrace.propagation.manifest import DeclaredService, Manifest, Match
from bindtrace.propagation.vocabulary import CLASS_OF_REASON, Mode
from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import open_database
from bindtrace.queries.policy import install_policy
from bindtrace.queries.query import Query

pytestmark = pytest.mark.slow

MODES: Final[tuple[Mode, ...]] = ("enforce", "observe")
DUE: Final = {
    "credential_missing": "unauthenticated-call",
    "pop_replayed": "credential-replay",
    "pop_missing": "weak-assurance",
    "peer_cert_missing": "weak-assurance",
}
DUE_OF_CLASS: Final = {"grant": "unauthorized-call", "guard": "unjudged-call", "system": "unjudged-call"}


class Scenario(NamedTuple):
    """`callee` is a service of its own, so that no finding hides another."""

    callee: str
    judgement: Judgement
    mode: Mode

    @property
    def due(self) -> set[str]:
        reason, peer = self.judgement.reason, self.judgement.peer
        if self.judgement.allowed:
            return {"credential-replay"} if self.judgement.replayed else set()
        named = DUE.get(reason) or DUE_OF_CLASS.get(CLASS_OF_REASON[reason], "rejected-credential")
        # a certificate of somebody else is a second witness that names another caller
        return {named} | (
            {"caller-mismatch"} if peer is not None and peer.of_service != ORDERS.of_service else set()
        )

    @property
    def grade(self) -> str:
        if "caller-mismatch" in self.due:
            return "contradicted"
        known = self.judgement.wit is not None or self.judgement.peer is not None
        return "verified" if known else "claimed"


def scenarios() -> Iterator[Scenario]:
    cases = [*((reason, case) for reason, _, case in DENIED), *((name, case) for name, _, case in ALLOWED)]
    for place, (_, case) in enumerate(cases):
        for mode in MODES:
            yield Scenario(f"callee-{place}-{mode}", case(Scene()), mode)


def trace_of(scenario: Scenario, callers: Spans) -> Spans:
    """The orders call this callee, whose span says what its guard judged."""
    scene = Scene()
    done = outcome(scenario.judgement, scenario.mode, scene.receiver, now_s=NOW_S)
    said = attributes(scenario.judgement, done, scene.receiver, scene.trust, now_s=NOW_S, position="boundary")
    client = callers.provider.get_tracer("orders").start_span("GET", kind=trace.SpanKind.CLIENT)
    callee = Spans(TracerProvider(resource=Resource({"service.name": scenario.callee})))
    server = callee.provider.get_tracer("guard").start_span(
        "GET", trace.set_span_in_context(client), trace.SpanKind.SERVER,
        attributes={"url.scheme": "https", **said},
    )  # fmt: skip
    server.end()
    client.end()
    return callee


@pytest.fixture(scope="module")
def judged() -> Iterator[tuple[list[Scenario], duckdb.DuckDBPyConnection]]:
    """All scenarios in one database, in which nothing is declared but who there is."""
    listed, con = list(scenarios()), open_database(None)
    callers = Spans(TracerProvider(resource=Resource({"service.name": "orders"})))
    named = Match("s-orders", "service", "service.name", "orders")
    origin = ("bindtrace", "")
    known = {"s-orders", *(one.judgement.peer.service for one in listed if one.judgement.peer is not None)}
    services = tuple(DeclaredService(*origin, name, None, "bindtrace.toml", 1) for name in sorted(known))
    install_policy(con, [Manifest("bindtrace.toml", *origin, "1", services=services, matches=(named,))])
    callees = [trace_of(scenario, callers) for scenario in listed]
    load(con, otlp([callers, *callees]))
    yield listed, con
    con.close()


def test_each_abuse_raises_the_finding_that_is_due_and_no_other(
    judged: tuple[list[Scenario], duckdb.DuckDBPyConnection],
) -> None:
    listed, con = judged

    found: dict[str, set[str]] = {}
    for row in run_report(con, "findings", Query(settled=True)):
        found.setdefault(row["callee"], set()).add(row["rule"])

    assert len(listed) >= 60
    wrong = {
        (scenario.callee, scenario.judgement.reason): (found.get(scenario.callee, set()), scenario.due)
        for scenario in listed
        if found.get(scenario.callee, set()) != scenario.due
    }
    assert wrong == {}


def test_each_call_has_its_reason_its_outcome_and_its_grade(
    judged: tuple[list[Scenario], duckdb.DuckDBPyConnection],
) -> None:
    listed, con = judged

    of: dict[str, dict[str, Any]] = {row["callee"]: row for row in hops(con)}

    wrong = {}
    for scenario in listed:
        judgement = scenario.judgement
        passes = judgement.allowed or scenario.mode == "observe"
        due = (judgement.reason, "passed" if passes else "refused", scenario.grade)
        row = of[scenario.callee]
        if (row["reason"], row["outcome"], row["grade"]) != due:
            wrong[scenario.callee] = (row["reason"], row["outcome"], row["grade"]), due
    assert wrong == {}
