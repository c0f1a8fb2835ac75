"""The OTLP checklist, data (D) and answers (A): one test or more for each item, named by it."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Callable, Iterator

import grpc
import httpx
import pytest
import zstandard
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from otlp_requests import as_request, one_span
from receiving import JSON, PROTOBUF, Receivers, export
from support import wait_for

from bindtrace.collector.otlp.admit import Admitted, admit
from bindtrace.collector.receive.status import Accepted, Cause, Refused
from bindtrace.collector.store.writer import Writer
from bindtrace.queries.database import open_database

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LIMIT = 64 * 1024 * 1024


def taken(request: ExportTraceServiceRequest) -> Admitted:
    answer = admit(request.SerializeToString(), "protobuf")
    assert isinstance(answer, Admitted)
    return answer


@pytest.mark.parametrize("span_id", [b"", b"1234567", b"123456789", bytes(8)])
def test_d1_a_span_without_a_valid_span_id_is_rejected_and_the_rest_kept(span_id: bytes) -> None:
    answer = taken(export(b"\1" * 8, span_id))

    assert (answer.spans, answer.rejected) == (1, 1)
    assert sum(answer.reasons.values()) == 1


@pytest.mark.parametrize("trace_id", [b"", b"\1" * 15, b"\1" * 17, bytes(16)])
def test_d1_a_span_without_a_valid_trace_id_is_rejected(trace_id: bytes) -> None:
    answer = taken(export(b"\1" * 8, trace_id=trace_id))

    assert (answer.spans, answer.rejected) == (0, 1)


@pytest.mark.parametrize(
    ("parent", "spans"), [(b"", 1), (b"\2" * 8, 1), (bytes(8), 1), (b"\2" * 7, 0), (b"\2" * 16, 0)]
)
def test_d2_a_parent_is_empty_or_8_bytes(parent: bytes, spans: int) -> None:
    request = export(b"\1" * 8)
    request.resource_spans[0].scope_spans[0].spans[0].parent_span_id = parent

    assert taken(request).spans == spans


@pytest.fixture
def stored() -> Iterator[Callable[..., list[tuple[object, ...]]]]:
    """Stores a request and asks a column of its spans."""
    con = open_database(None)

    def store(request: ExportTraceServiceRequest, *columns: str) -> list[tuple[object, ...]]:
        Writer(con).write([as_request(request)])
        return con.execute(f"select {', '.join(columns)} from spans").fetchall()

    yield store
    con.close()


def test_d3_flags_are_stored_with_the_bits_that_nobody_named(stored) -> None:  # type: ignore[no-untyped-def]
    request = one_span()
    request.resource_spans[0].scope_spans[0].spans[0].flags = 0xFFFFFF01 | 0x300

    assert stored(request, "flags") == [(0xFFFFFF01 | 0x300,)]


def test_d4_an_end_before_the_start_is_stored_as_it_is(stored) -> None:  # type: ignore[no-untyped-def]
    request = one_span()
    request.resource_spans[0].scope_spans[0].spans[0].end_time_unix_nano = 1

    (row,) = stored(request, "end_time_unix_nano", "kind")

    assert row[0] == 1


def test_d5_values_may_be_empty_bytes_mixed_and_nested(stored) -> None:  # type: ignore[no-untyped-def]
    request = one_span()
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.attributes.add(key="empty")
    span.attributes.add(key="bytes").value.bytes_value = b"\0"
    mixed = span.attributes.add(key="mixed").value.array_value.values
    mixed.add().int_value = 1
    mixed.add().string_value = "a"
    mixed.add().kvlist_value.values.add(key="k").value.bool_value = True

    ((text,),) = stored(request, "attributes")

    assert json.loads(text) == {"empty": None, "bytes": "AA==", "mixed": [1, "a", {"k": True}]}


def test_d6_of_a_key_that_comes_twice_the_last_is_shown_and_none_is_lost(stored) -> None:  # type: ignore[no-untyped-def]
    request = one_span(1, n=1)
    request.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="n").value.int_value = 2

    ((text, residue),) = stored(request, "attributes", "residue")

    assert json.loads(text) == {"n": 2}
    assert residue


def test_d7_one_span_id_in_two_traces_is_two_spans(stored) -> None:  # type: ignore[no-untyped-def]
    both = one_span(1)
    both.MergeFrom(one_span(1, trace_id=b"\7" * 16))

    assert len(stored(both, "span_id")) == 2


@pytest.mark.parametrize(
    "request_",
    [b"", b"\x0a\x00", b"\x0a\x02\x12\x00", b"\x0a\x04\x0a\x00\x12\x00"],
    ids=["empty", "empty resource", "empty scope", "both"],
)
def test_d8_empty_requests_are_success(client: httpx.Client, request_: bytes) -> None:
    answer = client.post("/v1/traces", content=request_, headers=PROTOBUF)

    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    "text", [b"{}", b'{"resourceSpans":[]}', b'{"resourceSpans":[{}]}', b'{"resourceSpans":null}']
)
def test_d8_empty_json_requests_are_success(client: httpx.Client, text: bytes) -> None:
    answer = client.post("/v1/traces", content=text, headers=JSON)

    assert (answer.status_code, answer.json()) == (200, {})


def test_d9_resource_scope_and_status_may_be_absent(stored) -> None:  # type: ignore[no-untyped-def]
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"\1" * 16, span_id=b"\2" * 8)

    assert taken(request).sender == "/"
    assert stored(request, "status_code") in ([(0,)], [(None,)])


@pytest.mark.parametrize("cause", list(Cause))
def test_a1_only_what_passes_has_a_code_that_clients_retry(cause: Cause) -> None:
    retried = cause.value.http in (429, 502, 503, 504)

    assert retried == cause.value.retry == (cause.value.grpc == grpc.StatusCode.UNAVAILABLE.value[0])
    assert (Refused(cause, "x").retry_s() in (1, 2, 3)) == retried


def test_a1_delays_differ_so_that_senders_spread() -> None:
    assert {Refused(Cause.BUSY, "x").retry_s() for _ in range(200)} == {1, 2, 3}


def test_a3_every_error_is_a_status_in_the_request_s_encoding(client: httpx.Client) -> None:
    for method, path, headers, content in (
        ("POST", "/v1/traces", PROTOBUF, b"\xff"),
        ("GET", "/v1/traces", PROTOBUF, b""),
        ("POST", "/v1/metrics", PROTOBUF, b""),
        ("POST", "/other", PROTOBUF, b""),
        ("POST", "/v1/traces", PROTOBUF | {"content-encoding": "br"}, b""),
    ):
        answer = client.request(method, path, headers=headers, content=content)
        assert (answer.status_code >= 400, answer.headers["content-type"]) == (True, "application/x-protobuf")
        assert Status.FromString(answer.content).message


def test_a3_what_cannot_be_decoded_says_where_as_a_bad_request(client: httpx.Client) -> None:
    answer = client.post("/v1/traces", content=b'{"resourceSpans":[{"scopeSpans":7}]}', headers=JSON)

    (detail,) = answer.json()["details"]
    assert answer.status_code == 400
    assert detail["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert "resourceSpans[0].scopeSpans" in detail["fieldViolations"][0]["description"]


def test_a3_grpc_details_hold_the_bad_request(receivers: Receivers) -> None:
    with grpc.insecure_channel(receivers.grpc) as channel, pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(EXPORT)(b"\xff\xff")

    status = Status.FromString(dict(error.value.trailing_metadata())["grpc-status-details-bin"])
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert status.details[0].Unpack(BadRequest())


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstandard.compress)],
)
def test_the_limit_holds_after_inflation(
    client: httpx.Client, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    bomb = pack(bytes(LIMIT + 1))

    answer = client.post("/v1/traces", content=bomb, headers=PROTOBUF | {"content-encoding": encoding})

    assert (answer.status_code, Status.FromString(answer.content).code) == (413, 8)
    assert "retry-after" not in answer.headers


def test_a4_a_long_message_is_shortened(client: httpx.Client) -> None:
    long = Accepted(None, 1, "x" * 10_000_000)

    assert len(long.response(as_json=False)) < 4096
    assert len(Refused(Cause.UNDECODABLE, "x" * 10_000_000).response(as_json=True)) < 16_384


def test_a5_rejected_spans_are_told_once_and_counted_here(client: httpx.Client, receivers: Receivers) -> None:
    service = f"rejecting-{os.urandom(3).hex()}"

    answer = client.post(
        "/v1/traces", content=export(b"\1" * 8, b"bad", service=service).SerializeToString(), headers=PROTOBUF
    )

    def counts() -> dict[str, dict[str, int]] | None:
        found = [json.loads(item.body) for item in receivers.accounted()]
        return next((entry["counts"] for entry in found if entry["sender"]["service"] == service), None)

    assert ExportTraceServiceResponse.FromString(answer.content).partial_success.rejected_spans == 1
    assert wait_for(counts, seconds=5, what="an accounting record") == {
        "requests": {"": 1},
        "accepted": {"": 1},
        "rejected": {"span_id is not 8 bytes": 1},
    }


def test_a6_the_same_request_again_has_the_same_digest(client: httpx.Client, receivers: Receivers) -> None:
    body = export(os.urandom(8), service="again").SerializeToString()
    for _ in range(2):
        client.post("/v1/traces", content=body, headers=PROTOBUF)

    assert len({item.digest for item in receivers.journaled() if item.sender.startswith("again/")}) == 1
