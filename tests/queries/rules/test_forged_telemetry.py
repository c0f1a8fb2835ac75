"""forged-telemetry: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from dataclasses import replace

import duckdb
from drawing import CLIENT, NOON, SERVER, S, span
from judging import found

RULE = "forged-telemetry"
BILLING = "spiffe://shop.example/project/p1/env/prod/service/billing/deployment/d7"
CREDENTIAL, OTHER = "aa" * 16, "bb" * 16


def _issued(
    con: duckdb.DuckDBPyConnection, credential: str, at: int = NOON + 1, subject: str = BILLING
) -> None:
    con.execute("insert into issued_credentials values (?, ?, ?, 0, null)", [credential, subject, at])


def _call() -> tuple[S, ...]:
    verdict = {"verified_caller": BILLING, "authz_reason": "ok", "credential_sha256": CREDENTIAL}
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


def test_passes_a_credential_that_was_issued(shop: duckdb.DuckDBPyConnection) -> None:
    _issued(shop, CREDENTIAL)

    assert not found(shop, RULE, *_call())


def test_trap_no_log_and_a_log_that_ends_before_the_call(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_call())

    _issued(shop, OTHER, NOON - 1)
    assert not found(shop, RULE, *(replace(one, trace=2) for one in _call()))
