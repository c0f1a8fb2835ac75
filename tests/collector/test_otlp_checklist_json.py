"""The OTLP checklist, JSON (J): one test or more for each item, and what real senders write beside it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_documents import PARENT, SPAN, TRACE, document
from receiving import export

from bindtrace.collector.otlp.admit import Admitted, Undecodable, admit


def admitted(text: bytes) -> tuple[Span, Admitted]:
    answer = admit(text, "json")
    assert isinstance(answer, Admitted), answer
    return ExportTraceServiceRequest.FromString(answer.body).resource_spans[0].scope_spans[0].spans[0], answer


@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
def test_j1_ids_are_hex_of_any_case(case: Any) -> None:
    span, _ = admitted(document({"traceId": case(TRACE), "spanId": case(SPAN), "parentSpanId": case(PARENT)}))

    assert (span.trace_id.hex().upper(), span.span_id.hex().upper(), span.parent_span_id.hex().upper()) == (
        TRACE,
        SPAN,
        PARENT,
    )


def test_j1_link_ids_are_hex_too() -> None:
    span, _ = admitted(document({"links": [{"traceId": TRACE, "spanId": SPAN}]}))

    assert (span.links[0].trace_id.hex().upper(), span.links[0].span_id.hex().upper()) == (TRACE, SPAN)


def test_j1_base64_ids_are_taken_and_counted() -> None:
    text = base64.b64encode(bytes.fromhex(TRACE)).decode()

    span, answer = admitted(
        document({"traceId": text, "spanId": base64.b64encode(bytes.fromhex(SPAN)).decode()})
    )

    assert span.trace_id.hex().upper() == TRACE
    assert answer.quirks == {"base64-id": 2}


@pytest.mark.parametrize("kind", ["server", "SERVER", "SPAN_KIND_SERVER"])
def test_j2_enum_names_are_taken_and_counted(kind: str) -> None:
    """`"kind": "server"` is what Vercel's drains send."""
    span, answer = admitted(document({"kind": kind, "status": {"code": "STATUS_CODE_ERROR"}}))

    assert (span.kind, span.status.code) == (Span.SPAN_KIND_SERVER, 2)
    assert answer.quirks == {"enum-name": 2}


def test_j2_enum_numbers_are_no_quirk() -> None:
    span, answer = admitted(document({"kind": 2}))

    assert (span.kind, answer.quirks) == (2, {})


def test_j2_an_unknown_enum_name_is_refused() -> None:
    answer = admit(document({"kind": "backend"}), "json")

    assert isinstance(answer, Undecodable)
    assert "SPAN_KIND_SERVER" in answer.message


def test_j3_unknown_fields_are_ignored() -> None:
    span, answer = admitted(document({"novelty": {"deep": [1, {"x": None}]}}, another=[1]))

    assert (span.name, answer.quirks) == ("a", {})


def test_j4_snake_case_keys_are_taken_and_counted() -> None:
    text = json.dumps(
        {"resource_spans": [{"scope_spans": [{"spans": [{"trace_id": TRACE, "span_id": SPAN}]}]}]}
    )

    _, answer = admitted(text.encode())

    assert answer.quirks == {"snake-case-key": 4}


@pytest.mark.parametrize("value", [1700000000000000001, "1700000000000000001"])
def test_j5_64_bit_integers_are_text_or_number(value: object) -> None:
    attribute = {"key": "n", "value": {"intValue": value}}

    span, answer = admitted(document({"startTimeUnixNano": value, "attributes": [attribute]}))

    assert (span.start_time_unix_nano, span.attributes[0].value.int_value) == (1700000000000000001,) * 2
    assert answer.quirks == {}


@pytest.mark.parametrize(
    ("halves", "number"),
    [({"low": 1, "high": 395812}, 1 + (395812 << 32)), ({"low": -1, "high": 0, "unsigned": True}, 2**32 - 1)],
)
def test_j5_halves_of_an_integer_are_taken_and_counted(halves: dict[str, object], number: int) -> None:
    """OpenTelemetry JS writes times so where it has no BigInt."""
    span, answer = admitted(document({"startTimeUnixNano": halves}))

    assert span.start_time_unix_nano == number
    assert answer.quirks == {"split-integer": 1}


@pytest.mark.parametrize("halves", [{"low": 1}, {"low": "1", "high": 2}, {"low": 2**32, "high": 0}])
def test_j5_other_halves_are_refused(halves: dict[str, object]) -> None:
    assert isinstance(admit(document({"startTimeUnixNano": halves}), "json"), Undecodable)


def test_j6_bytes_are_base64_and_doubles_may_be_words() -> None:
    values = [
        {"bytesValue": "AAH/"},
        {"doubleValue": "NaN"},
        {"doubleValue": "-Infinity"},
        {"doubleValue": 1},
    ]

    span, _ = admitted(document({"attributes": [{"key": "a", "value": {"arrayValue": {"values": values}}}]}))
    found = span.attributes[0].value.array_value.values

    assert found[0].bytes_value == b"\0\1\xff"
    assert found[1].double_value != found[1].double_value
    assert (found[2].double_value, found[3].double_value) == (float("-inf"), 1.0)


@pytest.mark.parametrize("key", ["instrumentationLibrarySpans", "instrumentation_library_spans"])
def test_the_names_of_old_otlp_are_taken_and_counted(key: str) -> None:
    spans = [{"traceId": TRACE, "spanId": SPAN, "name": "old"}]
    library = {"instrumentationLibrary": {"name": "lib"}, "spans": spans}

    span, answer = admitted(json.dumps({"resourceSpans": [{key: [library]}]}).encode())

    assert span.name == "old"
    assert answer.quirks == {"instrumentation-library-spans": 2}


def test_the_protobuf_field_of_old_otlp_is_taken_and_counted() -> None:
    scope = export(b"\1" * 8).resource_spans[0].scope_spans[0].SerializeToString()
    inner = b"\xc2\x3e" + bytes([len(scope)]) + scope

    answer = admit(b"\x0a" + bytes([len(inner)]) + inner, "protobuf")

    assert isinstance(answer, Admitted)
    assert (answer.spans, answer.quirks) == (1, {"instrumentation-library-spans": 1})


def test_a_byte_order_mark_is_taken_and_counted() -> None:
    assert admitted(b"\xef\xbb\xbf" + document())[1].quirks == {"byte-order-mark": 1}


def test_text_that_is_not_utf8_is_kept_as_bytes_and_counted() -> None:
    """Envoy copies header values as they come."""
    request = export(b"\1" * 8)
    request.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="h").value.string_value = "ord@rs"

    answer = admit(request.SerializeToString().replace(b"ord@rs", b"ord\xffrs"), "protobuf")

    assert isinstance(answer, Admitted)
    kept = ExportTraceServiceRequest.FromString(answer.body).resource_spans[0].scope_spans[0].spans[0]
    assert (kept.attributes[0].value.bytes_value, answer.quirks) == (b"ord\xffrs", {"bad-utf8": 1})
