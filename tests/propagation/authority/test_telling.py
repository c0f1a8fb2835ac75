"""What the authority tells a collector of deployments: each state once, from when on, and nothing that is long over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from guarding import Spans
from identities import NOW_S, ORDERS
from opentelemetry import trace

from bindtrace.propagation.authority.issuing import Authority, initialise
from bindtrace.propagation.authority.rotation import Lives
from bindtrace.propagation.authority.telling import TOLD_FOR_S, DeploymentTeller

YOUNGER = ORDERS._replace(deployment="d2")


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    made = Spans()
    monkeypatch.setattr(trace, "get_tracer", lambda name, *_, **__: made.provider.get_tracer(name))
    return made


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return initialise(tmp_path / "ca", ORDERS.trust_domain, Lives(), NOW_S)


def said(spans: Spans) -> list[tuple[Any, Any, Any]]:
    return [
        (
            (span.attributes or {})["bindtrace.deployment.subject"],
            (span.attributes or {})["bindtrace.deployment.state"],
            (span.attributes or {})["bindtrace.deployment.since_s"] - NOW_S,
        )
        for span in spans.all()
    ]


def tell(teller: DeploymentTeller, authority: Authority, now_s: int) -> None:
    teller.tell(authority.store.deployments(authority.trust_domain), now_s)


def test_a_younger_deployment_leaves_the_older_in_grace_since_then(
    authority: Authority, spans: Spans
) -> None:
    teller = DeploymentTeller()
    authority.register(ORDERS, NOW_S)
    tell(teller, authority, NOW_S + 1)

    authority.register(YOUNGER, NOW_S + 100)
    for at in (101, 102):
        tell(teller, authority, NOW_S + at)

    assert said(spans) == [
        (str(ORDERS), "active", 0),
        (str(ORDERS), "grace", 100),
        (str(YOUNGER), "active", 100),
    ]


def test_one_that_is_taken_back_has_ended_since_then(authority: Authority, spans: Spans) -> None:
    authority.register(ORDERS, NOW_S)

    authority.deny("deployment", str(ORDERS), NOW_S + 50)
    tell(DeploymentTeller(), authority, NOW_S + 60)

    assert said(spans) == [(str(ORDERS), "ended", 50)]


def test_a_new_process_says_nothing_of_what_ended_long_ago(authority: Authority, spans: Spans) -> None:
    authority.register(ORDERS, NOW_S)
    authority.deny("deployment", str(ORDERS), NOW_S + 50)

    tell(DeploymentTeller(), authority, NOW_S + 51 + TOLD_FOR_S)

    assert said(spans) == []
