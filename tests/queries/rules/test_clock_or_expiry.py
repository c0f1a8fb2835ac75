"""clock-or-expiry: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

import json
from collections.abc import Iterator

import duckdb
import pytest
from drawing import CLIENT, SERVER, S, span
from judging import found, subjects

RULE = "clock-or-expiry"


def _late(
    reason: str, key: str, offsets: list[float], caller: str = "billing", *, apart_ms: float = 1000.0, first: int = 1
) -> Iterator[S]:  # fmt: skip
    """Calls to the ledger that are refused for their time, with what the guard measured."""
    for number, offset in enumerate(offsets):
        trace, at_ms = first + number, number * apart_ms
        yield span(caller, CLIENT, 1, trace=trace, at_ms=at_ms)
        yield span(
            "ledger-api", SERVER, 2, 1, trace=trace, at_ms=at_ms, authz_reason=reason, authz_decision="deny",
            attributes=json.dumps({key: offset}),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "key", "offset", "words"),
    [
        ("pop_expired", "bindtrace.pop.age_s", 147, "clock of billing right (NTP): it is 147 s behind"),
        ("not_yet_valid", "bindtrace.credential.age_s", -47, "it is 47 s ahead"),
        ("peer_cert_not_yet_valid", "bindtrace.peer.cert_age_s", -90, "it is 90 s ahead"),
    ],
)
def test_flags_a_constant_distance_as_a_clock(
    shop: duckdb.DuckDBPyConnection, reason: str, key: str, offset: float, words: str
) -> None:
    (row,) = found(shop, RULE, *_late(reason, key, [offset] * 6))

    assert (row["caller"], row["callee"], row["count"], row["severity"]) == ("billing", "ledger", 6, "medium")
    assert words in row["fix"]
    assert "two clocks differ" in row["message"]


@pytest.mark.parametrize(
    ("reason", "key"),
    [
        ("expired", "bindtrace.credential.remaining_s"),
        ("peer_cert_expired", "bindtrace.peer.cert_remaining_s"),
    ],
)
def test_flags_a_distance_that_grows_as_a_renewal_that_stopped(
    shop: duckdb.DuckDBPyConnection, reason: str, key: str
) -> None:
    (row,) = found(shop, RULE, *_late(reason, key, [-31.0 - 20 * n for n in range(6)], apart_ms=20_000))

    assert "nothing renews them" in row["message"]
    assert "can it reach the authority" in row["fix"]


def test_flags_the_callees_own_clock_where_several_callers_are_wrong_there(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    calls = [
        one
        for place, caller in enumerate(("billing", "orders", "catalog"))
        for one in _late("pop_expired", "bindtrace.pop.age_s", [200.0] * 5, caller, first=1 + 10 * place)
    ]

    rows = found(shop, RULE, *calls)

    assert {row["fix"] for row in rows} == {"set the clock of ledger right (NTP)."}


def test_flags_without_what_the_guard_measured_too(shop: duckdb.DuckDBPyConnection) -> None:
    assert subjects(found(shop, RULE, *_late("expired", "other", [0.0] * 5))) == [("billing", "ledger")]


def test_passes_a_few(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_late("expired", "bindtrace.credential.remaining_s", [-31.0] * 4))


def test_trap_one_an_hour_is_no_cluster(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(
        shop, RULE, *_late("expired", "bindtrace.credential.remaining_s", [-31.0] * 6, apart_ms=3_600_000)
    )
