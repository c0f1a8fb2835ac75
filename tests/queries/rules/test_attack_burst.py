"""attack-burst: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
from drawing import SERVER, S, span
from judging import found

RULE = "attack-burst"


def _refused(calls: int, reason: str, *, apart_ms: float = 1000.0) -> Iterator[S]:
    for number in range(calls):
        yield span("ledger-api", SERVER, 1, trace=number + 1, at_ms=number * apart_ms, authz_reason=reason)


def test_flags_many_bad_credentials_within_minutes(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(shop, RULE, *_refused(25, "expired"))

    assert (row["callee"], row["count"], row["severity"]) == ("ledger", 25, "medium")
    assert "25 calls to ledger showed bad credentials (expired)" in row["message"]


def test_flags_forged_ones_as_worse(shop: duckdb.DuckDBPyConnection) -> None:
    assert [row["severity"] for row in found(shop, RULE, *_refused(25, "signature_invalid"))] == ["high"]


def test_passes_a_few(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_refused(19, "signature_invalid"))


def test_trap_as_many_over_a_day_are_no_burst(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_refused(25, "expired", apart_ms=3_600_000.0))


def test_trap_callers_that_have_no_credential_yet_attack_nobody(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_refused(25, "credential_missing"))
