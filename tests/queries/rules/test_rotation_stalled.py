"""rotation-stalled: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from drawing import CLIENT, SERVER, S, span
from judging import found

RULE = "rotation-stalled"
BILLING = "spiffe://shop.example/project/p1/env/prod/service/billing/deployment/d7"


def _calls(*ages: int, life: int = 900) -> Iterator[S]:
    """Calls of the billing with a credential of each age in seconds."""
    for number, age in enumerate(ages):
        yield span("billing", CLIENT, 1, trace=number + 1, at_ms=number * 1000)
        yield span(
            "ledger-api", SERVER, 2, 1, trace=number + 1, at_ms=number * 1000, authz_reason="ok",
            verified_caller=BILLING, credential_age_s=age, credential_remaining_s=life - age,
        )  # fmt: skip


def test_flags_credentials_past_two_thirds_of_their_life(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(shop, RULE, *_calls(10, 605, 606, 607))

    assert (row["caller"], row["callee"], row["count"], row["severity"]) == ("billing", "ledger", 3, "medium")
    assert "the last with 293 s left of 900 s" in row["message"]


def test_flags_them_as_worse_past_five_sixths(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(shop, RULE, *_calls(605, 606, 751))

    assert row["severity"] == "high"


@pytest.mark.parametrize("age", [0, 450, 495, 600])
def test_passes_credentials_that_are_renewed_at_half_of_their_life(
    shop: duckdb.DuckDBPyConnection, age: int
) -> None:
    assert not found(shop, RULE, *_calls(age, age, age, age))


def test_trap_two_calls_of_a_job_that_ends_are_no_stall(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_calls(800, 801))


def test_flags_a_guard_that_hears_nothing_of_its_authority(shop: duckdb.DuckDBPyConnection) -> None:
    calls = [
        span("billing", CLIENT, 1),
        span("ledger-api", SERVER, 2, 1, authz_reason="ok", verified_caller=BILLING, trust_late="true"),
    ]

    (row,) = found(shop, RULE, *calls)

    assert row["severity"] == "medium"
    assert "the guard of ledger has judged by trust" in row["message"]
    assert "whether ledger can reach the authority" in row["fix"]
