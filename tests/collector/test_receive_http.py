"""OTLP over HTTP: what is accepted is in the journal, what is not is told so in the sender's own encoding."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import handshakes
import httpx
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from receiving import JSON, PROTOBUF, Receivers, export, running_receivers, span_ids
from statistics_of_envoy import END, metrics
from support import fixture

from bindtrace.collector.intakes import statistics
from bindtrace.collector.intakes.handshakes import to_request
from bindtrace.collector.journal.segment import Position

LIMIT = 64 * 1024 * 1024
Response = TypeVar("Response", bound=Message)


@pytest.fixture(scope="module")
def receivers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receivers]:
    with running_receivers(tmp_path_factory.mktemp("http") / "journal") as running:
        yield running


@pytest.fixture
def client(receivers: Receivers) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=receivers.url, timeout=30) as client:
        yield client


def one() -> tuple[bytes, bytes]:
    """A new span id, and a request that holds it."""
    span_id = os.urandom(8)
    return span_id, export(span_id).SerializeToString()


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

    answer = client.post("/v1/traces", content=body, headers=JSON)

    assert (answer.status_code, answer.json()) == (200, {})
    assert bytes.fromhex("EEE19B7EC3C1B174") in receivers.stored_span_ids()


def test_success_means_that_the_journal_holds_it_up_to_the_position(
    client: httpx.Client, receivers: Receivers
) -> None:
    span_id, body = one()

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
    _, body = one()
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
    span_id, body = one()

    answer = client.post("/v1/traces", content=pack(body), headers=PROTOBUF | {"content-encoding": encoding})

    assert answer.status_code == 200
    assert span_id in receivers.stored_span_ids()


def test_a_chunked_body_without_a_length_is_taken(client: httpx.Client, receivers: Receivers) -> None:
    span_id, body = one()

    answer = client.post("/v1/traces", content=iter([body[:7], body[7:]]), headers=PROTOBUF)

    assert answer.status_code == 200
    assert span_id in receivers.stored_span_ids()


@pytest.mark.parametrize(
    "body",
    [b"not gzip at all", gzip.compress(b"x" * 1000)[:-9], gzip.compress(b"") + b"rest"],
    ids=["other bytes", "cut short", "bytes behind the end"],
)
def test_bad_gzip_is_400_with_a_status(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/v1/traces", content=body, headers=PROTOBUF | {"content-encoding": "gzip"})

    assert answer.status_code == 400
    assert "gzip" in Status.FromString(answer.content).message


def test_undecodable_protobuf_is_400_with_a_status_in_protobuf(client: httpx.Client) -> None:
    answer = client.post("/v1/traces", content=b"\xff\xff\xff", headers=PROTOBUF)

    status = Status.FromString(answer.content)
    detail = BadRequest()
    assert (answer.status_code, answer.headers["content-type"], status.code) == (
        400,
        PROTOBUF["content-type"],
        3,
    )
    assert "not an OTLP traces request" in status.message
    assert status.details[0].Unpack(detail)
    assert detail.field_violations[0].field == "body"


def test_undecodable_json_is_400_with_a_status_in_json(client: httpx.Client) -> None:
    answer = client.post("/v1/traces", content=b'{"resourceSpans": 7}', headers=JSON)

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")
    assert answer.json()["code"] == 3
    assert "resourceSpans" in answer.json()["message"]


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
    sent = metrics(("http.rbac.denied", 2), ("server.uptime", 9), at=END + len(headers))

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
        handshakes.refused(), {"message": "hello"}, at=1_700_000_000_000_000_000 + len(headers)
    )

    told = exported(client, "/v1/logs", sent, ExportLogsServiceResponse(), headers).partial_success

    assert told.rejected_log_records == 1
    assert "no refused handshake" in told.error_message
    (kept,) = span_ids(to_request(sent)[0].SerializeToString())
    assert kept in receivers.stored_span_ids()


@pytest.mark.parametrize(
    ("method", "path", "headers", "code"),
    [
        ("GET", "/v1/traces", {}, 405),
        ("POST", "/", PROTOBUF, 404),
        ("POST", "/v1/traces", {"content-type": "text/plain"}, 415),
        ("POST", "/v1/traces", {}, 415),
        ("POST", "/v1/traces", PROTOBUF | {"content-encoding": "br"}, 415),
        ("POST", "/v1/traces", PROTOBUF | {"content-encoding": "gzip, gzip"}, 415),
    ],
)
def test_wrong_requests_have_their_code_and_a_status(
    client: httpx.Client, method: str, path: str, headers: dict[str, str], code: int
) -> None:
    answer = client.request(method, path, headers=headers)

    assert answer.status_code == code
    if answer.headers["content-type"] == "application/json":
        assert answer.json()["message"]
    else:
        assert Status.FromString(answer.content).message
    assert ("allow" in answer.headers) == (code == 405)


def test_a_length_beyond_the_limit_is_413_before_the_body_comes(receivers: Receivers) -> None:
    connection = http.client.HTTPConnection(receivers.http, timeout=10)
    connection.putrequest("POST", "/v1/traces")
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", str(LIMIT + 1))
    connection.endheaders()

    answer = connection.getresponse()

    assert (answer.status, json.loads(answer.read())["code"]) == (413, 8)
    assert answer.getheader("retry-after") is None
    connection.close()


def test_a_small_body_that_inflates_beyond_the_limit_is_413(client: httpx.Client) -> None:
    bomb = gzip.compress(b"\0" * (LIMIT + 1), compresslevel=9)

    answer = client.post("/v1/traces", content=bomb, headers=PROTOBUF | {"content-encoding": "gzip"})

    assert len(bomb) < 100_000
    assert (answer.status_code, Status.FromString(answer.content).code) == (413, 8)


def test_the_limit_holds_over_all_gzip_members(client: httpx.Client) -> None:
    bomb = gzip.compress(b"\0" * (LIMIT // 2 + 1), compresslevel=9) * 2

    answer = client.post("/v1/traces", content=bomb, headers=PROTOBUF | {"content-encoding": "gzip"})

    assert answer.status_code == 413


def test_many_tiny_gzip_members_are_refused_soon(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/traces", content=gzip.compress(b"") * 50_000, headers=PROTOBUF | {"content-encoding": "gzip"}
    )

    assert answer.status_code == 400


def test_a_sender_that_hangs_up_in_its_body_harms_nobody(client: httpx.Client, receivers: Receivers) -> None:
    for _ in range(4):
        connection = http.client.HTTPConnection(receivers.http, timeout=10)
        connection.putrequest("POST", "/v1/traces")
        connection.putheader("content-type", "application/x-protobuf")
        connection.putheader("content-length", "1000")
        connection.endheaders(b"only this")
        connection.close()

    assert client.post("/v1/traces", content=one()[1], headers=PROTOBUF).status_code == 200
    assert all(process.poll() is None for process in receivers.processes)


def test_the_journal_is_readable_by_its_owner_only(
    client: httpx.Client, receivers: Receivers, tmp_path: Path
) -> None:
    client.post("/v1/traces", content=one()[1], headers=PROTOBUF)

    modes = {path.stat().st_mode & 0o077 for path in [receivers.journal, *receivers.journal.rglob("*")]}

    assert modes == {0}
