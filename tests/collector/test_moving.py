"""Export, backup, restore and migrate: what goes out comes in again, and what is damaged is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from drawing import SERVER, draw, span
from drawn_shop import PUBLIC_ID, write_shop
from otlp_requests import one_span
from sealed import database, seal_all

from bindtrace.collector.import_command import import_files
from bindtrace.collector.moving.commands import backup, export, migrate, restore
from bindtrace.collector.moving.digests import held, tables
from bindtrace.collector.moving.migrating import CARRIED
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import SCHEMA_VERSION, join_lake, open_database
from bindtrace.queries.lake import place
from bindtrace.queries.lake.naming import Lake
from bindtrace.queries.lock import acquire
from bindtrace.queries.query import Query
from bindtrace.queries.source import FileSource


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_shop(tmp_path / "shop.duckdb")


def run(command: object, *words: str | Path) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])  # type: ignore[arg-type]


def hops(db: Path) -> list[dict[str, object]]:
    con = open_database(db)
    try:
        return run_report(con, "hops", Query())
    finally:
        con.close()


def spans(db: Path) -> list[tuple[object, ...]]:
    con = open_database(db)
    text = """
        select trace_id, span_id, parent_span_id, name, kind, start_time_unix_nano, attributes, events, links,
            resource_id
        from spans order by all
    """
    try:
        return con.execute(text).fetchall()
    finally:
        con.close()


def test_what_is_exported_as_otlp_is_imported_again_whole(tmp_path: Path, recorded: Path) -> None:
    done = run(export, "--db", recorded, "-o", tmp_path / "out.jsonl.gz")
    assert done.exit_code == 0, done.output

    again = run(import_files, "--db", tmp_path / "again.duckdb", tmp_path / "out.jsonl.gz")

    assert again.exit_code == 0, again.output
    assert spans(tmp_path / "again.duckdb") == spans(recorded)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A database that took its spans over OTLP."""
    file = tmp_path / "in.pb"
    file.write_bytes(one_span(7).SerializeToString())
    assert run(import_files, "--db", tmp_path / "recorded.duckdb", file).exit_code == 0
    return tmp_path / "recorded.duckdb"


def test_parquet_holds_the_window_and_what_its_spans_name(tmp_path: Path, shop: Path) -> None:
    done = run(
        export, "--db", shop, "-f", "parquet", "-o", tmp_path / "out", "--since", "2026-09-21T14:13:22Z"
    )

    assert done.exit_code == 0, done.output
    con = open_database(None)
    spans = con.execute(f"select distinct trace_id::varchar from '{tmp_path}/out/spans.parquet'").fetchall()
    assert [trace.replace("-", "") for (trace,) in spans] == [PUBLIC_ID]
    (resources,) = con.execute(f"select count(*) from '{tmp_path}/out/resources.parquet'").fetchone() or (0,)
    assert resources == 3
    con.close()


def test_a_backup_is_restored_and_verified_table_by_table(tmp_path: Path, shop: Path) -> None:
    assert run(backup, tmp_path / "kept", "--db", shop).exit_code == 0

    done = run(restore, tmp_path / "kept", "--db", tmp_path / "new.duckdb")

    assert done.exit_code == 0, done.output
    assert "verified" in done.output
    one, other = open_database(shop), open_database(tmp_path / "new.duckdb")
    assert {name: held(one, name) for name in tables(one)} == {
        name: held(other, name) for name in tables(other)
    }
    one.close()
    other.close()


@pytest.fixture
def sealed(shop: Path) -> Path:
    """Most of it is in its lake; one trace came later."""
    con = database(shop)
    seal_all(con)
    draw(con, span("late", SERVER, 99, trace=77))
    analyse(con)
    con.close()
    return shop


@pytest.mark.slow
def test_a_backup_has_the_lake_too_and_needs_the_old_one_no_more(tmp_path: Path, sealed: Path) -> None:
    before = whole(sealed)
    done = run(backup, tmp_path / "kept", "--db", sealed)
    assert done.exit_code == 0, done.output
    assert "and its lake" in done.output
    shutil.rmtree(sealed.with_name(f"{sealed.name}.lake"))

    done = run(restore, tmp_path / "kept", "--db", tmp_path / "new.duckdb")

    assert done.exit_code == 0, done.output
    assert "and its lake" in done.output
    assert whole(tmp_path / "new.duckdb") == before
    assert not sealed.with_name(f"{sealed.name}.lake").exists()
    con = open_database(tmp_path / "new.duckdb")
    join_lake(con)
    assert seal_all(con) == 1
    con.close()
    assert whole(tmp_path / "new.duckdb") == before


def whole(db: Path) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Hops and findings, of both."""
    source = FileSource(db)
    try:
        return tuple(sorted(source.rows(name, Query()), key=repr) for name in ("hops", "findings"))  # type: ignore[return-value]
    finally:
        source.close()


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_lake_in_a_backup_is_refused_and_leaves_nothing(
    tmp_path: Path, sealed: Path, damage: str
) -> None:
    run(backup, tmp_path / "kept", "--db", sealed)
    file = max((tmp_path / "kept" / "lake").rglob("spans/**/*.parquet"), key=lambda path: path.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.unlink()
    if damage == "changed":
        file.write_bytes(content)

    done = run(restore, tmp_path / "kept", "--db", tmp_path / "new.duckdb")

    assert done.exit_code == 2, done.output
    assert "use another backup" in done.output
    assert list(tmp_path.glob("new*")) == []


def test_a_lake_that_others_share_is_named_and_not_copied(tmp_path: Path, shop: Path) -> None:
    con = open_database(shop)
    place.remember(con, Lake("ducklake:postgres:dbname=traces host=db.internal", "s3://traces/lake"))
    con.close()

    kept = run(backup, tmp_path / "kept", "--db", shop)
    new = run(restore, tmp_path / "kept", "--db", tmp_path / "new.duckdb")

    assert (kept.exit_code, new.exit_code) == (0, 0)
    for said in (kept.output, new.output):
        assert "WARNING: what is sealed is not in it" in said
        assert "s3://traces/lake" in said
        assert "fix: " in said


def test_a_damaged_backup_is_refused_and_leaves_nothing(tmp_path: Path, shop: Path) -> None:
    run(backup, tmp_path / "kept", "--db", shop)
    data = tmp_path / "kept" / "bindtrace.duckdb"
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(bytes(content))

    done = run(restore, tmp_path / "kept", "--db", tmp_path / "new.duckdb")

    assert done.exit_code == 2
    assert "is not the file that was backed up" in done.output
    assert not list(tmp_path.glob("new.duckdb*"))


def test_a_list_that_does_not_fit_the_file_is_refused(tmp_path: Path, shop: Path) -> None:
    run(backup, tmp_path / "kept", "--db", shop)
    path = tmp_path / "kept" / "backup.json"
    listed = json.loads(path.read_text())
    listed["tables"]["spans"]["rows"] += 1
    path.write_text(json.dumps(listed))

    done = run(restore, tmp_path / "kept", "--db", tmp_path / "new.duckdb")

    assert done.exit_code == 2
    assert "table spans has" in done.output
    assert not list(tmp_path.glob("new.duckdb*"))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"tables": {}, "sha256": "", "schema_version": "99"}'])
def test_what_is_no_backup_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "backup.json").write_text(text)

    assert run(restore, tmp_path / "odd", "--db", tmp_path / "new.duckdb").exit_code == 2
    assert run(restore, tmp_path / "absent", "--db", tmp_path / "new.duckdb").exit_code == 2


def test_nothing_is_written_over(tmp_path: Path, shop: Path) -> None:
    run(backup, tmp_path / "kept", "--db", shop)

    assert "is there already" in run(backup, tmp_path / "kept", "--db", shop).output
    assert "is there already" in run(restore, tmp_path / "kept", "--db", shop).output
    assert "is there already" in run(export, "--db", shop, "-o", tmp_path / "kept").output


def test_an_export_can_be_piped_into_an_import(tmp_path: Path, recorded: Path) -> None:
    piped = CliRunner().invoke(export, ["--db", str(recorded), "-o", "-"])
    taken = CliRunner().invoke(import_files, ["-", "--db", str(tmp_path / "copy.duckdb")], input=piped.stdout)

    assert (piped.exit_code, taken.exit_code) == (0, 0), taken.output
    assert spans(tmp_path / "copy.duckdb") == spans(recorded)
    assert run(export, "--db", recorded, "-o", "-", "-f", "parquet").exit_code == 2


def test_a_database_that_a_collector_holds_is_left_alone(tmp_path: Path, shop: Path) -> None:
    lock = acquire(shop)
    try:
        for command in (backup, export, migrate):
            words = {backup: [tmp_path / "kept"], export: ["-o", tmp_path / "out"]}.get(command, [])
            done = run(command, *words, "--db", shop)
            assert done.exit_code == 2
            assert "is held by" in done.output
    finally:
        lock.release()


def older(shop: Path) -> None:
    """As a version before left it: columns and tables that came later are not there."""
    con = open_database(shop)
    con.execute("update meta set value = '1' where key = 'schema_version'")
    for column in ("edge_traceparent", "proof_sha256", "verified_caller"):
        con.execute(f"alter table spans drop column {column}")
    for table in tables(con):
        if table not in (*CARRIED, "meta", "hops", "traces", "analysis"):
            con.execute(f'drop table "{table}" cascade')
    con.close()


def test_an_older_file_is_brought_up_to_date_and_kept(tmp_path: Path, shop: Path) -> None:
    before = {str(row["trace_id"]) for row in hops(shop)}
    older(shop)
    assert "bindtrace migrate" in run(export, "--db", shop, "-o", tmp_path / "out").output

    done = run(migrate, "--db", shop)

    assert done.exit_code == 0, done.output
    assert {str(row["trace_id"]) for row in hops(shop)} == before
    assert (tmp_path / "shop.duckdb.v1").exists()
    con = open_database(shop)
    assert con.execute("select value from meta where key = 'schema_version'").fetchone() == (SCHEMA_VERSION,)
    con.close()
    again = run(migrate, "--db", shop)
    assert (again.exit_code, "already" in again.output) == (0, True)


def test_a_file_of_an_unreleased_schema_is_refused_by_what_it_lacks_and_let_go(
    tmp_path: Path, shop: Path
) -> None:
    con = open_database(shop)
    con.execute("delete from meta where key = 'schema_digest'")
    con.execute("alter table hops drop column guarded_at")
    con.close()

    done = run(export, "--db", shop, "-o", tmp_path / "out")

    assert done.exit_code == 2
    assert "it lacks hops.guarded_at" in done.output
    assert "bindtrace import" in done.output
    with pytest.raises(Refusal, match="unreleased"):
        open_database(shop)


def test_a_file_without_the_digest_of_its_schema_is_opened_where_nothing_lacks(shop: Path) -> None:
    con = open_database(shop)
    con.execute("delete from meta where key = 'schema_digest'")
    con.execute("drop table span_conflicts")
    con.close()

    con = open_database(shop)

    assert con.execute("select count(*) from span_conflicts").fetchone() == (0,)
    assert con.execute("select count(*) from meta where key = 'schema_digest'").fetchone() == (1,)
    con.close()


def test_a_newer_file_is_refused_untouched(tmp_path: Path, shop: Path) -> None:
    con = open_database(shop)
    con.execute("update meta set value = '99' where key = 'schema_version'")
    con.close()

    done = run(migrate, "--db", shop)

    assert done.exit_code == 2
    assert "knows up to" in done.output
    assert [path.name for path in tmp_path.iterdir() if "shop" in path.name] == ["shop.duckdb"]
