"""caller-mismatch: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

import duckdb
from drawing import CLIENT, NOON, SERVER, span
from judging import found

RULE = "caller-mismatch"


def test_flags_a_caller_that_claims_to_be_another_service(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(
        shop, RULE, span("billing", CLIENT, 1), span("ledger-api", SERVER, 2, 1, claimed_caller="orders")
    )

    assert (row["caller"], row["callee"], row["severity"], row["grade"]) == (
        "billing", "ledger", "high", "contradicted",
    )  # fmt: skip
    assert "claimed in Service-Binding to be orders" in row["message"]


def test_passes_a_caller_that_says_its_own_name(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(
        shop, RULE, span("billing", CLIENT, 1), span("ledger-api", SERVER, 2, 1, claimed_caller="billing")
    )


def test_trap_two_names_of_one_service_agree(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(
        shop, RULE, span("ledger-api", CLIENT, 1), span("billing", SERVER, 2, 1, claimed_caller="ledger")
    )


def test_trap_a_claim_that_is_no_known_service_contradicts_nobody(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(
        shop, RULE, span("billing", CLIENT, 1), span("ledger-api", SERVER, 2, 1, claimed_caller="10.0.0.7")
    )


def test_flags_a_token_of_another_service_and_says_whose(shop: duckdb.DuckDBPyConnection) -> None:
    token = {
        "verified_caller": "spiffe://shop/project/p/env/prod/service/orders/deployment/d",
        "authz_reason": "ok",
    }

    (row,) = found(shop, RULE, span("billing", CLIENT, 1), span("ledger-api", SERVER, 2, 1, **token))

    assert "its token is that of spiffe://shop/project/p/env/prod/service/orders" in row["message"]


def test_trap_a_credential_that_was_never_issued_is_another_rules(shop: duckdb.DuckDBPyConnection) -> None:
    shop.execute("insert into issued_credentials values ('bb', 'x', ?, 0, null, null)", [NOON + 1])
    token = {
        "verified_caller": "spiffe://shop/project/p/env/prod/service/billing/deployment/d",
        "authz_reason": "ok",
        "credential_sha256": "aa",
    }

    assert not found(shop, RULE, span("billing", CLIENT, 1), span("ledger-api", SERVER, 2, 1, **token))
