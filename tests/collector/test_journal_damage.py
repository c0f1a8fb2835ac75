"""Damage to a segment costs no more than what was damaged, and a short tail is waited for while its writer lives."""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from journaling import ALL, after, numbers, only_segment, request

from bindtrace.collector.journal.reader import Batch, JournalReader
from bindtrace.collector.journal.segment import HEADER_SIZE, JournalWriter


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "traces.duckdb.journal"


@pytest.fixture
def writer(root: Path) -> Iterator[JournalWriter]:
    made = JournalWriter(root / uuid.uuid4().hex)
    yield made
    made.close()


def test_a_short_tail_is_waited_for_while_its_writer_lives(root: Path, writer: JournalWriter) -> None:
    position = writer.append([request(1)])
    writer.append([request(2)])
    os.truncate(only_segment(root), position.offset + 50)

    batches = JournalReader(root).read({}, ALL)

    assert numbers(batches) == [1]
    assert batches[0].end == position.offset
    assert not (root / "quarantine").exists()


def test_a_short_tail_is_torn_once_its_writer_is_gone(root: Path, writer: JournalWriter) -> None:
    position = writer.append([request(1)])
    writer.append([request(2)])
    reader = JournalReader(root)
    os.truncate(only_segment(root), position.offset + 50)
    reader.read({}, ALL)
    writer.close()

    batches = reader.read({position.segment_id: position.offset}, ALL)

    assert batches == [Batch(position.segment_id, position.offset, position.offset + 50, ())]
    (entry,) = reader.quarantine.entries()
    assert (entry["reason"], entry["start"], entry["bytes"]) == ("torn", position.offset, 50)
    assert (root / "quarantine" / str(entry["file"])).stat().st_size == 50


def test_damage_that_is_read_again_is_one_entry(root: Path, writer: JournalWriter) -> None:
    """A crash before the position is stored reads the same damage again."""
    position = writer.append([request(1)])
    os.truncate(only_segment(root), position.offset - 5)
    writer.close()

    JournalReader(root).read({}, ALL)
    JournalReader(root).read({}, ALL)

    assert len(JournalReader(root).quarantine.entries()) == 1


@pytest.mark.parametrize("seed", range(4))
def test_a_flipped_bit_costs_its_own_record_only(root: Path, seed: int) -> None:
    writer = JournalWriter(root / "r1")
    ends = [writer.append([request(number)]).offset for number in range(8)]
    writer.close()
    path = only_segment(root)
    good = path.read_bytes()
    source = random.Random(seed)

    for offset in source.sample(range(HEADER_SIZE, len(good)), 60):
        flipped = bytearray(good)
        flipped[offset] ^= 1 << source.randrange(8)
        path.write_bytes(bytes(flipped))
        hit = next(number for number, end in enumerate(ends) if offset < end)

        batches = JournalReader(root).read({}, ALL)

        assert numbers(batches) == [number for number in range(8) if number != hit]
        assert batches[-1].end == len(good)
    assert {entry["reason"] for entry in JournalReader(root).quarantine.entries()} <= {"damaged", "torn"}


def test_damage_in_a_living_segment_is_passed_when_a_later_record_proves_it(
    root: Path, writer: JournalWriter
) -> None:
    first = writer.append([request(1)])
    path = only_segment(root)
    data = bytearray(path.read_bytes())
    data[-3] ^= 4
    path.write_bytes(bytes(data))
    reader = JournalReader(root)
    waiting = reader.read({}, ALL)
    writer.append([request(2)])

    batches = reader.read({}, ALL)

    assert waiting == []
    assert numbers(batches) == [2]
    (entry,) = reader.quarantine.entries()
    assert (entry["reason"], entry["start"], entry["end"]) == ("damaged", HEADER_SIZE, first.offset)


def test_a_damaged_header_loses_nothing(root: Path, writer: JournalWriter) -> None:
    writer.append([request(1)])
    path = only_segment(root)
    path.write_bytes(b"\xff" * HEADER_SIZE + path.read_bytes()[HEADER_SIZE:])

    assert numbers(JournalReader(root).read({}, ALL)) == [1]


def test_random_garbage_never_raises(root: Path) -> None:
    source = random.Random(3)
    for size in range(0, 400, 7):
        writer = JournalWriter(root / uuid.uuid4().hex)
        writer.append([request(size)])
        writer.close()
    for path in root.glob("*/*.seg"):
        path.write_bytes(source.randbytes(source.randrange(300)))

    batches = JournalReader(root).read({}, ALL)

    assert numbers(batches) == []
    assert JournalReader(root).read(after(batches), ALL) == []
