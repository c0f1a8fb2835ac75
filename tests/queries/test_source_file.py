"""A stopped collector's file as a source, and what is said where it cannot be read."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from answering import answering
from drawing import SERVER, draw, span
from drawn_shop import write_shop

from bindtrace.propagation.errors import Refusal
from bindtrace.queries.database import open_database, open_read_only
from bindtrace.queries.live_source import LiveSource
from bindtrace.queries.lock import acquire
from bindtrace.queries.query import Query
from bindtrace.queries.source import FileSource, open_source


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_shop(tmp_path / "shop.duckdb")


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    # Nobody answers here, whatever else this machine runs.
    monkeypatch.setattr("bindtrace.queries.source.DEFAULT_URL", "http://127.0.0.1:1")
    return folder


def test_rows_come_from_the_file(file: Path) -> None:
    source = open_source(file, None)
    try:
        assert {row["service"] for row in source.rows("services", Query())} >= {"storefront", "ledger"}
        assert source.describe() == str(file)
        assert source.option() == f"--db {file}"
    finally:
        source.close()


def test_spans_that_were_loaded_but_not_yet_judged_are_judged_first(file: Path) -> None:
    con = open_database(file)
    draw(con, span("late", SERVER, 99, trace=77))
    con.close()

    source = FileSource(file)
    try:
        assert source.rows("hops", Query(filters={"callee": "late"}))
    finally:
        source.close()


def _sqlite(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("create table t (a)")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("spans.json", lambda path: path.write_text('{"span": 1}\n')),
        ("rows.csv", lambda path: path.write_text("span,service\n1,shop\n")),
        ("rows.parquet", lambda path: duckdb.sql("select 1 as span").write_parquet(str(path))),
        ("lite.db", _sqlite),
    ],
)
def test_a_file_of_another_program_is_refused_and_left_as_it_is(
    tmp_path: Path, name: str, write: Callable[[Path], object]
) -> None:
    """DuckDB takes some for a database in memory, which would forget what is stored, or asks for an extension."""
    path = tmp_path / name
    write(path)
    before = path.read_bytes()

    for opens in (open_database, open_read_only, FileSource):
        with pytest.raises(Refusal, match=f"{name} is not a DuckDB file"):
            opens(path)

    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_a_missing_file_is_named_and_not_created(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"no database at .*absent\.duckdb.*bindtrace serve.*--db"):
        open_source(tmp_path / "absent.duckdb", None)

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello " * 5000)

    with pytest.raises(Refusal, match=r"notes\.txt is not a DuckDB file"):
        open_source(path, None)


def test_a_damaged_database_is_told_from_one_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "damaged.duckdb"
    open_database(path).close()
    path.write_bytes(path.read_bytes()[:20_000])

    with pytest.raises(Refusal, match=r"damaged\.duckdb is damaged.*bindtrace restore"):
        open_source(path, None)


def test_somebody_elses_database_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.duckdb"
    duckdb.connect(str(path)).execute("create table mine (a int)").close()

    with pytest.raises(Refusal, match="is a DuckDB file, but not bindtrace's"):
        open_source(path, None)


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="is not a file"):
        open_source(tmp_path, None)


def test_a_file_that_a_collector_holds_names_the_process_and_the_address(file: Path) -> None:
    lock = acquire(file)
    try:
        lock.publish({"api": "127.0.0.1:4400"})
        with pytest.raises(Refusal) as refused:
            open_source(file, None)
    finally:
        lock.release()

    assert str(refused.value) == (
        f"{file} is held by process {os.getpid()}. fix: ask it with --url http://127.0.0.1:4400, or stop it"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_one_may_only_read_is_read(file: Path) -> None:
    file.chmod(0o400)

    source = FileSource(file)
    try:
        assert source.rows("services", Query())
    finally:
        source.close()


def test_a_trace_id_is_found_in_any_case_and_a_malformed_one_is_refused(file: Path) -> None:
    source = FileSource(file)
    try:
        upper = source.rows("hops", Query(filters={"trace_id": "FEED0000000000000000000000000003"}))
        with pytest.raises(Refusal, match="`trace_id`: `nope` is not 32 hexadecimal digits"):
            source.rows("chain", Query(filters={"trace_id": "nope"}))
    finally:
        source.close()

    assert len(upper) == 2


def test_without_options_and_without_anything_here_one_is_told_how_to_begin(empty_folder: Path) -> None:
    with pytest.raises(
        Refusal, match=r"no collector answers at .* and there is no bindtrace\.duckdb.*bindtrace demo"
    ):
        open_source(None, None)


def test_without_options_the_file_of_this_folder_is_read(empty_folder: Path, file: Path) -> None:
    shutil.copy(file, empty_folder / "bindtrace.duckdb")

    source = open_source(None, None)
    try:
        assert (source.describe(), source.option()) == ("bindtrace.duckdb", "")
    finally:
        source.close()


def test_without_options_a_collector_that_holds_the_file_of_this_folder_is_asked(empty_folder: Path) -> None:
    lock = acquire(Path("bindtrace.duckdb"))
    try:
        lock.publish({"api": "127.0.0.1:4400"})
        source = open_source(None, None)
    finally:
        lock.release()

    assert isinstance(source, LiveSource)
    assert source.describe() == "http://127.0.0.1:4400"


def test_without_options_the_collector_at_the_usual_address_comes_first(
    empty_folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(file, empty_folder / "bindtrace.duckdb")
    with answering(file) as url:
        monkeypatch.setattr("bindtrace.queries.source.DEFAULT_URL", url)

        assert open_source(None, None).describe() == url
