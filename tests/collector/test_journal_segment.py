"""What a writer appended is read back once, in order, and kept until it is loaded."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from journaling import ALL, after, numbers, only_segment, request

from bindtrace.collector.journal import segment as segment_module
from bindtrace.collector.journal.reader import JournalReader
from bindtrace.collector.journal.segment import HEADER_SIZE, JournalError, JournalWriter, Position


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "traces.duckdb.journal"


@pytest.fixture
def writer(root: Path) -> Iterator[JournalWriter]:
    made = JournalWriter(root / uuid.uuid4().hex)
    yield made
    made.close()


def test_requests_are_read_in_the_order_they_were_appended(root: Path, writer: JournalWriter) -> None:
    writer.append([request(1), request(2)])
    position = writer.append([request(3)])

    batches = JournalReader(root).read({}, ALL)

    assert numbers(batches) == [1, 2, 3]
    assert batches[0].requests[2] == request(3)
    assert after(batches) == {position.segment_id: position.offset}


def test_reading_goes_on_where_the_position_says(root: Path, writer: JournalWriter) -> None:
    first = writer.append([request(1)])
    writer.append([request(2)])

    assert numbers(JournalReader(root).read({first.segment_id: first.offset}, ALL)) == [2]


def test_nothing_is_read_twice_and_an_absent_root_is_empty(
    root: Path, tmp_path: Path, writer: JournalWriter
) -> None:
    writer.append([request(1)])
    reader = JournalReader(root)

    assert reader.read(after(reader.read({}, ALL)), ALL) == []
    assert JournalReader(tmp_path / "nowhere").read({}, ALL) == []


def test_the_byte_limit_is_kept_and_a_larger_record_still_comes(root: Path, writer: JournalWriter) -> None:
    writer.append([request(1, 5000), request(2, 100_000), request(3, 100)])
    reader, positions, seen = JournalReader(root), dict[uuid.UUID, int](), list[list[int]]()

    while batches := reader.read(positions, 6000):
        seen.append(numbers(batches))
        positions |= after(batches)

    assert [item for group in seen for item in group] == [1, 2, 3]
    assert seen[0] == [1]


def test_the_span_limit_is_kept_exactly_and_over_segments(root: Path) -> None:
    first = JournalWriter(root / "first")
    first.append([request(number) for number in (1, 2, 3)])
    second = JournalWriter(root / "second")
    second.append([request(4), request(5)])
    reader, positions, seen = JournalReader(root), dict[uuid.UUID, int](), []

    while batches := reader.read(positions, ALL, 2):
        seen.append(numbers(batches))
        positions |= after(batches)

    assert seen == [[1, 2], [3, 4], [5]]
    first.close()
    second.close()


def test_a_request_of_more_spans_than_the_limit_still_comes(root: Path, writer: JournalWriter) -> None:
    writer.append([request(1)._replace(spans=1000), request(2)])

    assert numbers(JournalReader(root).read({}, ALL, 10)) == [1]


def test_the_byte_limit_holds_over_segments_and_nothing_newer_comes_before_older(root: Path) -> None:
    """What is left of the limit behind a cut record once took the whole next segment, before that record."""
    writer = JournalWriter(root / "r1", segment_bytes=10_000)
    for number in range(40):
        writer.append([request(number, 1000)])
    writer.close()
    reader, positions, seen, sizes = JournalReader(root), dict[uuid.UUID, int](), list[int](), list[int]()

    while batches := reader.read(positions, 3500):
        seen += numbers(batches)
        sizes.append(sum(batch.end - batch.start for batch in batches))
        positions |= after(batches)

    assert seen == list(range(40))
    assert max(sizes) <= 3500


def test_a_receiver_that_waits_for_its_tail_does_not_hold_up_another(root: Path) -> None:
    writers = [JournalWriter(root / name) for name in ("r1", "r2")]
    writers[0].append([request(1)])
    os.truncate(only_segment(root), HEADER_SIZE + 50)
    writers[1].append([request(2)])

    batches = JournalReader(root).read({}, ALL)

    assert numbers(batches) == [2]
    for writer in writers:
        writer.close()


def test_a_full_segment_is_followed_by_another_with_an_id_of_its_own(root: Path) -> None:
    writer = JournalWriter(root / "r1", segment_bytes=1000)

    positions = [writer.append([request(number)]) for number in range(30)]
    writer.close()

    assert len({position.segment_id for position in positions}) == len(list(root.glob("*/*.seg"))) > 2
    assert numbers(JournalReader(root).read({}, ALL)) == list(range(30))


def test_two_receivers_are_read_together(root: Path) -> None:
    writers = [JournalWriter(root / name) for name in ("r1", "r2")]
    for number, writer in enumerate(writers):
        writer.append([request(number)])

    assert sorted(numbers(JournalReader(root).read({}, ALL))) == [0, 1]
    for writer in writers:
        writer.close()


def test_a_directory_is_never_used_by_a_second_writer(root: Path) -> None:
    first = JournalWriter(root / "r1")
    first.append([request(1)])
    first.close()

    with pytest.raises(FileExistsError):
        JournalWriter(root / "r1")


def test_a_writer_that_wrote_nothing_leaves_nothing(root: Path) -> None:
    JournalWriter(root / "r1").close()

    assert list(root.iterdir()) == []


def test_only_final_segments_behind_their_position_are_discarded(root: Path) -> None:
    writer = JournalWriter(root / "r1", segment_bytes=200)
    positions = [writer.append([request(number, 300)]) for number in range(3)]
    reader = JournalReader(root)

    removed = reader.discard(
        {positions[0].segment_id: positions[0].offset, positions[2].segment_id: positions[2].offset}
    )

    assert removed == 1
    assert reader.segment_ids() == {positions[1].segment_id, positions[2].segment_id}
    writer.close()


def test_a_position_short_of_the_end_keeps_the_segment(root: Path) -> None:
    writer = JournalWriter(root / "r1")
    first = writer.append([request(1)])
    writer.append([request(2)])
    writer.close()

    assert JournalReader(root).discard({first.segment_id: first.offset}) == 0


def test_the_directory_of_a_dead_receiver_goes_with_its_last_segment(root: Path) -> None:
    writer = JournalWriter(root / "r1")
    living = JournalWriter(root / "r2")
    position = writer.append([request(1)])
    writer.close()

    JournalReader(root).discard({position.segment_id: position.offset})

    assert [path.name for path in root.iterdir()] == ["r2"]
    living.close()


def test_waiting_bytes_counts_what_lies_behind_the_positions(root: Path, writer: JournalWriter) -> None:
    first = writer.append([request(1)])
    second = writer.append([request(2)])
    reader = JournalReader(root)

    assert reader.waiting_bytes({first.segment_id: first.offset}) == second.offset - first.offset


def test_a_failed_sync_is_never_repeated_on_its_file(
    root: Path, writer: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed fsync the kernel drops the dirty pages and the next fsync succeeds without them."""
    first = writer.append([request(1)])
    synced: list[int] = []

    def fail(fd: int) -> None:
        synced.append(fd)
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(segment_module.os, "fdatasync", fail)
        with pytest.raises(JournalError, match="Input/output error"):
            writer.append([request(2)])
    third = writer.append([request(3)])

    assert len(synced) == 1
    assert third.segment_id != first.segment_id
    assert numbers(JournalReader(root).read({}, ALL))[::2] == [1, 3]


def test_a_failed_write_leaves_a_torn_tail_that_the_next_segment_makes_final(
    root: Path, writer: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.append([request(1)])
    real, calls = os.write, list[int]()

    def short_then_full(fd: int, data: bytes) -> int:
        calls.append(fd)
        if len(calls) == 1:
            return real(fd, data[:40])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(segment_module.os, "write", short_then_full)
        with pytest.raises(JournalError, match="No space left"):
            writer.append([request(2)])
    writer.append([request(3)])

    assert numbers(JournalReader(root).read({}, ALL)) == [1, 3]
    assert [entry["reason"] for entry in JournalReader(root).quarantine.entries()] == ["torn"]


def test_a_position_is_text_and_back() -> None:
    position = Position(uuid.uuid4(), 4096)

    assert Position.parse(str(position)) == position
    assert str(position) == f"{position.segment_id.hex}:4096"


@pytest.mark.parametrize(
    "text", ["", ":", "abc:1", "0" * 32, "0" * 32 + ":", "0" * 32 + ":-1", "g" * 32 + ":1"]
)
def test_other_text_is_not_a_position(text: str) -> None:
    with pytest.raises(ValueError):
        Position.parse(text)
