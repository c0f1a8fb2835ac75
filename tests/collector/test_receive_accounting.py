"""What receivers count of each sender reaches the table `senders`, once, whatever the names and however many."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from otlp_requests import as_request, one_span

from bindtrace.collector.journal.record import Request
from bindtrace.collector.journal.segment import JournalError, JournalWriter, Position
from bindtrace.collector.otlp.admit import Admitted
from bindtrace.collector.receive.accounting import Accounting, write
from bindtrace.collector.receive.budget import Budget
from bindtrace.collector.receive.group import GroupCommit
from bindtrace.collector.store.loader import Loader
from bindtrace.propagation.serving.timed import Caps
from bindtrace.queries.database import open_database

ODD = Admitted(
    b"",
    3,
    2,
    "…",
    "orders/js",
    "1.2",
    {"trace_id is all zero": 2},
    {"enum-name": 3},
    {("password", "password"): 1},
)


def counted(accounting: Accounting) -> dict[str, object]:
    (record,) = accounting.records()
    return json.loads(record.body)


def test_an_admitted_request_is_counted_with_all_that_was_odd() -> None:
    accounting = Accounting()

    accounting.admitted(ODD, "http", "the-token", {"chunked-body": 1})

    document = counted(accounting)
    assert document["sender"] == {
        "service": "orders",
        "sdk": "js",
        "version": "1.2",
        "protocol": "http",
        "identity": "the-token",
    }
    assert document["counts"] == {
        "requests": {"": 1},
        "accepted": {"": 3},
        "rejected": {"trace_id is all zero": 2},
        "redacted": {"password in password": 1},
        "quirks": {"enum-name": 3, "chunked-body": 1},
    }


def test_what_was_counted_is_given_once() -> None:
    accounting = Accounting()
    accounting.refused("busy", "grpc", "")

    assert counted(accounting)["counts"] == {"refused": {"busy": 1}}
    assert accounting.records() == []


def test_senders_and_reasons_are_bounded() -> None:
    accounting = Accounting()
    for number in range(3000):
        accounting.refused(f"cause-{number}", "http", "one")
        accounting.refused("busy", "http", f"sender-{number}")

    records = [json.loads(record.body) for record in accounting.records()]

    assert len(records) <= 1001
    assert max(len(record["counts"]["refused"]) for record in records) <= 201
    assert sum(sum(record["counts"]["refused"].values()) for record in records) == 6000


def test_what_the_journal_refuses_is_counted_the_next_time() -> None:
    class Broken:
        def append(self, requests: object) -> Position:
            raise JournalError("no")

    async def run() -> Accounting:
        accounting, group = Accounting(), GroupCommit(Broken())
        accounting.refused("busy", "http", "")
        await write(accounting, group)
        accounting.refused("busy", "http", "")
        await group.close()
        return accounting

    assert counted(asyncio.run(run()))["counts"] == {"refused": {"busy": 2}}


def stored(path: Path, records: list[Request]) -> list[tuple[object, ...]]:
    writer = JournalWriter(path / "journal" / "r1")
    writer.append(records)
    writer.close()
    con = open_database(None)
    loader = Loader(con, path / "journal")
    while loader.step():
        pass
    rows = con.execute(
        "select service, sdk, version, protocol, what, reason, spans from senders order by all"
    ).fetchall()
    spans = con.execute("select count(*) from spans").fetchone()
    con.close()
    return [*rows, *([spans] if spans else [])]


def test_a_record_beside_requests_is_in_the_table_and_not_among_the_spans(tmp_path: Path) -> None:
    accounting = Accounting()
    accounting.admitted(ODD, "http", "", {})

    rows = stored(tmp_path, [as_request(one_span()), *accounting.records()])

    assert ("orders", "js", "1.2", "http", "rejected", "trace_id is all zero", 2) in rows
    assert ("orders", "js", "1.2", "http", "redacted", "password in password", 1) in rows
    assert rows[-1] == (1,)


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"sender": 1}', b'{"sender": {}, "counts": {}}'])
def test_a_record_that_is_none_of_ours_stops_nothing(tmp_path: Path, body: bytes) -> None:
    odd = Request("s/sdk", "http", "accounting", 1, bytes(16), 0, body)

    assert stored(tmp_path, [odd, as_request(one_span())])[-1] == (1,)


def test_one_sender_holds_no_more_than_its_share_of_the_budget() -> None:
    budget = Budget(100, share=0.5)

    with budget.charge("a") as first, budget.charge("a") as second, budget.charge("b") as other:
        assert first.take(50)
        assert not second.take(1)
        assert other.take(50)
        assert not other.take(1)
    with budget.charge("a") as again:
        assert again.take(50)

    assert budget.used == 0


def test_connections_are_bounded_in_all_and_of_one_host() -> None:
    caps = Caps(total=3, per_host=2)

    entered = [caps.enter(host) for host in ("a", "a", "a")]
    caps.leave("a")

    assert entered == [True, True, False]
    assert caps.enter("b")
    assert not caps.enter("c")
