"""forged-telemetry: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest
from drawing import CLIENT, NOON, SERVER, S, span
from judging import found

from bindtrace.queries.catalog import run_report
from bindtrace.queries.query import Query

RULE = "forged-telemetry"
LEDGER = "spiffe://shop.example/project/p1/env/prod/service/ledger"
BILLING = "spiffe://shop.example/project/p1/env/prod/service/billing/deployment/d7"
CREDENTIAL, OTHER = "aa" * 16, "bb" * 16


def _issued(
    con: duckdb.DuckDBPyConnection,
    credential: str,
    at: int = NOON + 1,
    subject: str = BILLING,
    callee: str | None = None,
) -> None:
    con.execute(
        "insert into issued_credentials values (?, ?, ?, 0, null, ?)", [credential, subject, at, callee]
    )


def _call(**more: str) -> tuple[S, ...]:
    verdict = {"verified_caller": BILLING, "authz_reason": "ok", "credential_sha256": CREDENTIAL} | more
    return span("billing", CLIENT, 1), span("ledger-api", SERVER, 2, 1, **verdict)


def test_flags_a_credential_that_the_log_does_not_know(shop: duckdb.DuckDBPyConnection) -> None:
    _issued(shop, OTHER)

    (row,) = found(shop, RULE, *_call())

    assert (row["caller"], row["callee"], row["severity"], row["grade"]) == (
        "billing", "ledger", "high", "contradicted",
    )  # fmt: skip
    assert "untrusted since 2026-09-21 14:13:20 UTC" in row["fix"]


def test_flags_a_credential_that_another_was_issued(shop: duckdb.DuckDBPyConnection) -> None:
    """A callee has seen the hashes of good credentials, and could say of any caller that it showed one."""
    _issued(shop, CREDENTIAL, subject=BILLING.replace("billing", "orders"))
    _issued(shop, OTHER)

    (row,) = found(shop, RULE, *_call())

    assert row["message"].endswith(
        f"by the authority's log it was never issued to {BILLING.partition('/deployment')[0]}."
    )


def test_flags_a_credential_that_was_issued_for_another_callee(shop: duckdb.DuckDBPyConnection) -> None:
    """Who has seen the hash of a good token could say that it was shown to itself: no guard accepts it."""
    _issued(shop, CREDENTIAL, callee=LEDGER.replace("ledger", "orders"))

    (row,) = found(shop, RULE, *_call(target_id=LEDGER))

    assert (row["caller"], row["callee"], row["grade"]) == ("billing", "ledger", "contradicted")
    assert row["message"].endswith(
        f"it was issued to {BILLING.partition('/deployment')[0]} for {LEDGER.replace('ledger', 'orders')}."
    )
    assert not run_report(shop, "findings", Query(filters={"rule": "caller-mismatch"}))


@pytest.mark.parametrize(
    ("told", "seen"),
    [
        ([LEDGER], {"target_id": LEDGER}),
        ([LEDGER], {}),  # the guard does not say which service it is
        ([None], {"target_id": LEDGER}),  # the log does not say for whom
        (["spiffe://other/service/x", LEDGER], {"target_id": LEDGER}),  # one of two logs confirms it
        (
            ["spiffe://other/service/x"],
            {"target_id": LEDGER, "authz_reason": "callee_mismatch"},
        ),  # it was not accepted
    ],
)
def test_trap_a_credential_for_this_callee_or_nobody_knows_for_whom(
    shop: duckdb.DuckDBPyConnection, told: list[str | None], seen: dict[str, str]
) -> None:
    for callee in told:
        _issued(shop, CREDENTIAL, callee=callee)

    assert not found(shop, RULE, *_call(**seen))


def test_passes_a_credential_that_was_issued(shop: duckdb.DuckDBPyConnection) -> None:
    _issued(shop, CREDENTIAL)

    assert not found(shop, RULE, *_call())


def test_trap_no_log_and_a_log_that_ends_before_the_call(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_call())

    _issued(shop, OTHER, NOON - 1)
    assert not found(shop, RULE, *(replace(one, trace=2) for one in _call()))
