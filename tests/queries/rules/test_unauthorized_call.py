"""unauthorized-call: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from drawing import CLIENT, SERVER, S, span
from judging import found

RULE = "unauthorized-call"
STOREFRONT = "spiffe://shop.example/project/p1/env/prod/service/storefront/deployment/d7"


def _call(reason: str, decision: str, **callee: Any) -> tuple[S, ...]:
    verdict = {"authz_reason": reason, "authz_decision": decision, "verified_caller": STOREFRONT}
    return span("storefront", CLIENT, 1), span("ledger-api", SERVER, 2, 1, **(verdict | callee))


@pytest.mark.parametrize(
    ("decision", "severity", "words"),
    [("allow", "high", "the guard let it pass"), ("deny", "medium", "was refused")],
)
def test_flags_a_known_caller_without_a_grant(
    shop: duckdb.DuckDBPyConnection, decision: str, severity: str, words: str
) -> None:
    (row,) = found(shop, RULE, *_call("caller_not_bound", decision))

    assert (row["caller"], row["callee"], row["severity"], row["grade"]) == (
        "storefront", "ledger", severity, "verified",
    )  # fmt: skip
    assert f"(caller_not_bound), and {words}" in row["message"]


def test_passes_a_call_that_the_guard_allowed(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_call("ok", "allow"))


def test_trap_a_bad_credential_says_nothing_of_a_grant(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_call("signature_invalid", "deny", verified_caller=None))


def test_trap_what_only_a_manifest_does_not_declare_is_another_rules(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, span("storefront", CLIENT, 1), span("ledger-api", SERVER, 2, 1))
