"""What is declared: grants that are seldom used, open services, exceptions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from drawing import SECOND, S

from bindtrace.propagation.manifest import Accepted
from topologies.scene import FILE, Scene, pair, scene


def never_sampled(t: Scene) -> list[S]:
    """A call whose spans say that every trace is kept, so that a call that is not seen was not made."""
    return [
        replace(one, columns={**one.columns, "trace_state": "ot=th:0"})
        for one in t.call("orders", "inventory")
    ]


@scene
def grant_that_is_used_now_and_then(t: Scene) -> None:
    pair(t)
    t.service("billing")
    t.grant("orders", "billing")
    plain = never_sampled(t)
    for _ in range(9):
        t.does(plain)
    t.does(t.call("orders", "billing"))
    t.wrong("unused-grant", "billing", "verified", plain, always=True)


@scene
def grant_that_is_seasonal(t: Scene) -> None:
    pair(t)
    t.service("billing")
    t.grant("orders", "billing", used_within_days=None if t.bad else 365)
    plain = never_sampled(t)
    t.does(plain)
    t.wrong("unused-grant", "billing", "verified", plain, always=True)


@scene
def open_service_that_visitors_use(t: Scene) -> None:
    pair(t)
    t.open("inventory")
    plain = never_sampled(t)
    t.does(plain)
    t.does(t.by_edge(None, "inventory"))
    t.wrong("exposed-and-bound", "inventory", "verified", plain, always=True)


@scene
def exception_that_still_holds(t: Scene) -> None:
    pair(t)
    until = datetime(2025 if t.bad else 2200, 1, 1, tzinfo=UTC)
    nano = int(until.timestamp()) * SECOND
    t.accepted.append(Accepted("public-route", t("orders"), t("inventory"), "moves", nano, FILE, 9))
    t.does(t.call("orders", "inventory"))
    t.wrong("expired-exception", "orders", "verified", t.call("orders", "inventory"), always=True)


@scene
def grant_for_some_requests(t: Scene) -> None:
    pair(t, granted=False)
    t.grant("orders", "inventory", methods=("GET",), paths=("^/stock/.*$",))
    t.does(t.call("orders", "inventory", http_method="GET", url_path="/stock/7"))
    t.wrong(
        "undeclared-call",
        "inventory",
        "claimed",
        t.call("orders", "inventory", http_method="POST", url_path="/stock/7"),
    )
