"""What `doctor` makes of what it is told: every question has its line, its evidence and its next step."""

from __future__ import annotations

from typing import Any

import pytest

from bindtrace.collector.diagnosis import FAIL, OK, WARN, Found, Line, diagnose

NOW = 1_800_000_000 * 10**9


def sender(service: str, kind: str, with_binding: int = 0) -> dict[str, Any]:
    return {"service": service, "sender": kind, "spans": 10, "with_binding": with_binding}


def healthy(**changes: Any) -> Found:
    service = {
        "service": "orders", "spans": 10, "with_binding": 4, "hops": 20, "orphans": 0, "lag_s": 0.2,
        "last_received": str(NOW - 10**9),
    }  # fmt: skip
    seen = {"service": "orders", "spans": 10, "exposure": "internal", "calls_in": 3, "calls_out": 4}
    found = Found(
        status={"pid": 1, "endpoints": {"grpc": "127.0.0.1:4317"}, "journal_waiting_bytes": 0, "spans": 10},
        health=[service | changes.pop("service", {})],
        instrumentation=[sender("orders", "python", 4)],
        crossings=[{"caller": "orders", "binding": "ORDERS_URL", "calls": 9, "unanswered": 1}],
        senders=[],
        services=[seen],
        grants=[{"caller": "orders", "callee": "orders", "binding": "ORDERS_URL"}],
        findings=[],
        issuers=[],
        gaps=[],
        quarantined=0,
        set_aside=[],
        now_unix_nano=NOW,
        where="http://127.0.0.1:4319",
        option="",
    )
    return found._replace(**changes)


def line_of(found: Found, question: str) -> Line:
    return next(line for line in diagnose(found) if line.question == question)


def test_all_is_well_where_all_is_well() -> None:
    assert {line.state for line in diagnose(healthy())} == {OK}


@pytest.mark.parametrize(
    ("found", "question", "state", "evidence"),
    [
        (healthy(health=[]), "are spans arriving", FAIL, "none is stored"),
        (healthy(status=None), "is a collector running", WARN, "no, this is the file"),
        (
            healthy(instrumentation=[sender("orders", "python")]),
            "do calls carry the binding header", WARN, "not from orders (Python)",
        ),
        (
            healthy(instrumentation=[sender("orders", "cloudflare")]),
            "do calls carry the binding header", OK, "not from orders (Cloudflare Workers)",
        ),
        (healthy(service={"orphans": 5}), "are parents missing", WARN, "5 of 20 calls name a parent"),
        (healthy(service={"lag_s": -7200.0}), "are the clocks right", WARN, "orders is 2 h ahead of our clock"),
        (healthy(service={"last_received": "1"}), "are spans arriving", WARN, "d ago"),
        (healthy(grants=[], services=[]), "does the manifest match the names seen", WARN, "no manifest"),
        (
            healthy(grants=[{"caller": "storefront", "callee": "orders", "binding": None}]),
            "does the manifest match the names seen", WARN, "declared and never seen: storefront",
        ),
        (
            healthy(services=[{"service": "stranger", "spans": 1, "exposure": "unknown", "calls_in": 1,
                               "calls_out": 0}]),
            "does the manifest match the names seen", WARN, "seen and not declared: stranger",
        ),
        (
            healthy(crossings=[{"caller": "orders", "binding": "ORDERS_URL", "calls": 9, "unanswered": 7}]),
            "does the trace context cross the bindings", WARN,
            "7 of 9 calls of orders by ORDERS_URL are not taken up by orders, which does send spans",
        ),
        (healthy(quarantined=3), "was anything damaged", FAIL, "3 entries are in quarantine"),
        (
            healthy(set_aside=[{"files": ["t.duckdb.wal"], "reason": "flipped", "lost_until_unix_nano": ""}]),
            "was anything damaged", WARN, "nothing is lost",
        ),
        (
            healthy(gaps=[{"what": "lost", "until": str(NOW)}]),
            "was anything damaged", WARN, "a lake was given up: what was sealed until",
        ),
        (
            healthy(status={"pid": 1, "endpoints": {"grpc": "0.0.0.0:4317"}}),
            "who can reach it", WARN, "grpc listens on 0.0.0.0:4317",
        ),
        (
            healthy(status={"pid": 1, "endpoints": {}, "failure": "FATAL Error: fsync failed!"}),
            "does storing work", FAIL, "fsync failed",
        ),
        (
            healthy(senders=[{"service": "orders", "protocol": "grpc", "rejected": {"bad id": 2}, "refused": {},
                              "redacted": 0, "quirks": {}}]),
            "is anything rejected", WARN, "orders (grpc): rejected 2 bad id",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(found: Found, question: str, state: str, evidence: str) -> None:
    line = line_of(found, question)

    assert line.state == state
    assert evidence in line.evidence


@pytest.mark.parametrize(
    ("found", "evidence"),
    [
        (healthy(crossings=[{"caller": "orders", "binding": "ORDERS_URL", "calls": 1, "unanswered": 0}]),
         "1 call by bindings"),
        (healthy(senders=[{"service": "orders", "protocol": "grpc", "rejected": {}, "refused": {}, "redacted": 1,
                           "quirks": {}}]),
         "orders (grpc): redacted 1 value"),
    ],
)  # fmt: skip
def test_one_is_counted_as_many_are(found: Found, evidence: str) -> None:
    assert evidence in [line.evidence for line in diagnose(found)]


def test_an_edge_that_is_folded_into_its_calls_is_neither_a_stranger_nor_without_a_header() -> None:
    plain = healthy()
    edge = {"service": "edge", "spans": 5, "exposure": "unknown", "calls_in": 0, "calls_out": 0}
    found = healthy(
        services=[*plain.services, edge], instrumentation=[*plain.instrumentation, sender("edge", "python")]
    )

    assert {line.state for line in diagnose(found)} == {OK}


def test_clocks_that_are_as_wrong_are_one_line() -> None:
    (row,) = healthy(service={"lag_s": 7300.0}).health
    lines = diagnose(
        healthy(health=[row, {**row, "service": "billing"}, {**row, "service": "ledger", "lag_s": -90.0}])
    )

    assert [line.evidence for line in lines if line.question == "are the clocks right"] == [
        "orders, billing are 2 h behind our clock",
        "ledger is 2 min ahead of our clock",
    ]


def test_what_to_do_next_is_a_command_that_finds_the_same_data() -> None:
    line = line_of(healthy(option="--db 'a b.duckdb'"), "what to do next")

    assert line.next_step == "`bindtrace chains --db 'a b.duckdb'`"


def test_a_locked_door_may_be_reached() -> None:
    status = {"pid": 1, "endpoints": {"grpc": "0.0.0.0:4317"}, "secured": ["grpc"]}

    assert "who can reach it" not in {line.question for line in diagnose(healthy(status=status))}


def test_every_warning_says_what_to_do() -> None:
    silent = [sender("orders", "python")]
    broken = healthy(
        status=None, instrumentation=silent, service={"orphans": 5, "lag_s": -7200.0}, quarantined=1
    )

    assert all(line.next_step for line in diagnose(broken) if line.state != OK)


AUTHORITY = {"service": "authority", "credentials": 12, "believed": "as anybody"}
NAMED = {**AUTHORITY, "believed": "yes"}
STRANGER = {"service": "billing", "credentials": 1, "believed": "no"}
LOCKED = {"pid": 1, "endpoints": {}, "journal_waiting_bytes": 0, "spans": 10, "secured": ["grpc", "http"]}


@pytest.mark.parametrize(
    ("found", "state", "evidence"),
    [
        (healthy(issuers=[AUTHORITY], status=LOCKED), OK, "12 credentials, told of by authority"),
        (healthy(issuers=[AUTHORITY]), WARN, "anybody who reaches the receivers could tell as much"),
        (
            healthy(issuers=[AUTHORITY, {**AUTHORITY, "service": "billing", "credentials": 1}], status=LOCKED),
            WARN, "13 credentials, told of by authority, billing",
        ),
        (healthy(issuers=[NAMED]), OK, "12 credentials, told of by authority"),
        (healthy(issuers=[STRANGER], status=LOCKED), WARN, "not what 1 credential, told of by billing"),
    ],
)  # fmt: skip
def test_the_issuance_log_is_as_good_as_who_may_send_it(found: Found, state: str, evidence: str) -> None:
    line = line_of(found, "can the issuance log be believed")

    assert (line.state, evidence in line.evidence) == (state, True)


def test_without_an_authority_nothing_is_asked_of_its_log() -> None:
    assert not [line for line in diagnose(healthy()) if "issuance log" in line.question]
