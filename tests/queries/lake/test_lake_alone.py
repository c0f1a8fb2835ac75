"""A lake is read without any collector's file: same answers, and what is wrong is said."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from drawn_shop import GOOD_ID, write_shop
from sealed import database, seal_all

from bindtrace.propagation.command import bindtrace
from bindtrace.propagation.errors import Refusal
from bindtrace.queries import commands
from bindtrace.queries.database import join_lake, open_database
from bindtrace.queries.lake.naming import lake_at
from bindtrace.queries.lake.place import attach
from bindtrace.queries.lake.refusals import LakeAwayError
from bindtrace.queries.query import Query
from bindtrace.queries.source import FileSource, LakeSource, open_source

REPORTS = ("hops", "chains", "edges", "services", "grants", "findings")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_shop(tmp_path_factory.mktemp("lake") / "shop.duckdb")
    con = database(path)
    seal_all(con)
    con.close()
    return path.parent / "shop.duckdb.lake" / "catalog.ducklake"


def test_reports_are_those_of_the_file_with_its_lake(lake: Path) -> None:
    file = FileSource(lake.parent.parent / "shop.duckdb")
    wanted = {name: sorted(map(repr, file.rows(name, Query(settled=True)))) for name in REPORTS}
    file.close()

    alone = open_source(None, f"ducklake:{lake}")

    assert {name: sorted(map(repr, alone.rows(name, Query(settled=True)))) for name in REPORTS} == wanted
    assert all(wanted.values())
    assert alone.describe() == f"ducklake:{lake}"
    alone.close()


def test_a_command_reads_it(lake: Path) -> None:
    done = CliRunner().invoke(commands.chain, [GOOD_ID, "--lake", str(lake), "-f", "json"])

    assert done.exit_code == 0, done.output
    (tree,) = json.loads(done.stdout)
    assert (tree["callee"], len(tree["children"])) == ("storefront", 2)


def test_one_place_is_named(lake: Path) -> None:
    done = CliRunner().invoke(commands.hops, ["--lake", str(lake), "--db", "x.duckdb"])

    assert done.exit_code == 2
    assert "exclude each other" in done.stderr


@pytest.mark.parametrize(
    "words", [("chains",), ("policy", "readiness"), ("audit", "-o", "bundle")], ids=lambda words: words[0]
)
def test_named_before_a_verb_it_is_asked_by_that_verb(words: tuple[str, ...], tmp_path: Path) -> None:
    done = CliRunner().invoke(bindtrace, ["--lake", str(tmp_path / "absent"), *words])

    assert isinstance(done.exception, SystemExit)
    assert f"there is no lake at {tmp_path / 'absent'}" in done.stderr


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (("serve",), "`bindtrace serve --lake 'a b'` seals into it"),
        (("forget-lake",), "leave --lake out"),
        (("rules",), "leave --lake out"),
    ],
)
def test_named_before_a_verb_that_asks_none_it_is_refused(words: tuple[str, ...], fix: str) -> None:
    done = CliRunner().invoke(bindtrace, ["--lake", "a b", *words])

    assert done.exit_code == 2
    assert f"`{words[0]}` asks no lake" in done.stderr
    assert fix in done.stderr


@pytest.mark.parametrize("words", [("--lake", "x", "check", "f.json"), ("check", "f.json", "--lake", "x")])
def test_files_are_not_judged_while_a_lake_is_named(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(bindtrace, [*words])

    assert (done.exit_code, "but not both" in done.stderr) == (2, True)


@pytest.mark.parametrize("content", [b'{"span": 1}\n', b"SQLite format 3\x00" + bytes(84)])
def test_a_file_that_is_no_catalog_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "spans.json"
    path.write_bytes(content)

    with pytest.raises(Refusal, match=r"spans\.json: that file is not the catalog"):
        LakeSource(f"ducklake:{path}")
    with closing(open_database(None)) as con, pytest.raises(Refusal, match="is not the catalog"):
        join_lake(con, lake_at(str(path), None))

    assert path.read_bytes() == content


def test_a_catalog_that_cannot_be_read_is_a_lake_that_is_away(tmp_path: Path) -> None:
    """A collector takes spans all the same. Root may read everything but this one."""
    path = tmp_path / "catalog.ducklake"
    path.symlink_to("/proc/self/mem")

    with closing(open_database(None)) as con, pytest.raises(LakeAwayError, match="Input/output error"):
        attach(con, lake_at(str(path), None))


def test_a_lake_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"no lake at .*absent"):
        LakeSource(f"ducklake:{tmp_path / 'absent'}")
    assert list(tmp_path.iterdir()) == []
