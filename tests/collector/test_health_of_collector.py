"""One collector, and what `senders`, `doctor` and `/metrics` say of it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families
from receiving import PROTOBUF, export
from serving import Collector, collecting
from support import free_port, wait_for

from bindtrace.collector.doctor_command import doctor
from bindtrace.collector.senders_command import senders


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with collecting(tmp_path_factory.mktemp("health") / "t.duckdb", receivers=1) as running:
        served = export(b"\1" * 8, b"\2" * 8)
        for span in served.resource_spans[0].scope_spans[0].spans:
            span.kind = Span.SPAN_KIND_SERVER
        body = served.SerializeToString()
        broken = export(b"\3" * 8, b"\0" * 8).SerializeToString()
        for each in (body, body, broken, b"\xff"):
            post(running, each)
        wait_for(lambda: "rejected" in page(running), what="the accounting to be stored")
        wait_for(lambda: "bindtrace_calls_total{" in page(running), what="the analysis")
        yield running


def post(collector: Collector, body: bytes) -> int:
    connection = http.client.HTTPConnection(collector.endpoints["http"], timeout=10)
    connection.request("POST", "/v1/traces", body, PROTOBUF)
    reply = connection.getresponse()
    reply.read()
    connection.close()
    return reply.status


def page(collector: Collector) -> str:
    connection = http.client.HTTPConnection(collector.endpoints["api"], timeout=10)
    connection.request("GET", "/metrics")
    reply = connection.getresponse()
    text = reply.read().decode()
    assert reply.status == 200, text
    return text


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def url(collector: Collector) -> str:
    return f"http://{collector.endpoints['api']}"


def test_metrics_balance_and_parse(collector: Collector) -> None:
    found = samples(page(collector))

    assert found["bindtrace_accounting_difference", frozenset()] == 0
    result = {value: found["bindtrace_store_spans_total", frozenset({("result", value)})] for value in (
        "taken", "stored", "deduplicated", "quarantined")}  # fmt: skip
    assert result == {"taken": 5, "stored": 3, "deduplicated": 2, "quarantined": 0}
    accepted = frozenset({("result", "accepted"), ("reason", "")})
    assert found["bindtrace_receiver_spans_total", accepted] == 5
    assert {"bindtrace_calls_total", "bindtrace_call_duration_seconds_bucket"} <= {name for name, _ in found}
    assert found["bindtrace_storage_ready", frozenset()] == 1


def test_senders_are_listed_with_what_became_of_their_spans(collector: Collector) -> None:
    done = CliRunner().invoke(senders, ["--url", url(collector), "-f", "json"])

    assert done.exit_code == 0
    rows = {row["service"]: row for row in json.loads(done.stdout)}
    assert (rows["orders"]["accepted"], rows["orders"]["duplicates"]) == (5, 2)
    assert sum(rows["orders"]["rejected"].values()) == 1
    assert list(rows[""]["refused"].values()) == [1]


def test_senders_as_a_table_fits_a_terminal(collector: Collector) -> None:
    done = CliRunner().invoke(senders, ["--url", url(collector)])

    assert done.exit_code == 0
    assert "orders" in done.stdout


def test_doctor_says_what_is_well_and_what_is_not(collector: Collector) -> None:
    done = CliRunner().invoke(doctor, ["--url", url(collector), "-f", "json"])

    lines = {line["question"]: line for line in json.loads(done.stdout)}
    assert done.exit_code == 0, done.stdout
    assert lines["is a collector running"]["state"] == "ok"
    assert lines["are spans arriving"]["evidence"].startswith("3 spans of 1 service: orders; the last")
    assert lines["do calls carry the binding header"]["state"] == "warn"
    assert lines["does the manifest match the names seen"]["evidence"] == (
        "there is no manifest, so no call is allowed or denied"
    )
    assert lines["are the clocks right"]["state"] == "warn"  # what the test sends is of 2023
    assert lines["is anything rejected"]["state"] == "warn"


def test_doctor_without_a_collector_says_how_to_begin(tmp_path: Path) -> None:
    done = CliRunner().invoke(doctor, ["--db", str(tmp_path / "none.duckdb")])

    assert done.exit_code == 1
    assert "start `bindtrace serve`" in done.stdout


def test_doctor_tells_a_file_that_cannot_be_read_from_a_collector_that_does_not_run(tmp_path: Path) -> None:
    (tmp_path / "notes.duckdb").write_text("no database")

    of_file = CliRunner().invoke(doctor, ["--db", str(tmp_path / "notes.duckdb"), "-f", "json"])
    of_lake = CliRunner().invoke(doctor, ["--url", f"ducklake:{tmp_path / 'none.ducklake'}", "-f", "json"])
    of_url = CliRunner().invoke(doctor, ["--url", f"http://127.0.0.1:{free_port()}", "-f", "json"])

    questions = [json.loads(done.stdout)[0]["question"] for done in (of_file, of_lake, of_url)]
    assert questions == ["can the data be read", "can the data be read", "is a collector running"]
