"""credential-replay: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from typing import Any

import duckdb
from drawing import CLIENT, SERVER, S, span
from judging import found, subjects

RULE = "credential-replay"
PROOF = {"proof_sha256": "ab" * 16}


def _used(peer: str, *, trace: int = 1, at_ms: float = 0.0, method: str = "POST", **verdict: Any) -> list[S]:
    """Billing calls the ledger with this proof, from that address."""
    said = {"authz_reason": "ok", "authz_decision": "allow", **verdict}
    return [
        span("billing", CLIENT, 1, trace=trace, at_ms=at_ms),
        span("ledger-api", SERVER, 2, 1, trace=trace, at_ms=at_ms, client_address=peer, http_method=method,
             **PROOF, **said),
    ]  # fmt: skip


def _again(peer: str, *, at_ms: float, method: str = "POST", **verdict: Any) -> list[S]:
    said = {"authz_reason": "pop_replayed", "authz_decision": "deny", **verdict}
    return _used(peer, trace=2, at_ms=at_ms, method=method, **said)


def test_flags_a_proof_that_another_peer_shows_again(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(shop, RULE, *_used("10.0.0.7"), *_again("10.0.0.66", at_ms=12_000))

    assert (row["caller"], row["callee"], row["severity"], row["count"]) == ("billing", "ledger", "high", 1)
    assert "that 10.0.0.7 had used 12.0 s before, and was refused. Two peers" in row["message"]


def test_flags_the_same_peer_that_sends_it_again_by_a_method_that_nobody_retries(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    (row,) = found(shop, RULE, *_used("10.0.0.7"), *_again("10.0.0.7", at_ms=100))

    assert row["severity"] == "medium"


def test_flags_a_replay_that_a_binding_only_reports(shop: duckdb.DuckDBPyConnection) -> None:
    reported = {"authz_reason": "ok", "authz_decision": "allow", "authz_replayed": "true"}

    (row,) = found(shop, RULE, *_used("10.0.0.7"), *_again("10.0.0.66", at_ms=900, **reported))

    assert row["severity"] == "high"
    assert "let pass" in row["message"]


def test_flags_a_replay_whose_first_use_was_not_seen(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(shop, RULE, *_again("10.0.0.66", at_ms=0))

    assert (row["severity"], "somebody" in row["message"]) == ("medium", True)


def test_passes_proofs_that_are_used_once(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_used("10.0.0.7"))


def test_trap_a_proxy_that_retries_is_only_low(shop: duckdb.DuckDBPyConnection) -> None:
    rows = found(shop, RULE, *_used("10.0.0.7", method="GET"), *_again("10.0.0.7", at_ms=300, method="GET"))

    assert subjects(rows) == [("billing", "ledger")]
    assert rows[0]["severity"] == "low"
    assert "retries of the proxy" in rows[0]["fix"]
