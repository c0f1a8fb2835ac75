"""Senders are refused before the disk or the journal is full, and taken again as soon as there is room."""

from __future__ import annotations

import shutil
from pathlib import Path

from small_disk import fill, small_disk

from bindtrace.collector.receive.room import CHECK_S, Room

MIB = 1 << 20


def test_a_full_journal_is_a_shortage_until_a_segment_goes(tmp_path: Path) -> None:
    room = Room(tmp_path, journal_bytes=MIB, reserve_bytes=0)
    folder = tmp_path / "receiver"
    folder.mkdir()
    segment = folder / "one.seg"
    segment.write_bytes(bytes(2 * MIB))

    assert room.shortage(0.0) == "the journal holds 2 MiB that are not stored yet"
    segment.unlink()
    assert room.shortage(CHECK_S) == ""


def test_quarantine_does_not_fill_the_journal(tmp_path: Path) -> None:
    (tmp_path / "quarantine").mkdir()
    (tmp_path / "quarantine" / "x.bin").write_bytes(bytes(2 * MIB))

    assert Room(tmp_path, journal_bytes=MIB, reserve_bytes=0).shortage(0.0) == ""


def test_the_reserve_is_kept_free(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free

    assert "are kept in reserve" in Room(tmp_path, reserve_bytes=free * 2).shortage(0.0)


def test_a_look_is_not_taken_too_often(tmp_path: Path) -> None:
    room = Room(tmp_path, journal_bytes=MIB, reserve_bytes=0)
    assert room.shortage(0.0) == ""
    (tmp_path / "receiver").mkdir()
    (tmp_path / "receiver" / "one.seg").write_bytes(bytes(2 * MIB))

    assert room.shortage(CHECK_S / 2) == ""
    assert room.shortage(CHECK_S) != ""


def test_a_small_disk_is_refused_before_it_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 16) as disk:
        room = Room(disk, reserve_bytes=4 * MIB)
        assert room.shortage(0.0) == ""
        fill(disk / "ballast", leave=2 * MIB)

        assert room.shortage(CHECK_S) == "the disk has 2 MiB left, 4 MiB are kept in reserve"
        (disk / "ballast").unlink()
        assert room.shortage(2 * CHECK_S) == ""
