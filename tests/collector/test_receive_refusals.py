"""What passes by itself is refused so that a sender tries again: never dropped, never acknowledged."""

from __future__ import annotations

import asyncio
import os
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path

import grpc
import grpc.aio
import httpx
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from receiving import PROTOBUF, export

from bindtrace.collector.journal.record import Request
from bindtrace.collector.journal.segment import JournalError, JournalWriter, Position
from bindtrace.collector.ports import Address
from bindtrace.collector.receive import grpc_server, http_server
from bindtrace.collector.receive.budget import Budget
from bindtrace.collector.receive.group import GroupCommit
from bindtrace.collector.receive.intake import Intake
from bindtrace.collector.receive.room import Room


class BrokenDisk:
    """A writer whose disk fails."""

    def append(self, requests: Sequence[Request]) -> Position:
        raise JournalError("journal: Input/output error")


def body() -> bytes:
    return export(os.urandom(8)).SerializeToString()


async def post(intake: Intake, content: bytes) -> httpx.Response:
    transport = httpx.ASGITransport(http_server.build(intake))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://collector") as client:
        return await client.post("/v1/traces", content=content, headers=PROTOBUF)


def answer_of(writer: object, room: Room, budget: Budget) -> httpx.Response:
    async def run() -> httpx.Response:
        group = GroupCommit(writer)  # type: ignore[arg-type]
        try:
            return await post(Intake(group, room, budget), body())
        finally:
            await group.close()

    return asyncio.run(run())


@pytest.fixture
def writer(tmp_path: Path) -> JournalWriter:
    return JournalWriter(tmp_path / "journal" / "r1")


def plenty(tmp_path: Path) -> Room:
    return Room(tmp_path, reserve_bytes=0)


def test_a_journal_that_cannot_be_written_is_503_with_retry_after(tmp_path: Path) -> None:
    answer = answer_of(BrokenDisk(), plenty(tmp_path), Budget())

    status = Status.FromString(answer.content)
    info = RetryInfo()
    assert (answer.status_code, status.code) == (503, grpc.StatusCode.UNAVAILABLE.value[0])
    assert int(answer.headers["retry-after"]) <= 3
    assert status.details[0].Unpack(info)
    assert info.retry_delay.seconds <= 3
    assert "Input/output error" in status.message


def test_a_disk_that_is_nearly_full_is_503(tmp_path: Path, writer: JournalWriter) -> None:
    answer = answer_of(writer, Room(tmp_path, reserve_bytes=1 << 62), Budget())

    assert answer.status_code == 503
    assert "kept in reserve" in Status.FromString(answer.content).message


def test_a_journal_that_storage_does_not_empty_is_503(tmp_path: Path, writer: JournalWriter) -> None:
    room = Room(writer.directory.parent, journal_bytes=100, reserve_bytes=0)
    writer.append([Request("s", "http", "protobuf", 1, bytes(16), 1, bytes(200))])

    answer = answer_of(writer, room, Budget())

    assert answer.status_code == 503
    assert "not stored yet" in Status.FromString(answer.content).message


def test_a_full_budget_is_429_and_what_was_charged_is_given_back(
    tmp_path: Path, writer: JournalWriter
) -> None:
    budget = Budget(10)

    answer = answer_of(writer, plenty(tmp_path), budget)

    assert (answer.status_code, budget.used) == (429, 0)
    assert answer.headers["retry-after"] in ("1", "2", "3")


def test_an_answered_request_holds_nothing_of_the_budget(tmp_path: Path, writer: JournalWriter) -> None:
    budget = Budget()

    answer = answer_of(writer, plenty(tmp_path), budget)

    assert (answer.status_code, budget.used) == (200, 0)


def test_grpc_refuses_with_retry_info_in_both_trailers(tmp_path: Path) -> None:
    """Python's exporter reads `google.rpc.retryinfo-bin`, others the status details."""

    async def run() -> grpc.aio.AioRpcError:
        group = GroupCommit(BrokenDisk())
        server, port = await grpc_server.start(
            Intake(group, plenty(tmp_path), Budget()), Address("127.0.0.1", 0)
        )
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await channel.unary_unary(grpc_server.EXPORT)(body())
        await server.stop(0)
        await group.close()
        return error.value

    error = asyncio.run(run())

    trailers = dict(error.trailing_metadata())
    in_details = RetryInfo()
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert 1 <= RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"]).retry_delay.seconds <= 3
    assert Status.FromString(trailers["grpc-status-details-bin"]).details[0].Unpack(in_details)


class Recorder:
    """A writer that keeps its groups, and writes only when it may."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.may = threading.Event()

    def append(self, requests: Sequence[Request]) -> Position:
        self.may.wait(5)
        self.groups.append([item.received_unix_nano for item in requests])
        if any(item.spans == 0 for item in requests):
            raise JournalError("no")
        return Position(uuid.UUID(int=1), len(self.groups))


def numbered(number: int, spans: int = 1, size: int = 0) -> Request:
    return Request("s", "http", "protobuf", number, bytes(16), spans, bytes(size))


def test_requests_that_wait_together_are_one_group_in_their_order() -> None:
    writer = Recorder()

    async def run() -> list[Position]:
        group = GroupCommit(writer)
        first = asyncio.ensure_future(group.commit(numbered(0)))
        await asyncio.sleep(0.05)
        rest = [asyncio.ensure_future(group.commit(numbered(number))) for number in range(1, 50)]
        await asyncio.sleep(0.01)
        writer.may.set()
        positions = await asyncio.gather(first, *rest)
        await group.close()
        return positions

    positions = asyncio.run(run())

    assert writer.groups == [[0], list(range(1, 50))]
    assert [position.offset for position in positions] == [1] + [2] * 49


def test_a_group_is_bounded_in_bytes() -> None:
    writer = Recorder()
    writer.may.set()

    async def run() -> None:
        group = GroupCommit(writer)
        await asyncio.gather(*(group.commit(numbered(number, size=9 << 20)) for number in range(3)))
        await group.close()

    asyncio.run(run())

    assert writer.groups == [[0], [1], [2]]


def test_a_failed_group_refuses_all_of_it_and_the_next_is_written() -> None:
    writer = Recorder()
    writer.may.set()

    async def run() -> list[object]:
        group = GroupCommit(writer)
        failed = await asyncio.gather(
            *(group.commit(numbered(number, spans=0)) for number in range(3)), return_exceptions=True
        )
        after = await group.commit(numbered(9))
        await group.close()
        return [*failed, after]

    *failed, after = asyncio.run(run())

    assert [type(item) for item in failed] == [JournalError] * 3
    assert isinstance(after, Position)


def test_a_sender_that_goes_away_does_not_disturb_its_group() -> None:
    writer = Recorder()

    async def run() -> Position:
        group = GroupCommit(writer)
        gone = asyncio.ensure_future(group.commit(numbered(0)))
        kept = asyncio.ensure_future(group.commit(numbered(1)))
        await asyncio.sleep(0.01)
        gone.cancel()
        writer.may.set()
        position = await kept
        await group.close()
        return position

    assert asyncio.run(run()).offset == 1


def test_closing_writes_what_waits_and_refuses_what_comes_later() -> None:
    writer = Recorder()

    async def run() -> Position:
        group = GroupCommit(writer)
        waiting = asyncio.ensure_future(group.commit(numbered(0)))
        await asyncio.sleep(0)
        writer.may.set()
        await group.close()
        with pytest.raises(JournalError, match="stopping"):
            await group.commit(numbered(1))
        return await waiting

    assert asyncio.run(run()).offset == 1
