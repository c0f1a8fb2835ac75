"""environment-crossing: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest
from drawing import CLIENT, SERVER, S, span
from judging import found
from shop_policy import settings, vercel

from bindtrace.propagation.manifest import DeclaredService
from bindtrace.queries.policy import install_policy

RULE = "environment-crossing"


def _call(caller_env: str | None, callee_env: str | None, **callee: object) -> tuple[S, ...]:
    def environment(name: str | None) -> dict[str, str]:
        return {} if name is None else {"deployment.environment.name": name}

    return (
        span("orders", CLIENT, 1, resource=environment(caller_env)),
        span("inventory", SERVER, 2, 1, resource=environment(callee_env), **callee),
    )


def test_flags_a_preview_that_calls_production(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(shop, RULE, *_call("preview", "production"))

    assert (row["caller_env"], row["callee_env"], row["severity"]) == ("preview", "production", "medium")
    assert "orders of preview called inventory of production" in row["message"]


def test_flags_it_as_worse_where_the_caller_was_verified(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(
        shop, RULE, *_call("preview", "production", peer_id="spiffe://cluster.local/ns/shop/sa/orders")
    )

    assert (row["severity"], row["grade"]) == ("high", "verified")


def test_passes_a_call_within_one_environment(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_call("production", "production"))


def test_passes_a_service_that_is_shared(con: duckdb.DuckDBPyConnection) -> None:
    shared = DeclaredService("bindtrace", "", "inventory", None, "b.toml", 1, environments=("preview",))
    install_policy(con, [vercel(), replace(settings(), services=(shared,))])

    assert not found(con, RULE, *_call("preview", "production"))


@pytest.mark.parametrize(
    ("one", "other"), [("prod", "production"), ("Staging", "stage"), (None, "production")]
)
def test_trap_two_spellings_and_an_environment_that_is_not_known(
    shop: duckdb.DuckDBPyConnection, one: str | None, other: str
) -> None:
    assert not found(shop, RULE, *_call(one, other))
