"""What is too long to be stored and read again is cut and counted, and everything beside it is kept."""

from __future__ import annotations

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_requests import attributes, one_span

from bindtrace.collector.otlp.admit import Admitted, admit
from bindtrace.collector.otlp.quirks import LONG_VALUE
from bindtrace.collector.otlp.shorten import MAX_LIST_BYTES, MAX_VALUE_BYTES


def admitted(message: ExportTraceServiceRequest) -> tuple[Admitted, ExportTraceServiceRequest]:
    answer = admit(message.SerializeToString(), "protobuf")
    assert isinstance(answer, Admitted)
    return answer, ExportTraceServiceRequest.FromString(answer.body)


def test_a_long_text_is_cut_at_a_letter_and_counted() -> None:
    message = one_span(1, http__route="/a")
    message.resource_spans[0].scope_spans[0].spans[0].attributes.extend(
        attributes(long="é" * MAX_VALUE_BYTES)
    )

    answer, kept = admitted(message)

    route, long = kept.resource_spans[0].scope_spans[0].spans[0].attributes
    assert (route.value.string_value, long.value.string_value) == ("/a", "é" * (MAX_VALUE_BYTES // 2))
    assert (answer.spans, answer.quirks) == (1, {LONG_VALUE: 1})


def test_long_bytes_deep_in_an_event_and_a_long_status_are_cut() -> None:
    message = one_span(1)
    span = message.resource_spans[0].scope_spans[0].spans[0]
    inner = span.events.add(name="e").attributes.add(key="list").value.array_value.values.add()
    inner.bytes_value = bytes(MAX_VALUE_BYTES + 1)
    span.status.message = "x" * (MAX_VALUE_BYTES + 1)

    answer, kept = admitted(message)

    span = kept.resource_spans[0].scope_spans[0].spans[0]
    assert len(span.events[0].attributes[0].value.array_value.values[0].bytes_value) == MAX_VALUE_BYTES
    assert len(span.status.message) == MAX_VALUE_BYTES
    assert answer.quirks == {LONG_VALUE: 2}


def test_of_a_list_without_end_the_rest_is_dropped_and_counted() -> None:
    message = one_span(1)
    span = message.resource_spans[0].scope_spans[0].spans[0]
    span.attributes.extend(attributes(**{f"key{number}": "x" * 1000 for number in range(5000)}))
    span.dropped_attributes_count = 3

    answer, kept = admitted(message)

    span = kept.resource_spans[0].scope_spans[0].spans[0]
    assert sum(pair.ByteSize() for pair in span.attributes) <= MAX_LIST_BYTES
    assert span.dropped_attributes_count == 3 + 5000 - len(span.attributes)
    assert answer.quirks == {LONG_VALUE: 5000 - len(span.attributes)}


def test_many_ordinary_values_in_a_large_request_stay_the_same_bytes() -> None:
    message = ExportTraceServiceRequest()
    for number in range(1, 700):
        message.MergeFrom(one_span(number, text="x" * 1000))
    body = message.SerializeToString()
    assert len(body) > MAX_VALUE_BYTES

    answer, _ = admitted(message)

    assert (answer.body, answer.quirks) == (body, {})


def test_one_long_text_among_the_spans_of_an_ordinary_request_is_found() -> None:
    message = ExportTraceServiceRequest()
    for number in range(1, 100):
        message.MergeFrom(one_span(number, text="x" * 1000))
    message.resource_spans[50].scope_spans[0].spans[0].name = "n" * (MAX_VALUE_BYTES + 1)

    answer, kept = admitted(message)

    assert len(kept.resource_spans[50].scope_spans[0].spans[0].name) == MAX_VALUE_BYTES
    assert (answer.spans, answer.quirks) == (99, {LONG_VALUE: 1})


def test_a_long_text_of_a_resource_is_found() -> None:
    message = one_span(1)
    message.resource_spans[0].resource.attributes.extend(attributes(banner="b" * (MAX_VALUE_BYTES + 1)))

    answer, kept = admitted(message)

    assert len(kept.resource_spans[0].resource.attributes[-1].value.string_value) == MAX_VALUE_BYTES
    assert answer.quirks == {LONG_VALUE: 1}
