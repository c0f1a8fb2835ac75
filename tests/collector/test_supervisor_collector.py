"""`bindtrace serve` as a whole: it says where it listens, holds its database, and stops in order."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from receiving import PROTOBUF, export
from serving import Collector, collecting, stored
from support import wait_for

from bindtrace.collector import supervisor as supervisor_module
from bindtrace.collector.ports import Address
from bindtrace.collector.serve_command import serve
from bindtrace.collector.supervisor import Settings, Supervisor


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with collecting(tmp_path_factory.mktemp("serve") / "t.duckdb") as running:
        yield running


def test_it_says_what_listens_where_and_what_to_do(collector: Collector) -> None:
    said = wait_for(lambda: "Ctrl-C" in (text := collector.errors.read_text()) and text)

    assert all(endpoint in said for endpoint in collector.endpoints.values())
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT=http://{collector.endpoints['http']}" in said
    assert f"bindtrace findings --url http://{collector.endpoints['api']}" in said


def test_the_api_answers_where_the_lock_says(collector: Collector) -> None:
    answer = httpx.get(f"http://{collector.endpoints['api']}/livez")

    assert answer.status_code == 200


def test_what_was_acknowledged_is_seen_by_waiting_for_its_position(collector: Collector) -> None:
    answer = httpx.post(
        f"http://{collector.endpoints['http']}/v1/traces",
        content=export(os.urandom(8), service="just-now").SerializeToString(),
        headers=PROTOBUF,
    )

    waited = httpx.get(
        f"http://{collector.endpoints['api']}/api/wait",
        params={"position": answer.headers["bindtrace-position"], "timeout": "10"},
        timeout=15,
    )
    services = httpx.get(f"http://{collector.endpoints['api']}/api/reports/services").json()

    assert waited.status_code == 200
    assert "just-now" in {service["service"] for service in services}


def test_a_second_collector_on_the_same_database_is_told_who_has_it(collector: Collector) -> None:
    result = CliRunner().invoke(serve, ["--db", str(collector.db), "--grpc", "127.0.0.1:0"])

    assert result.exit_code == 2
    assert f"is held by process {collector.process.pid}. fix: ask it with --url http://" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_second_collector_on_the_same_ports_is_told_which(collector: Collector, tmp_path: Path) -> None:
    """The receivers share their ports, so a plain bind would succeed and take half of the spans."""
    other = ["--db", str(tmp_path / "other.duckdb"), "--grpc", collector.endpoints["grpc"]]

    result = CliRunner().invoke(serve, other)

    assert result.exit_code == 2
    assert "is in use by process" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_two_receivers_and_one_storage_run(collector: Collector) -> None:
    assert {kind: len(found) for kind, found in collector.children().items()} == {"receive": 2, "store": 1}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_order_and_everything_is_stored(tmp_path: Path, number: signal.Signals) -> None:
    span_id = os.urandom(8)
    with collecting(tmp_path / "t.duckdb") as collector:
        answer = httpx.post(
            f"http://{collector.endpoints['http']}/v1/traces",
            content=export(span_id).SerializeToString(),
            headers=PROTOBUF,
        )
        collector.process.send_signal(number)
        status = collector.process.wait(30)
        left = collector.left_behind()

    assert (answer.status_code, status, left) == (200, 0, [])
    assert stored(tmp_path / "t.duckdb") == {span_id: 1}
    assert not list((tmp_path / "t.duckdb.journal").glob("*/*.seg"))
    assert not (tmp_path / "t.duckdb.lock").exists()


@pytest.mark.slow
def test_a_file_that_is_no_database_is_one_line_and_nothing_runs(tmp_path: Path) -> None:
    wrong = tmp_path / "notes.txt"
    wrong.write_text("not a database " * 400)
    lines: list[str] = []
    free = Address("127.0.0.1", 0)
    supervisor = Supervisor(Settings(wrong, free, free, free, receivers=2), lines.append)

    with pytest.raises(Exception, match="storage could not begin"):
        supervisor.start()

    assert supervisor.pids == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt"]


@pytest.mark.slow
def test_what_a_hanging_storage_did_not_store_is_said_and_stored_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "STORAGE_STOP_S", 0.5)
    db, span_id, lines = tmp_path / "t.duckdb", os.urandom(8), list[str]()
    free = Address("127.0.0.1", 0)
    with Supervisor(Settings(db, free, free, free, receivers=2), lines.append) as first:
        storage = first.pids["storage"]
        assert storage is not None
        os.kill(storage, signal.SIGSTOP)
        request = export(span_id).SerializeToString()
        answer = httpx.post(f"http://{first.endpoints['http']}/v1/traces", content=request, headers=PROTOBUF)
    with collecting(db) as second:
        status = second.stop()

    assert (answer.status_code, status) == (200, 0)
    assert lines[0] == "storage did not stop within 0.5 s: killed"
    assert "are kept: the next start stores what of them is not stored yet" in lines[1]
    assert stored(db) == {span_id: 1}
