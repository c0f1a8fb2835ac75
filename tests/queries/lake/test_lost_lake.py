"""A lake that was deleted or is an older copy is told of, never taken for an empty one, until a person gives it up."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from drawing import SERVER, draw, span
from sealed import Con, database, hot, rows, seal_all

from bindtrace.propagation.command import bindtrace
from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import join_lake, open_database, open_read_only
from bindtrace.queries.lake.loss import LakeLostError
from bindtrace.queries.lake.place import lake_of, remember
from bindtrace.queries.lake.refusals import LakeAwayError
from bindtrace.queries.lake.sealing import due, seal
from bindtrace.queries.query import Query
from bindtrace.queries.source import FileSource

FIRST, SECOND = 1_790_000_000_000_000_000, 1_790_000_060_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database whose one trace was sealed."""
    db = tmp_path / "shop.duckdb"
    con = database(db)
    _one_more(con, 1)
    _seal(con, FIRST)
    con.close()
    return db


def _one_more(con: Con, number: int) -> None:
    draw(con, span("shop", SERVER, number, trace=number))


def _seal(con: Con, at: int) -> None:
    analyse(con)
    upto = due(con, 2**62, 2**62, 2**62)
    assert upto is not None
    assert seal(con, upto, at).spans


def _lake(path: Path) -> Path:
    return path.with_name(f"{path.name}.lake")


def _opened(path: Path) -> None:
    con = open_database(path)
    try:
        join_lake(con)
    finally:
        con.close()


def _spans(path: Path) -> int:
    source = FileSource(path)
    try:
        return sum(row["spans"] for row in source.rows("services", Query()))
    finally:
        source.close()


READERS: list[Callable[[Path], object]] = [_opened, FileSource, open_read_only]


@pytest.mark.parametrize("opens", READERS)
def test_a_deleted_lake_is_told_of_and_no_empty_one_is_made(
    path: Path, opens: Callable[[Path], object]
) -> None:
    shutil.rmtree(_lake(path))

    with pytest.raises(
        LakeLostError, match="is gone, with what this database sealed until 2026-09-21"
    ) as told:
        opens(path)
    assert "forget-lake" in told.value.fix
    assert not _lake(path).exists()


@pytest.mark.slow
@pytest.mark.parametrize("opens", READERS)
def test_an_empty_lake_in_the_place_of_the_old_one_is_not_it(
    path: Path, opens: Callable[[Path], object]
) -> None:
    other = path.with_name("other.duckdb")
    database(other).close()
    shutil.rmtree(_lake(path))
    shutil.copytree(_lake(other), _lake(path))
    con = open_database(None)
    con.execute(
        f"attach '{_lake(path) / 'catalog.ducklake'}' as moved; "
        f"update moved.ducklake_metadata set value = '{_lake(path)}/data/' where key = 'data_path'; detach moved"
    )
    con.close()

    with pytest.raises(LakeLostError, match="is gone"):
        opens(path)


@pytest.mark.slow
def test_a_copy_of_before_the_last_seal_is_told_of(path: Path) -> None:
    shutil.copytree(_lake(path), path.with_name("old"))
    con = database(path)
    _one_more(con, 2)
    _seal(con, SECOND)
    con.close()
    shutil.move(_lake(path), path.with_name("new"))
    shutil.move(path.with_name("old"), _lake(path))

    with pytest.raises(
        LakeLostError, match=r"an older copy: it ends 2026-09-21 .* and this database sealed into it"
    ):
        FileSource(path)

    shutil.rmtree(_lake(path))
    shutil.move(path.with_name("new"), _lake(path))
    con = database(path)
    assert len(rows(con, "spans")) == 2
    con.close()


@pytest.mark.slow
def test_a_lake_that_is_put_back_is_whole_again(path: Path) -> None:
    shutil.move(_lake(path), path.with_name("away"))
    with pytest.raises(LakeLostError):
        FileSource(path)
    shutil.move(path.with_name("away"), _lake(path))

    assert _spans(path) == 1


def _filed(path: Path, number: int, at: int) -> Path:
    """One more trace, of so many spans that they are sealed into a file, which is returned."""
    con = database(path)
    spans = [span("shop", SERVER, one, trace=number) for one in range(1, 40)]
    draw(con, *spans)
    before = set(_lake(path).glob("data/main/spans/*.parquet"))
    _seal(con, at)
    con.close()
    (made,) = set(_lake(path).glob("data/main/spans/*.parquet")) - before
    return made


@pytest.mark.slow
@pytest.mark.parametrize("opens", READERS)
def test_a_lake_whose_files_are_gone_is_told_of_though_its_catalog_is_there(
    path: Path, opens: Callable[[Path], object]
) -> None:
    file = _filed(path, 2, SECOND)
    shutil.rmtree(_lake(path) / "data")

    with pytest.raises(LakeLostError, match=f"lacks its files: no {file}"):
        opens(path)


@pytest.mark.slow
def test_a_question_that_needs_a_lost_file_is_refused_and_only_force_gives_such_a_lake_up(path: Path) -> None:
    _filed(path, 2, SECOND)
    file = _filed(path, 3, SECOND + 1)
    file.unlink()

    with pytest.raises(LakeAwayError, match=f"cannot open the lake .*{file.name}") as told:
        _spans(path)
    assert "forget-lake --force" in told.value.fix
    refused = CliRunner().invoke(bindtrace, ["forget-lake", "--db", str(path)])
    assert (refused.exit_code, "is there: nothing is lost" in refused.output) == (2, True)

    ran = CliRunner().invoke(bindtrace, ["forget-lake", "--force", "--db", str(path)])
    assert ran.exit_code == 0, ran.output
    assert "move away what is left of the old one" in " ".join(ran.output.split())
    shutil.move(_lake(path), path.with_name("left"))
    con = database(path)
    draw(con, span("shop", SERVER, 1, trace=4))
    con.close()
    assert _spans(path) == 1


@pytest.mark.slow
def test_a_lake_that_does_not_answer_is_given_up_by_force_alone(path: Path) -> None:
    con = open_database(path)
    away = replace(lake_of(con), catalog="ducklake:postgres:dbname=traces host=127.0.0.1 port=1")
    remember(con, away)
    con.close()

    refused = CliRunner().invoke(bindtrace, ["forget-lake", "--db", str(path)])
    assert (refused.exit_code, "--force gives up what does not answer" in refused.output) == (2, True)

    assert CliRunner().invoke(bindtrace, ["forget-lake", "--force", "--db", str(path)]).exit_code == 0
    FileSource(path).close()


def test_where_nothing_was_sealed_an_empty_lake_is_the_same(tmp_path: Path) -> None:
    db = tmp_path / "shop.duckdb"
    con = database(db)
    _one_more(con, 1)
    con.close()
    shutil.rmtree(_lake(db))

    assert _spans(db) == 1


@pytest.mark.slow
def test_a_lake_that_is_given_up_stays_lost_in_what_is_told_and_another_may_begin(path: Path) -> None:
    con = database(path)
    _one_more(con, 2)
    analyse(con)
    con.close()
    shutil.rmtree(_lake(path))

    ran = CliRunner().invoke(bindtrace, ["forget-lake", "--db", str(path)])
    assert ran.exit_code == 0, ran.output
    assert "is lost" in ran.output
    gaps = json.loads(
        CliRunner().invoke(bindtrace, ["report", "gaps", "--db", str(path), "-f", "json"]).stdout
    )
    doctor = CliRunner().invoke(bindtrace, ["doctor", "--db", str(path)]).output

    assert [(gap["what"], gap["reason"], gap["until"]) for gap in gaps] == [("lost", "lake", str(FIRST))]
    assert "a lake was given up: what was sealed until 2026-09-21" in " ".join(doctor.split())
    assert _spans(path) == 1
    con = database(path)
    assert seal_all(con) == 1
    assert (hot(con), hot(con, "sealed_traces"), len(rows(con, "spans"))) == (0, 1, 1)
    assert run_report(con, "gaps", Query(since_unix_nano=FIRST)) == []
    con.close()


def test_a_lake_that_is_there_is_not_given_up(path: Path) -> None:
    ran = CliRunner().invoke(bindtrace, ["forget-lake", "--db", str(path)])

    assert (ran.exit_code, "is there: nothing is lost" in ran.output) == (2, True)
    assert _spans(path) == 1
