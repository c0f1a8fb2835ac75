"""rejected-credential: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

import duckdb
import pytest
from drawing import CLIENT, SERVER, S, span
from judging import found

RULE = "rejected-credential"


def _call(trace: int, reason: str, decision: str = "deny") -> list[S]:
    return [
        span("billing", CLIENT, 1, trace=trace, at_ms=trace * 10),
        span(
            "ledger-api",
            SERVER,
            2,
            1,
            trace=trace,
            at_ms=trace * 10,
            authz_reason=reason,
            authz_decision=decision,
        ),
    ]


@pytest.mark.parametrize(
    "reason", ["signature_invalid", "expired", "pop_audience_mismatch", "peer_id_mismatch"]
)
def test_flags_one_credential_that_a_guard_does_not_take(
    shop: duckdb.DuckDBPyConnection, reason: str
) -> None:
    (row,) = found(shop, RULE, *_call(1, reason))

    assert (row["caller"], row["callee"], row["severity"], row["count"]) == ("billing", "ledger", "medium", 1)
    assert f"({reason}), and was refused" in row["message"]


def test_says_all_reasons_and_that_a_guard_only_observed(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(shop, RULE, *_call(1, "expired", "allow"), *_call(2, "signature_invalid", "allow"))

    assert "(expired, signature_invalid), and the guard only observed" in row["message"]


def test_passes_what_a_guard_takes(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_call(1, "ok", "allow"))


@pytest.mark.parametrize("reason", ["credential_missing", "caller_not_bound", "pop_replayed", "pop_missing"])
def test_trap_what_another_rule_names_is_not_said_twice(shop: duckdb.DuckDBPyConnection, reason: str) -> None:
    assert not found(shop, RULE, *_call(1, reason))


def test_trap_many_within_minutes_are_a_burst(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(
        shop, RULE, *(one for trace in range(1, 26) for one in _call(trace, "signature_invalid"))
    )
