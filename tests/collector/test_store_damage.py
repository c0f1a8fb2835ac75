"""A damaged log loses nothing; a damaged file is moved aside, replaced, and filled from the journal. Never a loop."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from damaging import (
    NAME,
    Damage,
    Left,
    cut_file,
    cut_log,
    empty_file,
    flip_file,
    flip_log,
    leave,
    no_file,
    no_log,
    start_after,
)

from bindtrace.collector.store.drain import drain
from bindtrace.collector.store.faults import Fault, fault_of, folder_of
from bindtrace.collector.store.opening import open_sound
from bindtrace.propagation.errors import Refusal


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    return leave(tmp_path_factory.mktemp("damage") / "left", spans=150)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("damage", [cut_log, flip_log, no_log])
def test_a_damaged_log_loses_nothing(left: Left, tmp_path: Path, damage: Damage, seed: int) -> None:
    what, started = start_after(left, tmp_path / "again", damage, seed)

    assert set(started.spans) == left.sealed | left.journaled, what
    assert set(started.spans.values()) == {1}, what


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("damage", [flip_file, cut_file])
def test_a_damaged_file_costs_at_most_what_the_journal_no_longer_has(
    left: Left, tmp_path: Path, damage: Damage, seed: int
) -> None:
    what, started = start_after(left, tmp_path / "again", damage, seed)

    assert left.journaled <= set(started.spans), what
    assert set(started.spans.values()) == {1}, what
    if left.sealed - set(started.spans):
        (entry,) = started.set_aside
        assert int(str(entry["lost_until_unix_nano"])) > 0, what


@pytest.mark.parametrize("damage", [no_file, empty_file])
def test_a_lost_file_is_reported_with_its_log_kept(left: Left, tmp_path: Path, damage: Damage) -> None:
    _, started = start_after(left, tmp_path / "again", damage, 0)

    (entry,) = started.set_aside
    folder = folder_of(tmp_path / "again" / NAME) / str(entry["folder"])
    assert (folder / f"{NAME}.wal").stat().st_size > 0
    assert set(started.spans) == left.journaled


def test_the_log_alone_is_moved_where_the_log_is_at_fault(left: Left, tmp_path: Path) -> None:
    _, started = start_after(left, tmp_path / "again", flip_log, 1)

    (entry,) = started.set_aside
    assert (entry["files"], entry["lost_until_unix_nano"]) == ([f"{NAME}.wal"], "")


def test_a_second_start_finds_it_sound(left: Left, tmp_path: Path) -> None:
    start_after(left, tmp_path / "again", empty_file, 0)
    db = tmp_path / "again" / NAME

    drain(db)

    open_sound(db, lambda con: con.close())
    assert len(list(folder_of(db).iterdir())) == 2  # the folder and the record


def test_a_file_that_is_not_ours_is_never_moved(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_bytes(random.Random(0).randbytes(20_000))

    with pytest.raises(Refusal, match="is not a DuckDB file"):
        open_sound(notes, lambda con: con.close())

    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("IO Error: Corrupt database file: computed checksum 1 does not match", Fault.DAMAGE),
        ("IO Error: Could not write all bytes to file: No space left on device", Fault.NO_ROOM),
        ("FatalException: FATAL Error: database has been invalidated", Fault.FATAL),
    ],
)
def test_a_fault_is_known_by_its_words(text: str, fault: Fault) -> None:
    assert fault_of(text) is fault


def test_two_threads_that_renew_one_credential_of_the_lake_are_no_fault_of_the_database() -> None:
    """DuckDB 1.5.5, while a key was replaced: the one that came second is told so, and does it again."""
    told = (
        "TransactionContext Error: Exception thrown while trying to refresh secret lake_data. "
        "Error: 'Catalog write-write conflict on alter with \"lake_data\"'"
    )

    assert fault_of(duckdb.TransactionException(told)) is Fault.LAKE
