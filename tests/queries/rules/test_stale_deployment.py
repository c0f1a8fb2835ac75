"""stale-deployment: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

import json
import uuid
from typing import Any

import duckdb
import pytest
from drawing import CLIENT, INTERNAL, NOON, SECOND, SERVER, S, draw, span
from judging import found, subjects

RULE = "stale-deployment"
MINUTE_MS = 60_000.0
SUBJECT = "spiffe://shop.example/project/p1/env/production/service/{}/deployment/{}"


def _tell(con: duckdb.DuckDBPyConnection, service: str, deployment: str, state: str, at_ms: float) -> None:
    """As the authority does: a span of its own instrumentation scope."""
    scope = uuid.UUID(int=77)
    con.execute(
        "insert into instrumentation_scopes by name "
        "select ? as instrumentation_scope_id, 'bindtrace.authority' as name, 0 as dropped_attributes_count",
        [scope],
    )
    said = {
        "bindtrace.deployment.subject": SUBJECT.format(service, deployment),
        "bindtrace.deployment.state": state,
        "bindtrace.deployment.since_s": (NOON + int(at_ms * 1e6)) // SECOND,
    }
    draw(
        con,
        span(
            "authority", INTERNAL, abs(int(at_ms)) + 100, trace=900, name=f"deployment {state}",
            attributes=json.dumps(said), instrumentation_scope_id=scope,
        ),
    )  # fmt: skip


def _call(at_ms: float, caller: str | None = "d2", callee: str | None = "d2", **verdict: Any) -> list[S]:
    return [
        span("billing", CLIENT, 1, at_ms=at_ms, deployment=caller),
        span("ledger", SERVER, 2, 1, at_ms=at_ms, deployment=callee, **verdict),
    ]


@pytest.mark.parametrize(("state", "word"), [("grace", "replaced"), ("ended", "taken back")])
def test_flags_a_retired_deployment_that_still_calls(
    shop: duckdb.DuckDBPyConnection, state: str, word: str
) -> None:
    _tell(shop, "billing", "d1", "active", -60 * MINUTE_MS)
    _tell(shop, "billing", "d1", state, 0)

    (row,) = found(shop, RULE, *_call(16 * MINUTE_MS, caller="d1"))

    assert (row["caller"], row["callee"], row["severity"]) == ("billing", "ledger", "medium")
    assert f"deployment d1 of billing is {word} since" in row["message"]
    assert "and calls up to" in row["message"]


def test_flags_a_retired_deployment_that_is_still_called(shop: duckdb.DuckDBPyConnection) -> None:
    _tell(shop, "ledger", "d1", "grace", 0)

    (row,) = found(shop, RULE, *_call(20 * MINUTE_MS, callee="d1"))

    assert "deployment d1 of ledger" in row["message"]
    assert "is called" in row["message"]


def test_flags_the_deployment_that_a_token_names_where_no_resource_does(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    _tell(shop, "billing", "d1", "grace", 0)
    token = {"authz_reason": "ok", "verified_caller": SUBJECT.format("billing", "d1")}

    rows = found(shop, RULE, *_call(20 * MINUTE_MS, caller=None, **token))

    assert subjects(rows) == [("billing", "ledger")]


def test_passes_the_deployment_that_is_active(shop: duckdb.DuckDBPyConnection) -> None:
    _tell(shop, "billing", "d1", "grace", 0)
    _tell(shop, "billing", "d2", "active", 0)

    assert not found(shop, RULE, *_call(60 * MINUTE_MS))


def test_passes_one_that_was_made_active_again(shop: duckdb.DuckDBPyConnection) -> None:
    _tell(shop, "billing", "d1", "grace", 0)
    _tell(shop, "billing", "d1", "active", 5 * MINUTE_MS)

    assert not found(shop, RULE, *_call(60 * MINUTE_MS, caller="d1"))


def test_trap_a_pool_that_drains_has_a_quarter_of_an_hour(shop: duckdb.DuckDBPyConnection) -> None:
    _tell(shop, "billing", "d1", "grace", 0)

    assert not found(shop, RULE, *_call(14 * MINUTE_MS, caller="d1"))


def test_trap_another_services_deployment_of_that_name_is_not_meant(shop: duckdb.DuckDBPyConnection) -> None:
    _tell(shop, "orders", "d1", "ended", 0)

    assert not found(shop, RULE, *_call(60 * MINUTE_MS, caller="d1", callee="d1"))
