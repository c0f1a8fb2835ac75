"""confused-deputy: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest
from drawing import CLIENT, SERVER, S, span
from judging import found
from shop_policy import EDGE, INVENTORY, settings, vercel

from bindtrace.propagation.manifest import DeclaredService
from bindtrace.queries.policy import install_policy

RULE = "confused-deputy"


@pytest.fixture
def careful(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The shop, where inventory is sensitive."""
    inventory = DeclaredService("bindtrace", "", "inventory", None, "b.toml", 1, sensitive=True)
    install_policy(con, [vercel(), replace(settings(), services=(inventory,))])
    return con


def _chain(trace: int = 1, **entry: object) -> tuple[S, ...]:
    return (
        span("edge", SERVER, 1, trace=trace, server_host=EDGE, url_path="/"),
        span("edge", CLIENT, 2, 1, trace=trace),
        span("catalog", SERVER, 3, 2, trace=trace, **entry),
        span("catalog", CLIENT, 4, 3, trace=trace, server_host=INVENTORY),
        span("inventory", SERVER, 5, 4, trace=trace),
    )


def test_flags_a_sensitive_call_for_a_visitor_of_whom_nothing_is_known(
    careful: duckdb.DuckDBPyConnection,
) -> None:
    (row,) = found(careful, RULE, *_chain())

    assert (row["caller"], row["callee"], row["severity"]) == ("catalog", "inventory", "info")


def test_flags_it_as_worse_where_other_chains_say_who_it_is(careful: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(careful, RULE, *_chain(), *_chain(2, attributes='{"enduser.id":"u1"}'))

    assert (row["count"], row["severity"]) == (1, "medium")


def test_passes_a_visitor_who_is_known(careful: duckdb.DuckDBPyConnection) -> None:
    assert not found(careful, RULE, *_chain(attributes='{"enduser.id":"u1"}'))


def test_passes_a_callee_that_is_not_sensitive(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_chain())


def test_trap_a_job_has_no_visitor(careful: duckdb.DuckDBPyConnection) -> None:
    assert not found(
        careful, RULE, span("catalog", CLIENT, 4, server_host=INVENTORY), span("inventory", SERVER, 5, 4)
    )
