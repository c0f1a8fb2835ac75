"""expired-exception: what it flags, what it lets pass, and how exceptions silence the other rules."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest
from drawing import CLIENT, SERVER, span
from judging import found
from shop_policy import settings, vercel

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.manifest import Accepted
from bindtrace.queries.policy import install_policy

HOUR = 3600 * 10**9


def _accept(con: duckdb.DuckDBPyConnection, until_unix_nano: int, callee: str | None = "ledger") -> None:
    accepted = Accepted(
        "undeclared-call", "storefront", callee, "release 12", until_unix_nano, "bindtrace.toml", 9
    )
    install_policy(con, [vercel(), replace(settings(), accepted=(accepted,))])


def test_flags_an_exception_that_has_ended(con: duckdb.DuckDBPyConnection) -> None:
    _accept(con, now_unix_nano() - HOUR)

    (row,) = found(con, "expired-exception")

    assert row["source"] == {"file": "bindtrace.toml", "line": 9}
    assert "undeclared-call (release 12)" in row["message"]


def test_passes_an_exception_that_still_holds(con: duckdb.DuckDBPyConnection) -> None:
    _accept(con, now_unix_nano() + HOUR)

    assert not found(con, "expired-exception")


@pytest.mark.parametrize(
    ("hours", "callee", "silenced"),
    [(1, "ledger", True), (1, None, True), (-1, "ledger", False), (1, "billing", False)],
)
def test_an_exception_silences_what_it_names_and_only_until_it_ends(
    con: duckdb.DuckDBPyConnection, hours: int, callee: str | None, silenced: bool
) -> None:
    _accept(con, now_unix_nano() + hours * HOUR, callee)

    (row,) = found(con, "undeclared-call", span("storefront", CLIENT, 1), span("ledger-api", SERVER, 2, 1))

    assert (row["silenced_until"] is not None) is silenced


def test_trap_an_exception_that_ends_within_the_hour_holds(con: duckdb.DuckDBPyConnection) -> None:
    _accept(con, now_unix_nano() + HOUR // 60)

    assert not found(con, "expired-exception")
