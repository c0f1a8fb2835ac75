"""A call's place in its chain: clocks corrected, the critical path, the origin of an error."""

from __future__ import annotations

import duckdb
from drawing import CLIENT, NOON, SERVER, draw, span
from folding import told

Con = duckdb.DuckDBPyConnection


def test_a_clock_that_is_off_is_corrected_for_the_order_and_never_in_the_received_times(con: Con) -> None:
    draw(
        con,
        span("web", SERVER, 1, ms=100, resource={"host.name": "a"}),
        span("web", CLIENT, 2, 1, at_ms=10, ms=80, resource={"host.name": "a"}),
        span("api", SERVER, 3, 2, at_ms=-500, ms=60, resource={"host.name": "b"}),
        span("api", CLIENT, 4, 3, at_ms=-490, ms=20, server_host="db.internal", resource={"host.name": "b"}),
    )
    second = 1_000_000

    rows = told(
        con,
        "callee",
        "start_time_unix_nano",
        "skew_nano",
        "network_nano",
        "corrected_start_unix_nano",
        "marks",
    )

    assert rows == [
        ("api", NOON + 10 * second, -520 * second, 20 * second, NOON + 10 * second, ["clock-skew"]),
        ("db.internal", NOON - 490 * second, 0, None, NOON + 30 * second, []),
        ("web", NOON, 0, None, NOON, []),
    ]


def test_the_critical_path_is_what_the_chain_waited_for(con: Con) -> None:
    draw(
        con,
        span("web", SERVER, 1, ms=100),
        span("web", CLIENT, 2, 1, at_ms=10, ms=30), span("a", SERVER, 3, 2, at_ms=11, ms=28),
        span("web", CLIENT, 4, 1, at_ms=15, ms=10), span("b", SERVER, 5, 4, at_ms=16, ms=8),
        span("web", CLIENT, 6, 1, at_ms=50, ms=40), span("c", SERVER, 7, 6, at_ms=51, ms=38),
    )  # fmt: skip

    assert told(con, "callee", "critical", "critical_nano // 1000000") == [
        ("a", True, 30),
        ("b", False, 0),
        ("c", True, 40),
        ("web", True, 30),
    ]


def test_the_origin_of_an_error_is_the_deepest_call_that_failed(con: Con) -> None:
    draw(
        con,
        span("web", SERVER, 1, error=True),
        span("web", CLIENT, 2, 1, error=True), span("api", SERVER, 3, 2, error=True),
        span("api", CLIENT, 4, 3, error=True), span("db", SERVER, 5, 4, error=True),
        span("api", CLIENT, 6, 3), span("cache", SERVER, 7, 6),
    )  # fmt: skip

    assert told(con, "callee", "error_origin") == [
        ("api", False),
        ("cache", False),
        ("db", True),
        ("web", False),
    ]
