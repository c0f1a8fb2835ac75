"""enforcement-gap: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from drawing import CLIENT, SERVER, S, span
from judging import found

RULE = "enforcement-gap"
AT_BOUNDARY = {
    "authz_reason": "ok",
    "authz_decision": "allow",
    "authz_position": "boundary",
    "authz_mode": "observe",
}


def _call(trace: int, deployment: str | None = None, **callee: Any) -> list[S]:
    return [
        span("billing", CLIENT, 1, trace=trace, at_ms=trace * 1000),
        span("ledger-api", SERVER, 2, 1, trace=trace, at_ms=trace * 1000, deployment=deployment, **callee),
    ]


def test_flags_calls_without_a_verdict_beside_those_that_have_one(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(
        shop, RULE, *_call(1, **AT_BOUNDARY), *_call(2, url_path="/metrics"), *_call(3, **AT_BOUNDARY)
    )

    assert (row["callee"], row["count"], row["severity"]) == ("ledger", 1, "medium")
    assert row["message"].startswith(
        "1 calls reached ledger without a verdict (as /metrics), beside 2 that have"
    )


@pytest.mark.parametrize(
    ("more", "severity"), [({"authz_mode": "enforce"}, "high"), ({"authz_mode": "observe"}, "medium")]
)
def test_flags_a_guard_behind_other_middleware(
    shop: duckdb.DuckDBPyConnection, more: dict[str, str], severity: str
) -> None:
    inner = AT_BOUNDARY | {"authz_position": "inner", "authz_headers_mutated": "true"} | more

    (row,) = found(shop, RULE, *_call(1, **inner))

    assert row["severity"] == severity
    assert "position inner, headers_mutated" in row["message"]
    assert row["fix"] == "put the guard outermost."


def test_flags_a_guard_of_whose_place_nothing_is_known(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(shop, RULE, *_call(1, **AT_BOUNDARY | {"authz_position": "unknown"}))

    assert "position unknown" in row["message"]
    assert "serve_guarded" in row["fix"]


@pytest.mark.parametrize("position", ["boundary", "outermost", "proxy"])
def test_passes_a_guard_that_stands_first(shop: duckdb.DuckDBPyConnection, position: str) -> None:
    assert not found(shop, RULE, *_call(1, **AT_BOUNDARY | {"authz_position": position}))


def test_passes_a_service_without_a_guard(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_call(1), *_call(2))


def test_trap_a_call_before_the_first_verdict_met_no_guard_yet(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_call(1), *_call(2, **AT_BOUNDARY), *_call(3, **AT_BOUNDARY))


def test_trap_another_deployment_may_have_no_guard(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(
        shop, RULE, *_call(1, "d2", **AT_BOUNDARY), *_call(2, "d1"), *_call(3, "d2", **AT_BOUNDARY)
    )


def test_trap_the_verdict_may_stand_on_the_proxys_span(shop: duckdb.DuckDBPyConnection) -> None:
    proxy = AT_BOUNDARY | {"authz_position": "proxy", "component": "proxy"}
    behind = [
        span("billing", CLIENT, 1, trace=2, at_ms=2000),
        span("ledger-api", SERVER, 2, 1, trace=2, at_ms=2000, **proxy),
        span("ledger-api", CLIENT, 3, 2, trace=2, at_ms=2000, component="proxy"),
        span("ledger-api", SERVER, 4, 3, trace=2, at_ms=2000),
    ]

    assert not found(shop, RULE, *_call(1, **AT_BOUNDARY), *behind, *_call(3, **AT_BOUNDARY))


def test_trap_a_checker_asks_for_health_past_the_guard(shop: duckdb.DuckDBPyConnection) -> None:
    check = span("ledger-api", SERVER, 2, trace=2, at_ms=2000, url_path="/healthz")

    assert not found(shop, RULE, *_call(1, **AT_BOUNDARY), check, *_call(3, **AT_BOUNDARY))
