"""unauthenticated-call: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

import duckdb
import pytest
from drawing import CLIENT, SERVER, span
from judging import found, subjects

RULE = "unauthenticated-call"


@pytest.mark.parametrize(("decision", "severity"), [("allow", "medium"), ("deny", "high")])
def test_flags_a_service_of_ours_that_shows_no_credential(
    shop: duckdb.DuckDBPyConnection, decision: str, severity: str
) -> None:
    verdict = {"authz_reason": "credential_missing", "authz_decision": decision}

    rows = found(shop, RULE, span("billing", CLIENT, 1), span("ledger-api", SERVER, 2, 1, **verdict))

    assert subjects(rows) == [("billing", "ledger")]
    assert rows[0]["severity"] == severity


def test_passes_a_caller_that_shows_one(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(
        shop, RULE, span("billing", CLIENT, 1), span("ledger-api", SERVER, 2, 1, authz_reason="ok")
    )


def test_trap_a_browser_and_an_unknown_client_have_no_credential_to_show(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    browser = {"telemetry.sdk.language": "webjs"}

    assert not found(
        shop,
        RULE,
        span("web", CLIENT, 1, resource=browser),
        span("ledger-api", SERVER, 2, 1, authz_reason="credential_missing"),
        span("ledger-api", SERVER, 3, trace=2, authz_reason="credential_missing"),
    )
