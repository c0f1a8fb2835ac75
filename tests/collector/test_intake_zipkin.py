"""Zipkin v2 JSON becomes OTLP: what is kept, what is marked, and what is rejected."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from otlp_compared import Flat, flat
from support import fixture

from bindtrace.collector.intakes import zipkin
from bindtrace.collector.otlp.admit import admit_message
from bindtrace.collector.otlp.json import to_protobuf
from bindtrace.collector.otlp.undecodable import Undecodable

SPAN: dict[str, Any] = {"traceId": "a" * 16, "id": "b" * 16, "name": "get", "timestamp": 1_000, "duration": 5}


def one(**given: object) -> Flat:
    (span,) = flat(zipkin.from_document([SPAN | given]))
    return span


@pytest.mark.parametrize("name", ["ascend", "envoy", "messaging", "skew"])
def test_recorded_spans_agree_with_their_otlp_copy(name: str) -> None:
    """But for two names: the copies say `peer.service`, which is deprecated, and leave the local port out."""
    copied = flat(to_protobuf(fixture(f"zipkin/otlp/{name}.otlp.json").read_bytes()))
    renamed = {"peer.service": zipkin.PEER_SERVICE}
    expected = [
        span._replace(attributes={renamed.get(key, key): value for key, value in span.attributes.items()})
        for span in copied
    ]

    converted = flat(zipkin.to_request(fixture(f"zipkin/{name}.json").read_bytes()))

    for span in converted:
        span.attributes.pop("network.local.port", None)
    assert converted == expected


def test_every_trace_of_zipkins_own_linker_tests_is_admitted() -> None:
    cases = orjson.loads(fixture("zipkin/dependency-linker-cases.json").read_bytes())["cases"]
    traces = [trace for case in cases for trace in case.get("traces", [])]

    admitted = [admit_message(zipkin.from_document(trace), None) for trace in traces]

    assert traces
    assert [found.spans for found in admitted] == [len(trace) for trace in traces]


def test_both_spans_of_a_shared_id_are_kept_and_the_servers_is_marked() -> None:
    server, client = flat(
        zipkin.from_document(
            [SPAN | {"kind": "CLIENT"}, SPAN | {"kind": "SERVER", "shared": True, "timestamp": 1_001}]
        )
    )

    assert client.span_id == server.span_id
    assert (client.kind, server.kind) == (3, 2)
    assert (client.attributes, server.attributes) == ({}, {"zipkin.shared": True})


def test_a_64_bit_trace_id_is_padded_on_the_left() -> None:
    assert one(traceId="48485a3953bb6124").trace_id == "0" * 16 + "48485a3953bb6124"


@pytest.mark.parametrize("parent", [None, "", "0000000000000000", SPAN["id"]])
def test_no_parent_zeros_and_the_span_itself_mean_a_root(parent: str | None) -> None:
    assert one(parentId=parent).parent_span_id == ""


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"id": "not hex"}, "span_id is not 8 bytes"),
        ({"id": "1" * 17}, "span_id is not 8 bytes"),
        ({"id": 7}, "span_id is not 8 bytes"),
        ({"traceId": "+1"}, "trace_id is not 16 bytes"),
        ({"traceId": None}, "trace_id is not 16 bytes"),
        ({"traceId": "0"}, "trace_id is all zero"),
        ({"parentId": "xyz"}, "parent_span_id is neither empty nor 8 bytes"),
    ],
)
def test_a_span_without_a_usable_id_is_rejected_and_the_rest_kept(given: dict[str, Any], reason: str) -> None:
    admitted = admit_message(zipkin.from_document([SPAN, SPAN | given]), None)

    assert (admitted.spans, admitted.rejected) == (1, 1)
    assert reason in admitted.message


def test_microseconds_become_nanoseconds() -> None:
    span = one(timestamp=1_502_787_600_000_001, duration=207_000)

    assert (span.start, span.end) == (1_502_787_600_000_001_000, 1_502_787_600_207_001_000)


def test_a_span_without_a_timestamp_begins_and_ends_with_its_annotations() -> None:
    annotations = [{"timestamp": 20, "value": "b"}, {"timestamp": 10, "value": "a"}]

    span = one(timestamp=None, duration=None, annotations=annotations)

    assert (span.start, span.end) == (10_000, 20_000)
    assert [name for _, name, _ in span.events] == ["b", "a"]


@pytest.mark.parametrize(
    ("tags", "status", "message"),
    [
        ({"error": "timeout"}, 2, "timeout"),
        ({"error": "true"}, 2, ""),
        ({"error": ""}, 2, ""),
        ({"error": "false"}, 0, ""),
        ({"otel.status_code": "OK", "error": "odd"}, 1, ""),
        ({"otel.status_code": "ERROR", "otel.status_description": "refused"}, 2, "refused"),
        ({}, 0, ""),
    ],
)
def test_the_error_tag_becomes_the_status(tags: dict[str, str], status: int, message: str) -> None:
    span = one(tags=tags)

    assert (span.status, span.message) == (status, message)
    assert span.attributes.keys() == tags.keys() - {"otel.status_code", "otel.status_description"}


def test_endpoints_become_the_resource_and_the_peer() -> None:
    span = one(
        kind="CLIENT",
        localEndpoint={"serviceName": "edge", "ipv4": "10.0.0.1", "ipv6": "::1", "port": 80},
        remoteEndpoint={"serviceName": "orders", "ipv4": "10.0.0.2", "port": 8443},
    )

    assert span.resource == {"service.name": "edge", "host.ip": ["10.0.0.1", "::1"]}
    assert span.attributes == {
        "service.peer.name": "orders",
        "network.peer.address": "10.0.0.2",
        "network.peer.port": 8443,
        "network.local.port": 80,
    }


def test_a_tag_wins_over_what_an_endpoint_says() -> None:
    span = one(tags={"service.peer.name": "by tag"}, remoteEndpoint={"serviceName": "by endpoint"})

    assert span.attributes == {"service.peer.name": "by tag"}


def test_the_debug_flag_is_kept() -> None:
    assert one(debug=True).attributes == {"zipkin.debug": True}


def test_tags_that_are_numbers_become_text() -> None:
    assert one(tags={"http.status_code": 200, "ok": True}).attributes == {
        "http.status_code": "200",
        "ok": "true",
    }


def test_an_instrumentations_name_becomes_the_scope() -> None:
    request = zipkin.from_document([SPAN | {"tags": {"otel.scope.name": "io.x", "otel.scope.version": "2"}}])

    (scope_spans,) = request.resource_spans[0].scope_spans
    assert (scope_spans.scope.name, scope_spans.scope.version) == ("io.x", "2")
    assert not scope_spans.spans[0].attributes


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "the body is not JSON"),
        (b"7", "Zipkin's spans are a JSON list"),
        (b"[7]", "[0]: a list of objects is expected"),
        (b'[{"tags": []}]', "[0].tags: an object is expected"),
        (b'[{"tags": {"a": {}}}]', "[0].tags.a: text is expected"),
        (b'[{"kind": "BOTH"}]', "[0].kind: 'BOTH' is none of CLIENT"),
        (b'[{"timestamp": "soon"}]', "[0].timestamp: microseconds are a whole number"),
        (b'[{"timestamp": -1}]', "[0].timestamp: the time is outside"),
        (b'[{"timestamp": 1e300}]', "[0].timestamp: the time is outside"),
        (b'[{"timestamp": true}]', "[0].timestamp: microseconds are a number"),
        (b'[{"annotations": [7]}]', "[0].annotations: a list of objects is expected"),
        (b'[{"remoteEndpoint": {"port": 99999}}]', "[0].remoteEndpoint.port: a port is a number"),
    ],
)
def test_what_is_no_zipkin_is_named_with_its_field(body: bytes, said: str) -> None:
    with pytest.raises(Undecodable) as fault:
        zipkin.to_request(body)

    assert said in str(fault.value)
