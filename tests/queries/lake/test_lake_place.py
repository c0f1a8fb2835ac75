"""Where a lake is, how it is named, and who may open it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from drawing import SERVER, draw, span
from sealed import Con, seal_all

from bindtrace.propagation.errors import Refusal
from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import join_lake, open_database, open_read_only, reader
from bindtrace.queries.lake.naming import Lake, lake_at
from bindtrace.queries.query import Query
from bindtrace.queries.source import FileSource


def test_a_stopped_collectors_file_is_read_with_its_lake(path: Path, con: Con) -> None:
    asked = Query(settled=True)
    own = reader(con)
    before = run_report(own, "chains", asked)
    own.close()
    seal_all(con)
    con.close()

    source = FileSource(path)
    assert source.rows("chains", asked) == before
    source.close()


def test_free_sql_sees_both_and_reaches_nothing_else(path: Path, con: Con, tmp_path: Path) -> None:
    seal_all(con)
    con.close()
    own = open_read_only(path)

    assert own.execute("select count(*) from spans").fetchall() == [(15,)]
    for statement in (
        f"attach '{tmp_path / 'other.duckdb'}' as other",
        f"copy spans to '{tmp_path / 'stolen.parquet'}'",
        "delete from lake.main.spans",
        "load httpfs",
    ):
        with pytest.raises(duckdb.Error):
            own.execute(statement)
    own.close()


def test_a_lake_that_is_gone_is_named_and_the_file_is_left_alone(path: Path, con: Con) -> None:
    seal_all(con)
    con.close()
    (path.parent / "shop.duckdb.lake" / "catalog.ducklake").write_bytes(b"no database")

    with pytest.raises(Refusal, match=r"cannot open the lake ducklake:.*catalog"):
        FileSource(path)
    assert path.exists()


def test_another_lake_is_refused_once_there_is_one(path: Path, con: Con) -> None:
    con.close()
    opened = open_database(path)

    with pytest.raises(Refusal, match=r"sealed into ducklake:.*names another"):
        join_lake(opened, lake_at(str(path.parent / "other"), None))
    opened.close()


@pytest.mark.parametrize(
    ("catalog", "data", "lake"),
    [
        ("/l/c.ducklake", None, Lake("ducklake:/l/c.ducklake", "/l/c.ducklake.data")),
        ("ducklake:/l/c", "/d", Lake("ducklake:/l/c", "/d")),
        ("ducklake:postgres:dbname=traces", "s3://b/p", Lake("ducklake:postgres:dbname=traces", "s3://b/p")),
    ],
)
def test_a_lake_is_named_by_its_catalog_and_its_data(catalog: str, data: str | None, lake: Lake) -> None:
    assert lake_at(catalog, data) == lake


def test_a_password_in_the_catalogs_name_is_refused() -> None:
    with pytest.raises(Refusal, match="PGPASSWORD"):
        lake_at("ducklake:postgres:dbname=x password=hunter2", "/d")
    with pytest.raises(Refusal, match="no place"):
        lake_at("ducklake:postgres:dbname=x", None)


def test_a_column_that_is_new_is_added_to_an_older_lake(path: Path, con: Con) -> None:
    seal_all(con)
    con.execute("alter table bindtrace.main.hops add column colour varchar")
    con.close()
    opened = open_database(path)
    join_lake(opened)

    draw(opened, span("late", SERVER, 99, trace=77))
    analyse(opened)
    opened.execute("update hops set colour = 'red'")
    seal_all(opened)

    own = reader(opened)
    assert own.execute("select colour, count(*) from hops group by 1 order by 2").fetchall()[0] == ("red", 1)
    own.close()
    opened.close()
