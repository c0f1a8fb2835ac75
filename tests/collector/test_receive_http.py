"""OTLP over HTTP: what is accepted is in the journal, and what is not taken is told so."""

from __future__ import annotations

import gzip
import os
import zlib
from collections import Counter
from pathlib import Path
from typing import TypeVar

import handshakes
import httpx
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from receiving import JSON, PROTOBUF, Receivers, export, one_request, span_ids
from statistics_of_envoy import END, metrics
from support import fixture

from bindtrace.collector.intakes import statistics
from bindtrace.collector.intakes.handshakes import to_request
from bindtrace.collector.journal.segment import Position

Response = TypeVar("Response", bound=Message)


@pytest.mark.parametrize("compression", list(Compression))
def test_the_stock_exporter_is_accepted(receivers: Receivers, compression: Compression) -> None:
    provider = TracerProvider()
    exporter = OTLPSpanExporter(endpoint=f"{receivers.url}/v1/traces", compression=compression)
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    with provider.get_tracer("test").start_as_current_span("work") as span:
        wanted = span.get_span_context().span_id.to_bytes(8, "big")
    provider.shutdown()

    assert wanted in receivers.stored_span_ids()


def test_the_specification_s_json_example_is_accepted(client: httpx.Client, receivers: Receivers) -> None:
    body = fixture("opentelemetry-proto/trace.json").read_bytes()
    before = receivers.stored_span_ids()

    answer = client.post("/v1/traces", content=body, headers=JSON)

    assert (answer.status_code, answer.json()) == (200, {})
    assert Counter(receivers.stored_span_ids()) - Counter(before) == {bytes.fromhex("EEE19B7EC3C1B174"): 1}


def test_success_means_that_the_journal_holds_it_up_to_the_position(
    client: httpx.Client, receivers: Receivers
) -> None:
    span_id, body = one_request()

    answer = client.post("/v1/traces", content=body, headers=PROTOBUF)

    position = Position.parse(answer.headers["bindtrace-position"])
    assert (answer.status_code, answer.content) == (200, b"")
    assert span_id in receivers.stored_span_ids()
    assert any(
        path.name.endswith(f"{position.segment_id.hex}.seg") for path in receivers.journal.glob("*/*.seg")
    )


def test_the_record_says_who_sent_it_and_how(client: httpx.Client, receivers: Receivers) -> None:
    body = export(os.urandom(8), service="a-new-service").SerializeToString()
    client.post("/v1/traces", content=body, headers=PROTOBUF)

    (found,) = [item for item in receivers.journaled() if item.sender.startswith("a-new-service/")]

    assert (found.protocol, found.encoding, found.spans, found.body) == ("http", "protobuf", 1, body)


def test_the_same_request_twice_has_the_same_digest(client: httpx.Client, receivers: Receivers) -> None:
    """The loader makes the second a no-op by it."""
    _, body = one_request()
    for _ in range(2):
        client.post("/v1/traces", content=body, headers=PROTOBUF)

    digests = [item.digest for item in receivers.journaled() if item.body == body]

    assert len(digests) == 2
    assert len(set(digests)) == 1


def test_parameters_of_the_content_type_are_tolerated(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/traces", content=b"{}", headers={"content-type": "Application/JSON; charset=utf-8"}
    )

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


def test_an_empty_request_is_success(client: httpx.Client) -> None:
    answer = client.post("/v1/traces", content=b"", headers=PROTOBUF)

    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (
        200,
        b"",
        PROTOBUF["content-type"],
    )


def test_invalid_spans_are_a_partial_success_and_the_rest_is_kept(
    client: httpx.Client, receivers: Receivers
) -> None:
    good = os.urandom(8)
    body = export(good, b"short").SerializeToString()

    answer = client.post("/v1/traces", content=body, headers=PROTOBUF)

    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_spans) == (200, 1)
    assert "span_id is not 8 bytes" in partial.error_message
    assert good in receivers.stored_span_ids()


def test_a_request_of_invalid_spans_only_is_answered_and_not_journaled(client: httpx.Client) -> None:
    answer = client.post("/v1/traces", content=export(b"bad").SerializeToString(), headers=PROTOBUF)

    assert answer.status_code == 200
    assert "bindtrace-position" not in answer.headers


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("gzip", lambda body: gzip.compress(body[:20]) + gzip.compress(body[20:])),
    ],
    ids=["gzip", "deflate", "two gzip members"],
)
def test_compressed_bodies_are_taken(client: httpx.Client, receivers: Receivers, encoding: str, pack) -> None:  # type: ignore[no-untyped-def]
    span_id, body = one_request()

    answer = client.post("/v1/traces", content=pack(body), headers=PROTOBUF | {"content-encoding": encoding})

    assert answer.status_code == 200
    assert span_id in receivers.stored_span_ids()


def test_a_chunked_body_without_a_length_is_taken(client: httpx.Client, receivers: Receivers) -> None:
    span_id, body = one_request()

    answer = client.post("/v1/traces", content=iter([body[:7], body[7:]]), headers=PROTOBUF)

    assert answer.status_code == 200
    assert span_id in receivers.stored_span_ids()


@pytest.mark.parametrize(
    ("method", "headers", "content"),
    [
        ("POST", PROTOBUF, b""),
        ("POST", PROTOBUF, metrics(("server.uptime", 9)).SerializeToString()),
        ("POST", JSON, b"{}"),
        ("POST", {}, b""),
        ("GET", {}, b""),
    ],
)
def test_metrics_are_404_and_told_what_we_take(
    client: httpx.Client, method: str, headers: dict[str, str], content: bytes
) -> None:
    answer = client.request(method, "/v1/metrics", content=content, headers=headers)

    assert answer.status_code == 404
    assert "metrics are not taken; traces are what" in answer.text


def exported(
    client: httpx.Client, path: str, sent: Message, answered: Response, headers: dict[str, str]
) -> Response:
    """Sends it as JSON or protobuf, as `headers` say; the answer in the same encoding, read into `answered`."""
    as_json = headers is JSON
    body = json_format.MessageToJson(sent).encode() if as_json else sent.SerializeToString()

    answer = client.post(path, content=body, headers=headers)

    assert answer.status_code == 200
    if as_json:
        return json_format.Parse(answer.content, answered)
    answered.ParseFromString(answer.content)
    return answered


@pytest.mark.parametrize("headers", [JSON, PROTOBUF], ids=["json", "protobuf"])
def test_of_metrics_counts_of_refused_callers_are_kept_and_the_others_are_told_of(
    client: httpx.Client, receivers: Receivers, headers: dict[str, str]
) -> None:
    sent = metrics(("http.rbac.denied", 2), ("server.uptime", 9), at=END + len(headers["content-type"]))

    told = exported(client, "/v1/metrics", sent, ExportMetricsServiceResponse(), headers).partial_success

    assert told.rejected_data_points == 1
    assert "no count of refused callers" in told.error_message
    (kept,) = span_ids(statistics.to_request(sent)[0].SerializeToString())
    assert kept in receivers.stored_span_ids()


@pytest.mark.parametrize("headers", [JSON, PROTOBUF], ids=["json", "protobuf"])
def test_of_logs_refused_handshakes_are_kept_and_the_others_are_told_of(
    client: httpx.Client, receivers: Receivers, headers: dict[str, str]
) -> None:
    sent = handshakes.logs(
        handshakes.refused(),
        {"message": "hello"},
        at=1_700_000_000_000_000_000 + len(headers["content-type"]),
    )

    told = exported(client, "/v1/logs", sent, ExportLogsServiceResponse(), headers).partial_success

    assert told.rejected_log_records == 1
    assert "no refused handshake" in told.error_message
    (kept,) = span_ids(to_request(sent)[0].SerializeToString())
    assert kept in receivers.stored_span_ids()


def test_the_journal_is_readable_by_its_owner_only(
    client: httpx.Client, receivers: Receivers, tmp_path: Path
) -> None:
    client.post("/v1/traces", content=one_request()[1], headers=PROTOBUF)

    modes = {path.stat().st_mode & 0o077 for path in [receivers.journal, *receivers.journal.rglob("*")]}

    assert modes == {0}
