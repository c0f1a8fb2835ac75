"""Answers are held while the journal is too far ahead of storage, and only then."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from pathlib import Path

import pytest

from bindtrace.collector.journal import loaded
from bindtrace.collector.journal.loaded import Waiting
from bindtrace.collector.journal.record import Request
from bindtrace.collector.journal.segment import JournalWriter, Position
from bindtrace.collector.receive import pace as pace_module
from bindtrace.collector.receive.pace import Pace

AHEAD = 10_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "traces.duckdb.journal"


@pytest.fixture
def written(root: Path) -> Position:
    """Twice as much as may be ahead, of a writer that still lives."""
    writer = JournalWriter(root / uuid.uuid4().hex)
    request = Request("orders/sdk", "http", "protobuf", 1, bytes(16), 1, bytes(2 * AHEAD))
    return writer.append([request])


def held_s(root: Path, meanwhile: float = 0.0, positions: dict[uuid.UUID, int] | None = None) -> float:
    """How long one answer is held, where storage says its positions after `meanwhile` seconds."""

    async def run() -> float:
        began = time.monotonic()
        holding = asyncio.create_task(Pace(Waiting(root), AHEAD).hold())
        if positions is not None:
            await asyncio.sleep(meanwhile)
            loaded.tell(root, positions)
        await holding
        return time.monotonic() - began

    return asyncio.run(run())


def test_what_is_behind_the_said_positions_waits(root: Path, written: Position) -> None:
    assert Waiting(root)()[0] > 2 * AHEAD
    loaded.tell(root, {written.segment_id: written.offset - 100})
    assert Waiting(root)()[0] == 100


def test_an_answer_is_held_until_storage_has_come_near(root: Path, written: Position) -> None:
    loaded.tell(root, {})

    assert 0.2 <= held_s(root, 0.2, {written.segment_id: written.offset}) < 2.0


def test_an_answer_is_not_held_where_little_waits(root: Path, written: Position) -> None:
    loaded.tell(root, {written.segment_id: written.offset})

    assert held_s(root) < 0.2


def test_storage_that_stands_still_is_not_waited_for(root: Path, written: Position) -> None:
    loaded.tell(root, {})
    long_ago = time.time() - 2 * pace_module.STILL_S
    os.utime(root / loaded.FILE, (long_ago, long_ago))

    assert held_s(root) < 0.2


def test_storage_that_never_said_anything_is_not_waited_for(root: Path, written: Position) -> None:
    assert held_s(root) < 0.2


def test_no_answer_is_held_longer_than_a_sender_waits(
    root: Path, written: Position, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace_module, "HOLD_S", 0.3)
    loaded.tell(root, {})

    assert 0.3 <= held_s(root) < 2.0


def test_a_stopping_receiver_holds_nobody(root: Path, written: Position) -> None:
    loaded.tell(root, {})

    async def run() -> float:
        pace = Pace(Waiting(root), AHEAD)
        began = time.monotonic()
        holding = asyncio.create_task(pace.hold())
        await asyncio.sleep(0.05)
        pace.release()
        await holding
        await pace.hold()
        return time.monotonic() - began

    assert asyncio.run(run()) < 1.0
