"""OTLP/JSON: what the specification allows and what real senders write becomes the same protobuf."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import HealthCheck, given, settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_requests import REQUESTS
from support import fixture

from bindtrace.collector.otlp.json import to_protobuf
from bindtrace.collector.otlp.undecodable import Undecodable

IDS = {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174"}


def span_of(**fields: Any) -> Span:
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [{**IDS, **fields}]}]}]}
    return to_protobuf(json.dumps(document).encode()).resource_spans[0].scope_spans[0].spans[0]


def value_of(value: object) -> AnyValue:
    return span_of(attributes=[{"key": "k", "value": value}]).attributes[0].value


def test_ids_are_hex_in_any_case() -> None:
    span = span_of(parentSpanId="eee19b7ec3c1b173")

    assert span.trace_id.hex() == IDS["traceId"].lower()
    assert span.span_id.hex() == IDS["spanId"].lower()
    assert span.parent_span_id.hex() == "eee19b7ec3c1b173"


def test_base64_ids_of_protobuf_printers_are_read_by_their_length() -> None:
    span = span_of(traceId="JtrUoOKw3ZpEDdX/IDokpA==", spanId="wGpR93OaMfs=")

    assert (len(span.trace_id), len(span.span_id)) == (16, 8)


@pytest.mark.parametrize("text", ["sid1", "not-a-hex-text!!", "xxxxxxxx", "0123"])
def test_a_span_id_that_is_no_id_has_a_wrong_length(text: str) -> None:
    assert len(span_of(spanId=text).span_id) not in (0, 8, 16)


@pytest.mark.parametrize("spelling", [2, "2", "SPAN_KIND_SERVER", "SERVER", "server"])
def test_an_enum_is_a_number_or_a_name(spelling: object) -> None:
    assert span_of(kind=spelling).kind == Span.SPAN_KIND_SERVER


@pytest.mark.parametrize("spelling", [2, "STATUS_CODE_ERROR", "error"])
def test_a_status_code_is_a_number_or_a_name(spelling: object) -> None:
    assert span_of(status={"code": spelling}).status.code == 2


def test_an_unknown_enum_number_is_kept() -> None:
    assert span_of(kind=5000).kind == 5000


@pytest.mark.parametrize("spelling", [1544712660000000000, "1544712660000000000"])
def test_64_bit_integers_are_text_or_number(spelling: object) -> None:
    assert span_of(startTimeUnixNano=spelling).start_time_unix_nano == 1544712660000000000


def test_snake_case_keys_are_read_too() -> None:
    assert span_of(start_time_unix_nano="5").start_time_unix_nano == 5


def test_unknown_keys_are_ignored_and_null_is_absent() -> None:
    span = span_of(note="x", attributes=None, status=None, name="n")

    assert (span.name, len(span.attributes), span.HasField("status")) == ("n", 0, False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"stringValue": ""}, AnyValue(string_value="")),
        ({"boolValue": False}, AnyValue(bool_value=False)),
        ({"intValue": "-9223372036854775808"}, AnyValue(int_value=-(2**63))),
        ({"intValue": 7}, AnyValue(int_value=7)),
        ({"intValue": 1e3}, AnyValue(int_value=1000)),
        ({"doubleValue": 1}, AnyValue(double_value=1.0)),
        ({"doubleValue": "1.5"}, AnyValue(double_value=1.5)),
        ({"doubleValue": "-Infinity"}, AnyValue(double_value=-math.inf)),
        ({"bytesValue": "/wA="}, AnyValue(bytes_value=b"\xff\x00")),
        ({"bytesValue": "_wA"}, AnyValue(bytes_value=b"\xff\x00")),
        ({}, AnyValue()),
    ],
)
def test_values_keep_their_kind(value: object, expected: AnyValue) -> None:
    assert value_of(value) == expected


def test_nan_is_a_double() -> None:
    assert math.isnan(value_of({"doubleValue": "NaN"}).double_value)


def test_arrays_and_lists_nest() -> None:
    value = value_of({"arrayValue": {"values": [{"kvlistValue": {"values": [{"key": "a"}]}}, {}]}})

    assert value.array_value.values[0].kvlist_value.values[0].key == "a"
    assert value.array_value.values[1] == AnyValue()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"1234", "an object is expected, not 1234"),
        (b"[]", "an object is expected, not a list"),
        (b"", "the body is not JSON: "),
        (b"\x0a\x02", "the body is not JSON: "),
        (b'{"resourceSpans": {}}', "resourceSpans: a list is expected, not an object"),
        (
            b'{"resourceSpans": [{"scopeSpans": [7]}]}',
            "resourceSpans[0].scopeSpans[0]: an object is expected",
        ),
    ],
)
def test_what_is_no_request_is_said_with_its_place(body: bytes, message: str) -> None:
    with pytest.raises(Undecodable) as caught:
        to_protobuf(body)

    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "SPAN_KIND_INVALID_TYPE"},
        {"kind": 2**40},
        {"flags": -1},
        {"flags": 2**32},
        {"startTimeUnixNano": 2**64},
        {"startTimeUnixNano": "soon"},
        {"traceId": 7},
        {"name": 7},
        {"attributes": [{"key": "k", "value": {"boolValue": "true"}}]},
        {"attributes": [{"key": "k", "value": {"bytesValue": "?"}}]},
        {"attributes": [{"key": "k", "value": {"intValue": 1.5}}]},
        {"attributes": [{"key": "k", "value": {"doubleValue": True}}]},
    ],
)
def test_a_value_that_does_not_fit_its_field_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(Undecodable, match=r"^resourceSpans\[0\]\.scopeSpans\[0\]\.spans\[0\]\."):
        span_of(**fields)


def test_nesting_beyond_what_protobuf_reads_is_refused() -> None:
    deep = b'{"arrayValue":{"values":[' * 200 + b"{}" + b"]}}" * 200
    body = b'{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":%s}]}}]}' % deep

    with pytest.raises(Undecodable, match="nested too deep"):
        to_protobuf(body)


def test_the_enum_and_integer_cases_of_the_collector_are_read() -> None:
    cases = json.loads(fixture("otel-collector/otlp-http-cases.json").read_text())["jsonScalars"]["Int64"]

    assert [value_of({"intValue": json.loads(case["json"])}).int_value for case in cases] == [
        int(case["value"]) for case in cases
    ]


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(message=REQUESTS)
def test_protobufs_own_json_with_base64_ids_reads_back(message: ExportTraceServiceRequest) -> None:
    """protobuf's printer writes 64-bit integers as text, enum names, and ids in base64 (16 and 8 bytes here)."""
    for part in message.resource_spans:
        for scope_spans in part.scope_spans:
            for span in scope_spans.spans:
                del span.links[:]

    assert to_protobuf(json.dumps(MessageToDict(message)).encode()) == message
