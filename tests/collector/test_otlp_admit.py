"""Admission: invalid spans are taken out and counted, everything else is taken as it is."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_requests import as_request, attributes, one_span, spans_of
from support import FIXTURES, fixture

from bindtrace.collector.otlp.admit import Admitted, Encoding, Undecodable, admit
from bindtrace.collector.otlp.readback import read_requests
from bindtrace.collector.otlp.rows import to_tables
from bindtrace.queries.database import open_database


def admitted(body: bytes, encoding: Encoding = "protobuf") -> Admitted:
    answer = admit(body, encoding)
    assert isinstance(answer, Admitted)
    return answer


def test_good_protobuf_comes_back_as_the_same_object() -> None:
    body = one_span().SerializeToString()

    answer = admitted(body)

    assert answer.body is body
    assert answer == Admitted(body, 1, 0, "", "orders/")


def test_an_empty_request_is_a_success() -> None:
    assert admitted(b"") == Admitted(b"", 0, 0, "", "/")
    assert admitted(b"{}", "json") == Admitted(b"", 0, 0, "", "/")


def test_the_sender_is_service_and_sdk_of_the_first_resource() -> None:
    message = one_span()
    message.resource_spans[0].resource.attributes.extend(attributes(telemetry__sdk__name="envoy"))

    assert admitted(message.SerializeToString()).sender == "orders/envoy"


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("trace_id", b"", "trace_id is not 16 bytes"),
        ("trace_id", b"x" * 8, "trace_id is not 16 bytes"),
        ("trace_id", bytes(16), "trace_id is all zero"),
        ("span_id", b"", "span_id is not 8 bytes"),
        ("span_id", bytes(8), "span_id is all zero"),
        ("parent_span_id", b"abc", "parent_span_id is neither empty nor 8 bytes"),
    ],
)
def test_an_invalid_span_is_taken_out_and_the_rest_kept(field: str, value: bytes, reason: str) -> None:
    message = one_span(1)
    spans = message.resource_spans[0].scope_spans[0].spans
    bad = spans.add()
    bad.CopyFrom(spans[0])
    setattr(bad, field, value)
    spans.add().CopyFrom(spans[0])

    answer = admitted(message.SerializeToString())

    assert (answer.spans, answer.rejected) == (2, 1)
    assert answer.message == f"rejected spans: 1 because {reason}"
    kept = ExportTraceServiceRequest.FromString(answer.body).resource_spans[0].scope_spans[0].spans
    assert list(kept) == [spans[0], spans[2]]


@pytest.mark.parametrize("parent", [b"", bytes(8)])
def test_no_parent_and_a_zero_parent_are_valid(parent: bytes) -> None:
    message = one_span()
    message.resource_spans[0].scope_spans[0].spans[0].parent_span_id = parent

    assert admitted(message.SerializeToString()).rejected == 0


@pytest.mark.parametrize(
    "body",
    [b"\x0a\xff", b"{}", b"garbage", b"\x0a\x05\x0a\x03\x0a\x01\x0a", one_span().SerializeToString()[:-1]],
)
def test_what_is_no_protobuf_request_is_undecodable(body: bytes) -> None:
    answer = admit(body, "protobuf")

    assert isinstance(answer, Undecodable)
    assert answer.message.startswith("the body is not an OTLP traces request in protobuf")


def test_a_service_name_that_is_not_utf8_does_not_lose_the_request() -> None:
    body = one_span(service="orders").SerializeToString().replace(b"orders", b"ord\xffrs")

    answer = admit(body, "protobuf")

    assert isinstance(answer, Admitted)
    assert (answer.spans, answer.quirks) == (1, {"bad-utf8": 1})


def documents() -> list[str]:
    """Every OTLP JSON file among the outside fixtures."""
    return [
        str(path.relative_to(FIXTURES))
        for path in sorted(FIXTURES.rglob("*.json*"))
        if b'"resourceSpans"' in path.read_bytes() and "invalid" not in path.parts
    ]


@pytest.mark.parametrize("name", documents() or ["opentelemetry-proto/trace.json"])
def test_recorded_telemetry_is_accepted_and_reads_back_equal(name: str) -> None:
    texts = recorded(fixture(name))
    answers = [admitted(text, "json") for text in texts]
    expected = [ExportTraceServiceRequest.FromString(answer.body) for answer in answers]
    con = open_database(None)
    for message in expected:
        store(con, message)

    found = sum((spans_of(message) for message in read_requests(con)), start=Counter())

    assert found == sum((spans_of(message) for message in expected), start=Counter())
    assert sum(answer.spans + answer.rejected for answer in answers) == sum(map(spans_in, texts))


def recorded(path: Path) -> list[bytes]:
    body = path.read_bytes()
    return body.splitlines() if path.suffix == ".jsonl" else [body]


def spans_in(text: bytes) -> int:
    return sum(
        len(scope.get("spans", ()))
        for part in json.loads(text)["resourceSpans"]
        for scope in part.get("scopeSpans", ())
    )


def store(con, message: ExportTraceServiceRequest) -> None:  # type: ignore[no-untyped-def]
    known = {row[0] for row in con.execute("select resource_id from resources").fetchall()}
    scopes = {
        row[0]
        for row in con.execute("select instrumentation_scope_id from instrumentation_scopes").fetchall()
    }
    loaded = to_tables([as_request(message)], 1)
    con.register("loaded", loaded.spans)
    con.execute("insert into spans select * from loaded")
    for name, ids, column in (
        ("resources", known, "resource_id"),
        ("instrumentation_scopes", scopes, "instrumentation_scope_id"),
    ):
        table = getattr(loaded, name)
        new = [row not in ids for row in table[column].to_pylist()]
        con.register("loaded", table.filter(new))
        con.execute(f"insert into {name} select * from loaded")


@pytest.mark.parametrize("name", ["malformed.json", "trace_invalid_kind.json"])
def test_recorded_faults_are_refused(name: str) -> None:
    assert isinstance(admit(fixture(f"otlp2parquet/invalid/{name}").read_bytes(), "json"), Undecodable)


def test_ids_of_the_wrong_length_reject_their_spans_only() -> None:
    """Data Prepper's test request has 8-byte trace ids in base64."""
    answer = admitted(fixture("data-prepper-otlp/test-request-multiple-traces.json").read_bytes(), "json")

    assert (answer.spans, answer.rejected) == (0, 4)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("trace_id", b"\1" * 15), ("trace_id", bytes(16)), ("span_id", b""), ("span_id", bytes(8)),
        ("parent_span_id", b"\1"), ("parent_span_id", bytes(8)), ("parent_span_id", b"\n" * 8), ("name", "x"),
    ],
)  # fmt: skip
def test_many_spans_are_judged_as_few_are(field: str, value: object) -> None:
    """Large requests are checked in another way (idcheck.py)."""
    many = one_span()
    span = many.resource_spans[0].scope_spans[0].spans[0]
    many.resource_spans[0].scope_spans[0].spans.extend([span] * 500)
    setattr(many.resource_spans[0].scope_spans[0].spans[250], field, value)
    single = one_span()
    setattr(single.resource_spans[0].scope_spans[0].spans[0], field, value)

    of_many, of_one = (
        admit(many.SerializeToString(), "protobuf"),
        admit(single.SerializeToString(), "protobuf"),
    )

    assert isinstance(of_many, Admitted)
    assert isinstance(of_one, Admitted)
    assert (of_many.spans, of_many.rejected, of_many.message) == (
        500 + of_one.spans,
        of_one.rejected,
        of_one.message,
    )
