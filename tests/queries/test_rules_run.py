"""Which rules a question runs: those that a call of its window concerns, and no other."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest
from drawing import CLIENT, SERVER, draw, span

from bindtrace.queries import rules
from bindtrace.queries.analyse import analyse
from bindtrace.queries.query import Query


@pytest.fixture
def traps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rule about hops fails when it is run, which is how a test sees that it was."""
    for name, rule in rules.RULES.items():
        if rule.of_hops:
            monkeypatch.setitem(rules.RULES, name, replace(rule, text="select 1 as no_call"))


@pytest.mark.usefixtures("traps")
def test_of_a_window_without_calls_no_rule_about_them_runs(shop: duckdb.DuckDBPyConnection) -> None:
    assert rules.findings(shop, Query()) == []


@pytest.mark.usefixtures("traps")
def test_a_rule_that_a_call_concerns_runs(shop: duckdb.DuckDBPyConnection) -> None:
    draw(shop, span("billing", CLIENT, 1), span("ledger-api", SERVER, 2, 1, authz_reason="pop_replayed"))
    analyse(shop)

    with pytest.raises(duckdb.Error, match="trace_id"):
        rules.findings(shop, Query())
