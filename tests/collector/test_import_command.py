"""`bindtrace import`: what is read, what is refused, and that doing it twice changes nothing."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from otlp_requests import as_json, one_span
from support import fixture

from bindtrace.collector.import_command import import_files
from bindtrace.collector.ports import Address
from bindtrace.collector.supervisor import Settings, Supervisor
from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import open_database
from bindtrace.queries.lock import acquire
from bindtrace.queries.query import Query


def run(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(import_files, [str(argument) for argument in arguments], input=stdin)


def spans(db: Path) -> list[int]:
    con = open_database(db)
    try:
        return [row[0] for row in con.execute("select span_id from spans order by 1").fetchall()]
    finally:
        con.close()


def test_zipkin_and_jaeger_are_imported_and_their_hops_seen(db: Path) -> None:
    result = run(fixture("zipkin/ascend.json"), fixture("jaeger-ui/otlp2jaeger-out.json"), "--db", db)

    con = open_database(db)
    hops = {(row["caller"], row["callee"]) for row in run_report(con, "hops", Query())}
    con.close()
    assert result.exit_code == 0, result.stderr
    assert ("mobile-gateway", "content-service") in hops
    assert ("mobile-gateway", "auth-service") in hops


def test_a_missing_file_stops_before_anything_is_stored(db: Path, tmp_path: Path) -> None:
    good = tmp_path / "good.json"
    good.write_bytes(as_json(one_span(1)))

    result = run(good, tmp_path / "absent.json", "--db", db)

    assert result.exit_code == 2
    assert f"error: there is no file {tmp_path / 'absent.json'}. fix: " in result.stderr
    assert not db.exists()


def test_of_a_file_without_telemetry_no_database_is_made(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"hello": 1}')

    result = run(tmp_path / "other.json", "--db", tmp_path / "new.duckdb")

    assert result.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["other.json"]


def test_importing_twice_changes_nothing(db: Path, tmp_path: Path) -> None:
    path = tmp_path / "recorded.jsonl"
    path.write_bytes(as_json(one_span(1), one_span(2)))
    first = run(path, "--db", db)

    second = run(path, "--db", db)

    assert (first.exit_code, first.stdout, first.stderr) == (0, "", f"imported 2 spans into {db}\n")
    assert second.stderr == f"imported 0 spans into {db}; 2 spans were there already\n"
    assert spans(db) == [1, 2]


def test_rejected_spans_are_told_with_their_reason(db: Path, tmp_path: Path) -> None:
    bad = one_span(2)
    bad.resource_spans[0].scope_spans[0].spans[0].span_id = b"abc"
    path = tmp_path / "recorded.jsonl"
    path.write_bytes(as_json(one_span(1), bad))

    result = run(path, "--db", db)

    assert result.exit_code == 0
    assert result.stderr == f"imported 1 span into {db}; rejected spans: 1 because span_id is not 8 bytes\n"


def test_standard_input_is_a_file(db: Path) -> None:
    result = run("-", "--db", db, stdin=as_json(one_span(7)))

    assert (result.exit_code, spans(db)) == (0, [7])


def test_what_was_imported_is_analysed_by_the_manifests_that_are_given(db: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "bindtrace.toml"
    manifest.write_text('scope = "shop"\n[services.orders]\n')

    result = run(fixture("captured/envoy-span.json"), "--db", db, "--manifest", manifest)

    con = open_database(db)
    hops, services = (run_report(con, report, Query()) for report in ("hops", "services"))
    con.close()
    assert result.exit_code == 0
    assert hops
    assert "orders" in {row["service"] for row in services}


def test_a_held_database_is_refused_with_its_address(db: Path, tmp_path: Path) -> None:
    path = tmp_path / "recorded.json"
    path.write_bytes(as_json(one_span(1)))
    lock = acquire(db)
    lock.publish({"api": "127.0.0.1:9999"})

    result = run(path, "--db", db)

    lock.release()
    assert result.exit_code == 2
    assert "is held by process" in result.stderr
    assert "ask it with --url http://127.0.0.1:9999" in result.stderr


def test_manifests_are_not_for_a_running_collector(tmp_path: Path) -> None:
    path, manifest = tmp_path / "recorded.json", tmp_path / "bindtrace.toml"
    path.write_bytes(as_json(one_span(1)))
    manifest.write_text('scope = "shop"\n')

    result = run(path, "--url", "http://127.0.0.1:1", "--manifest", manifest)

    assert result.exit_code == 2
    assert "reads its manifests when it starts" in result.stderr


def test_a_collector_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recorded.json"
    path.write_bytes(as_json(one_span(1)))

    result = run(path, "--url", "http://127.0.0.1:1")

    assert result.exit_code == 2
    assert "no answer from http://127.0.0.1:1" in result.stderr


@pytest.mark.slow
def test_a_running_collector_answers_with_what_was_imported(db: Path, tmp_path: Path) -> None:
    path = tmp_path / "recorded.jsonl"
    path.write_bytes(as_json(one_span(1), one_span(2)))
    anywhere = Address("127.0.0.1", 0)
    with Supervisor(Settings(db, anywhere, anywhere, anywhere, receivers=2)) as collector:
        url = f"http://{collector.endpoints['api']}"
        first, second = run(path, "--url", url), run(path, "--url", url)

    assert (first.exit_code, first.stderr) == (0, f"imported 2 spans into {url}\n")
    assert second.stderr == f"imported 0 spans into {url}; 2 spans were there already\n"
    assert spans(db) == [1, 2]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is empty"),
        (b'{"resourceSpans": [', "is not JSON: "),
        (b'{"resourceLogs": []}', "it looks like OTLP logs"),
        (b'[{"traceId": 1}]', "it looks like a JSON list"),
        (b'{"data": []}', "it looks like JSON with the keys data"),
        (b'[{"traceId": "1", "id": "2", "kind": "BOTH"}]', "[0].kind: 'BOTH' is none of CLIENT"),
        (b'{"traceID": "1", "spans": 7}', "[0].spans: a list of objects is expected"),
        (b'{"b": 1, "a": 2}', "it looks like JSON with the keys a, b"),
        (b"trace_id,span_id\n1,2\n", "is neither JSON nor OTLP protobuf"),
        (b"\x1f\x8b\x08\x00broken", "is a damaged gzip file"),
        (gzip.compress(b"{}" * 9000, mtime=0)[:-20], "is a damaged gzip file"),
        (as_json(one_span(1)) + b"{oops\n", "line 2 of "),
        (b'{"resourceSpans": [{"scopeSpans": 7}]}', "resourceSpans[0].scopeSpans: a list is expected"),
    ],
)
def test_what_is_no_telemetry_is_refused_in_one_line(
    db: Path, tmp_path: Path, body: bytes, said: str
) -> None:
    path = tmp_path / "recorded"
    path.write_bytes(body)

    result = run(path, "--db", db)

    assert result.exit_code == 2
    assert said in result.stderr
    assert " fix: " in result.stderr
    assert result.stderr.count("\n") == 1
