"""Which rules a trace by id runs: told once of calls that are alike, anew under another policy, and few at all."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import duckdb
import pytest
from drawing import CLIENT, SERVER, S, draw, span
from shop_policy import EDGE, INVENTORY, settings, vercel

from bindtrace.propagation.manifest import DeclaredService
from bindtrace.queries import concerns, rules
from bindtrace.queries.analyse import analyse
from bindtrace.queries.policy import install_policy
from bindtrace.queries.stored_traces import spans_of, wanted
from bindtrace.queries.tempo.judgements import judgements

Con = duckdb.DuckDBPyConnection
GUARDED = {
    "authz_reason": "ok",
    "authz_decision": "allow",
    "authz_position": "boundary",
    "authz_mode": "observe",
}


def _chain(trace: int) -> tuple[S, ...]:
    return (
        span("edge", SERVER, 1, trace=trace, server_host=EDGE, url_path="/"),
        span("edge", CLIENT, 2, 1, trace=trace),
        span("catalog", SERVER, 3, 2, trace=trace),
        span("catalog", CLIENT, 4, 3, trace=trace, server_host=INVENTORY),
        span("inventory", SERVER, 5, 4, trace=trace),
    )


def _findings(con: Con, trace: int) -> set[str]:
    spans = judgements(con, wanted(con, [UUID(int=trace)]))[UUID(int=trace)].values()
    return {name for words in spans for name in words.get("finding", "").split(",") if name}


def test_calls_that_are_alike_are_told_of_once(shop: Con, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(shop, *_chain(1), *_chain(2))
    analyse(shop)
    first = _findings(shop, 1)

    monkeypatch.setattr(concerns, "_SEEN", "this would fail if it ran")

    assert _findings(shop, 2) == first


def test_another_policy_concerns_the_same_calls_anew(shop: Con) -> None:
    draw(shop, *_chain(1))
    analyse(shop)
    before = _findings(shop, 1)

    inventory = DeclaredService("bindtrace", "", "inventory", None, "b.toml", 1, sensitive=True)
    install_policy(shop, [vercel(), replace(settings(), services=(inventory,))])

    assert "confused-deputy" in _findings(shop, 1) - before


def test_what_was_told_under_no_known_policy_is_not_kept(con: Con) -> None:
    draw(con, *_chain(1))
    analyse(con)
    told = dict(concerns._known)

    _findings(con, 1)

    assert concerns._known == told


@pytest.fixture
def trap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule fails when it is run."""
    rule = replace(rules.RULES["enforcement-gap"], text="select 1 as no_call")
    monkeypatch.setitem(rules.RULES, rule.name, rule)


@pytest.mark.usefixtures("trap")
def test_a_rule_that_needs_what_no_call_of_the_time_has_does_not_run(shop: Con) -> None:
    draw(shop, *_chain(1))
    analyse(shop)

    assert "enforcement-gap" not in _findings(shop, 1)


@pytest.mark.usefixtures("trap")
def test_a_rule_that_needs_what_a_call_of_another_trace_has_runs(shop: Con) -> None:
    draw(
        shop,
        *_chain(1),
        span("billing", CLIENT, 1, trace=2),
        span("ledger-api", SERVER, 2, 1, trace=2, **GUARDED),
    )
    analyse(shop)

    with pytest.raises(duckdb.Error, match="trace_id"):
        _findings(shop, 1)


def test_a_span_that_came_twice_is_read_as_it_came_first_and_in_the_order_of_time(con: Con) -> None:
    draw(con, span("a", CLIENT, 2, at_ms=5, url_path="/first"))
    draw(con, span("a", CLIENT, 2, at_ms=5, url_path="/first"), span("a", SERVER, 1, at_ms=1))
    first = con.execute("select min(load_id) from spans").fetchone()
    assert first is not None
    con.execute("update spans set name = 'sent first' where load_id = ?", [first[0]])
    analyse(con)

    rows = spans_of(con, wanted(con, [UUID(int=1)]))

    assert [(row["span_id"], row["name"]) for row in rows] == [(1, "span 1"), (2, "sent first")]
