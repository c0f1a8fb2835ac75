"""fail-open-used: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from typing import Any

import duckdb
from drawing import CLIENT, SERVER, S, span
from judging import found

RULE = "fail-open-used"


def _call(trace: int, decision: str, **verdict: Any) -> list[S]:
    said = {"authz_reason": "bundle_unavailable", "authz_decision": decision, **verdict}
    return [
        span("billing", CLIENT, 1, trace=trace, at_ms=trace * 60_000),
        span("ledger-api", SERVER, 2, 1, trace=trace, at_ms=trace * 60_000, **said),
    ]


def test_flags_calls_that_passed_unjudged(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(
        shop,
        RULE,
        *_call(1, "allow", authz_failure_mode="open"),
        *_call(5, "allow", authz_failure_mode="open"),
    )

    assert (row["callee"], row["severity"], row["count"]) == ("ledger", "high", 2)
    assert "the guard of ledger let 2 calls pass unjudged (bundle_unavailable)" in row["message"].lower()
    assert "the trust bundle of the authority" in row["fix"]


def test_passes_a_guard_that_fails_closed(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_call(1, "deny", authz_failure_mode="closed"))


def test_trap_a_call_that_was_refused_all_the_same_did_not_pass(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_call(1, "deny", authz_failure_mode="open"))
