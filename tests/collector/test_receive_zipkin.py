"""Zipkin's spans by HTTP: converted, judged and journaled as every other request, and answered as Zipkin does."""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_compared import flat
from receiving import JSON, PROTOBUF, Receivers, running_receivers
from serving import collecting, stored
from support import fixture

from bindtrace.collector.serve_command import serve

SPAN = {"traceId": "a" * 16, "id": "b" * 16, "kind": "SERVER", "timestamp": 1_000, "duration": 5}


@pytest.fixture(scope="module")
def receivers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receivers]:
    with running_receivers(tmp_path_factory.mktemp("zipkin") / "t.journal", count=1) as running:
        yield running


def post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


@pytest.mark.parametrize("path", ["/zipkin/api/v2/spans", "/api/v2/spans"])
@pytest.mark.parametrize("compressed", [False, True])
def test_spans_are_durable_when_they_are_answered(receivers: Receivers, path: str, compressed: bool) -> None:
    body = fixture("zipkin/ascend.json").read_bytes()
    headers = JSON | ({"content-encoding": "gzip"} if compressed else {})
    before = len(receivers.journaled())

    status, answered, text = post(receivers.url + path, gzip.compress(body) if compressed else body, headers)

    (request,) = [item for item in receivers.journaled()[before:] if item.spans]
    assert (status, text) == (202, b"")
    assert "bindtrace-position" in answered
    assert (request.protocol, request.encoding, request.spans) == ("zipkin", "zipkin", 8)
    assert len(flat(ExportTraceServiceRequest.FromString(request.body))) == 8


@pytest.mark.parametrize(
    ("headers", "body", "status", "said"),
    [
        (JSON, b"{", 400, "the body is not JSON"),
        (JSON, b'[{"kind": "BOTH"}]', 400, "[0].kind: 'BOTH' is none of"),
        (JSON, b"[" * 5000, 400, ""),
        (PROTOBUF, b"", 415, "send application/json"),
        ({"content-type": "application/x-thrift"}, b"", 415, "send application/json"),
    ],
)
def test_what_is_refused_says_why(
    receivers: Receivers, headers: dict[str, str], body: bytes, status: int, said: str
) -> None:
    code, _, text = post(receivers.url + "/api/v2/spans", body, headers)

    assert code == status
    assert said.encode() in text


def test_spans_without_ids_are_left_out_and_the_rest_taken(receivers: Receivers) -> None:
    before = len(receivers.journaled())

    status, _, _ = post(
        receivers.url + "/api/v2/spans", json.dumps([SPAN, SPAN | {"id": "x"}]).encode(), JSON
    )

    assert status == 202
    assert [item.spans for item in receivers.journaled()[before:] if item.spans] == [1]


@pytest.mark.slow
def test_a_port_of_its_own_takes_them_too(tmp_path: Path) -> None:
    with collecting(tmp_path / "t.duckdb", "--zipkin", "127.0.0.1:0", receivers=2) as collector:
        status, _, _ = post(
            f"http://{collector.endpoints['zipkin']}/api/v2/spans", json.dumps([SPAN]).encode(), JSON
        )
        assert collector.stop() == 0

    assert status == 202
    assert stored(collector.db) == {bytes.fromhex(SPAN["id"]): 1}  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_api_address_takes_them_too(tmp_path: Path) -> None:
    with collecting(tmp_path / "t.duckdb") as collector:
        url = f"http://{collector.endpoints['api']}/zipkin/api/v2/"
        status, answered, _ = post(url + "spans", json.dumps([SPAN]).encode(), JSON)
        elsewhere, _, _ = post(url + "traces", b"[]", JSON)
        assert collector.stop() == 0

    assert (status, elsewhere) == (202, 404)
    assert "bindtrace-position" in answered
    assert not list(tmp_path.glob("t.duckdb.journal/*/*.seg"))  # nothing is left for the next start
    assert stored(collector.db) == {bytes.fromhex(SPAN["id"]): 1}  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_api_address_asks_for_a_senders_token_where_receivers_do(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("orders: 0123456789abcdef0123\n")
    with collecting(tmp_path / "t.duckdb", "--token-file", str(tmp_path / "tokens")) as collector:
        url = f"http://{collector.endpoints['api']}/zipkin/api/v2/spans"
        without, _, _ = post(url, json.dumps([SPAN]).encode(), JSON)
        given = JSON | {"authorization": "Bearer 0123456789abcdef0123"}
        with_it, _, _ = post(url, json.dumps([SPAN]).encode(), given)

    assert (without, with_it) == (401, 202)


def test_its_port_is_not_open_to_others_unasked(tmp_path: Path) -> None:
    result = CliRunner().invoke(serve, ["--db", str(tmp_path / "t.duckdb"), "--zipkin", "0.0.0.0:9411"])

    assert result.exit_code == 2
    assert "--zipkin 0.0.0.0:9411 can be reached from other machines" in result.stderr
