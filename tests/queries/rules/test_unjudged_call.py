"""unjudged-call: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from drawing import CLIENT, SERVER, S, span
from judging import found

from bindtrace.propagation.vocabulary import PROXY_REASONS, REASONS
from bindtrace.queries.catalog import run_report
from bindtrace.queries.query import Query

RULE = "unjudged-call"
BILLING = "spiffe://shop.example/project/p1/env/prod/service/billing/deployment/d7"
DENYING = [reason for kind, reasons in REASONS.items() if kind != "allowed" for reason in reasons]


def _call(reason: str, decision: str = "deny", trace: int = 1, **more: Any) -> list[S]:
    said = {"authz_reason": reason, "authz_decision": decision, "authz_position": "boundary", **more}
    return [
        span("billing", CLIENT, 1, trace=trace, at_ms=trace * 10),
        span("ledger-api", SERVER, 2, 1, trace=trace, at_ms=trace * 10, **said),
    ]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("bundle_unavailable", "reaches its authority"),
        ("policy_unavailable", "reaches its authority"),
        ("internal_error", "event=guard_fault"),
        ("pop_cache_saturated", "who sends so many proofs"),
    ],
)
def test_flags_what_a_guard_refused_for_a_reason_of_its_own(
    shop: duckdb.DuckDBPyConnection, reason: str, words: str
) -> None:
    (row,) = found(shop, RULE, *_call(reason))

    assert (row["callee"], row["severity"]) == ("ledger", "medium")
    assert f"could not judge 1 call ({reason}), which it refused" in row["message"]
    assert words in row["fix"]


def test_flags_a_guard_that_only_observes_too(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(shop, RULE, *_call("bundle_stale", "allow"))

    assert "passed, as it only observes" in row["message"]


def test_passes_calls_that_were_judged(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_call("ok", "allow"))


def test_trap_what_failed_open_has_a_rule_of_its_own(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_call("bundle_unavailable", "allow", authz_failure_mode="open"))


@pytest.mark.slow
def test_every_reason_that_denies_is_a_finding_that_says_it(shop: duckdb.DuckDBPyConnection) -> None:
    reasons = [*DENYING, *PROXY_REASONS]
    verified = {"verified_caller": BILLING, "peer_id": BILLING}
    # a callee each, so that none hides behind another
    calls = [
        span(f"s{place}", SERVER, 1, trace=place, authz_reason=reason, authz_decision="deny", authz_position="boundary",
             **(verified if reason in REASONS["grant"] else {}))
        for place, reason in enumerate(reasons, 1)
    ]  # fmt: skip
    silent = {"credential_missing"}  # of a stranger: nobody's credential is missing

    found(shop, RULE, *calls)
    said: dict[str, str] = {}
    for row in run_report(shop, "findings", Query(settled=True)):
        said[row["callee"]] = said.get(row["callee"], "") + row["message"]

    words = {"peer_cert_missing": "client certificate", "pop_missing": "proof token", "pop_replayed": "had used",
             "handshake_failed": "TLS 1.3"}  # fmt: skip
    for place, reason in enumerate(reasons, 1):
        assert reason in silent or words.get(reason, reason) in said.get(f"s{place}", ""), reason
