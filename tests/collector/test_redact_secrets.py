"""T27: no credential that a sender puts into telemetry is in the journal, the database or an answer."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from google.protobuf import json_format
from leaking import forms, leaks, planted
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bindtrace.collector.journal.segment import JournalWriter
from bindtrace.collector.receive import http_server
from bindtrace.collector.receive.accounting import write
from bindtrace.collector.receive.budget import Budget
from bindtrace.collector.receive.group import GroupCommit
from bindtrace.collector.receive.intake import Intake
from bindtrace.collector.receive.room import Room
from bindtrace.collector.store.loader import Loader
from bindtrace.queries.database import open_database

SEED = 27


def bodies(request: ExportTraceServiceRequest) -> Iterator[tuple[dict[str, str], bytes]]:
    body = request.SerializeToString()
    yield {"content-type": "application/x-protobuf"}, body
    # JSON with every letter escaped that may be: a scan of the received bytes would find nothing.
    text = (
        json_format.MessageToJson(request, indent=None)
        .replace("eyJ", "\\u0065yJ")
        .replace("word", "w\\u006frd")
    )
    yield {"content-type": "application/json"}, text.encode()
    yield {"content-type": "application/x-protobuf", "content-encoding": "gzip"}, gzip.compress(body)


async def send_all(db: Path) -> list[str]:
    """Sends every kind at every place in every encoding; what was answered otherwise than 200."""
    journal = db.with_name(f"{db.name}.journal")
    writer = JournalWriter(journal / "r1")
    group = GroupCommit(writer)
    intake = Intake(group, Room(journal, reserve_bytes=0), Budget())
    transport = httpx.ASGITransport(http_server.build(intake))  # type: ignore[arg-type]
    wrong = []
    number = 0
    async with httpx.AsyncClient(transport=transport, base_url="http://collector") as client:
        for leak in leaks(SEED):
            for place, request in planted(leak.text, b"\x09" * 8):
                for headers, body in bodies(request):
                    number += 1
                    answer = await client.post("/v1/traces", content=body, headers=headers)
                    if answer.status_code != 200 or leak.secret.encode() in answer.content:
                        wrong.append(f"{leak.kind} at {place}: {answer.status_code}")
    await write(intake.accounting, group)
    await group.close()
    writer.close()
    return wrong


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes, Path]:
    """Bytes of the journal, and then of the database with what it writes beside it."""
    db = tmp_path_factory.mktemp("secrets") / "traces.duckdb"
    open_database(db).close()
    assert asyncio.run(send_all(db)) == []
    journal = b"".join(path.read_bytes() for path in db.parent.rglob("*.seg"))
    con = open_database(db)
    loader = Loader(con, db.with_name(f"{db.name}.journal"))
    while loader.step():
        pass
    loader.checkpoint()
    con.close()
    return (
        journal,
        b"".join(path.read_bytes() for path in db.parent.rglob("traces.duckdb*") if path.is_file()),
        db,
    )


@pytest.mark.parametrize("leak", leaks(SEED), ids=lambda leak: leak.kind)
def test_a_credential_is_nowhere_in_the_journal_and_the_database(leak, stored) -> None:  # type: ignore[no-untyped-def]
    journal, database, _ = stored

    assert [form for form in forms(leak.secret) if form in journal or form in database] == []


def test_what_was_taken_out_is_counted_by_key_and_kind(stored: tuple[bytes, bytes, Path]) -> None:
    con = open_database(stored[2])

    rows = dict(
        con.execute("select reason, sum(spans) from senders where what = 'redacted' group by all").fetchall()
    )
    con.close()

    assert rows["github in note"] >= 9
    assert sum(rows.values()) >= 45 * 11 * 3


def test_the_spans_are_all_there_and_say_what_stood_there(stored: tuple[bytes, bytes, Path]) -> None:
    con = open_database(stored[2])

    # Each request has other bytes; protobuf and gzip of the same are one.
    spans, redacted = con.execute(
        "select count(*), count(*) filter (where name like '%[REDACTED:%') from spans"
    ).fetchone()
    con.close()

    assert spans >= 45 * 11
    assert redacted >= 45
