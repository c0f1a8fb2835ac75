"""One's own SQL: read-only, this database only, and never against a running collector."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click.testing
import pytest
from drawn_shop import PUBLIC_ID, write_shop

from bindtrace.queries.lock import acquire
from bindtrace.queries.sql_command import json_ready, sql


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("sql") / "shop.duckdb")


def run(file: Path, query: str, *words: str, status: int = 0, input: str = "") -> click.testing.Result:
    result = click.testing.CliRunner().invoke(sql, [query, "--db", str(file), *words], input=input)
    assert result.exit_code == status, result.output
    return result


def rows(file: Path, query: str) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = json.loads(run(file, query, "-f", "json").stdout)
    return answer


def test_ids_are_hex_and_times_are_decimal_strings(file: Path) -> None:
    (row,) = rows(
        file,
        "select trace_id, caller_span_id, start_time_unix_nano, count(*) over () as n from hops "
        "where road = 'public'",
    )

    assert row == {
        "trace_id": PUBLIC_ID,
        "caller_span_id": f"{22:016x}",
        "start_time_unix_nano": "1790000002001000000",
        "n": 1,
    }


def test_every_kind_of_value_has_a_form(file: Path) -> None:
    (row,) = rows(
        file,
        "select 1.5::decimal(4, 2) as d, 'ab'::blob as b, date '2026-01-31' as day, [1, null] as l, "
        "{'a': 2::hugeint} as s, 'nan'::double as nan, 9007199254740993 as wide, "
        "interval 1 day as i, null as absent, true as t",
    )

    assert row == {
        "d": "1.50", "b": "6162", "day": "2026-01-31", "l": [1, None], "s": {"a": 2}, "nan": None,
        "wide": "9007199254740993", "i": "1 day, 0:00:00", "absent": None, "t": True,
    }  # fmt: skip


def test_columns_of_one_name_are_told_apart(file: Path) -> None:
    assert rows(file, "select 1 as a, 2 as a") == [{"a": 1, "a_2": 2}]


def test_the_statement_may_come_from_standard_input(file: Path) -> None:
    assert json.loads(run(file, "-", "-f", "json", input="select 7 as n").stdout) == [{"n": 7}]


def test_no_rows_keep_their_header(file: Path) -> None:
    assert run(file, "select 1 as a where false", "-f", "csv").stdout_bytes == b"a\r\n"
    assert run(file, "select 1 as a where false").stdout == "a\n"


def test_a_limit_is_said(file: Path) -> None:
    result = run(file, "select * from range(10)", "--limit", "3", "-f", "jsonl")

    assert len(result.stdout.splitlines()) == 3
    assert "cut after 3 rows" in result.stderr


@pytest.mark.parametrize(
    "query",
    [
        "delete from hops",
        "create table t (a int)",
        "copy hops to 'stolen.csv'",
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/hostname')",
        "attach 'other.duckdb'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "select * from nowhere",
        "selec 1",
        "",
        "-- nothing",
    ],
)
def test_anything_but_reading_this_database_is_refused_in_one_line(
    file: Path, query: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(file, query, status=2)

    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_running_collector_keeps_its_file_and_the_fix_is_named(file: Path) -> None:
    lock = acquire(file)
    try:
        lock.publish({"api": "127.0.0.1:4400"})
        said = run(file, "select 1", status=2).stderr
    finally:
        lock.release()

    assert "is held by process" in said
    assert "--url http://127.0.0.1:4400, or stop it" in said


def test_a_missing_file_is_not_created(tmp_path: Path) -> None:
    assert "no database at" in run(tmp_path / "absent.duckdb", "select 1", status=2).stderr
    assert list(tmp_path.iterdir()) == []


def test_a_value_of_an_unknown_kind_is_text() -> None:
    assert json_ready("x", complex(1, 2)) == "(1+2j)"
