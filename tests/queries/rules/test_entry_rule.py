"""entry-rule: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest
from drawing import CLIENT, NOON, SERVER, S, span
from judging import found, subjects
from shop_policy import EDGE, settings, vercel

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.manifest import DeclaredService
from bindtrace.queries.policy import install_policy

RULE = "entry-rule"


@pytest.fixture
def guarded(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The shop, where inventory may be reached only through orders."""
    inventory = DeclaredService("bindtrace", "", "inventory", None, "b.toml", 7, only_through=("orders",))
    install_policy(con, [vercel(), replace(settings(), services=(inventory,))])
    return con


def _way(*services: str, entry: str | None = EDGE, orphan: int | None = None) -> tuple[S, ...]:
    """A visitor's chain through these services."""
    first = span(services[0], SERVER, 2, orphan, client_address="93.184.216.34" if entry else None)
    spans = [first]
    for place, service in enumerate(services[1:], 1):
        spans += [
            span(services[place - 1], CLIENT, 10 * place, 2 if place == 1 else 10 * place - 9),
            span(service, SERVER, 10 * place + 1, 10 * place),
        ]
    return tuple(spans)


def test_flags_a_chain_that_goes_round_the_service_to_pass(guarded: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(guarded, RULE, *_way("storefront", "catalog", "inventory"))

    assert (row["caller"], row["callee"], row["severity"]) == ("catalog", "inventory", "medium")
    assert "storefront → catalog → inventory, which does not pass orders" in row["message"]
    assert row["source"] == {"file": "b.toml", "line": 7}


def test_flags_a_job_that_goes_straight_there(guarded: duckdb.DuckDBPyConnection) -> None:
    rows = found(guarded, RULE, span("billing", CLIENT, 1), span("inventory", SERVER, 2, 1))

    assert subjects(rows) == [("billing", "inventory")]


def test_passes_a_chain_through_it_wherever_it_stands(guarded: duckdb.DuckDBPyConnection) -> None:
    assert not found(guarded, RULE, *_way("storefront", "orders", "catalog", "inventory"))


def test_trap_a_chain_whose_beginning_is_missing_says_nothing_of_its_way(
    guarded: duckdb.DuckDBPyConnection,
) -> None:
    assert not found(guarded, RULE, *_way("catalog", "inventory", orphan=99))


def test_trap_an_entry_of_which_nobody_knows_who_it_was_is_only_information(
    guarded: duckdb.DuckDBPyConnection,
) -> None:
    (row,) = found(guarded, RULE, *_way("catalog", "inventory", entry=None))

    assert row["severity"] == "info"


def test_trap_a_call_of_a_moment_ago_may_still_get_its_beginning(guarded: duckdb.DuckDBPyConnection) -> None:
    since_noon_ms = (now_unix_nano() - NOON) / 1e6
    late = [replace(one, at_ms=since_noon_ms) for one in _way("storefront", "catalog", "inventory")]

    assert not found(guarded, RULE, *late)
