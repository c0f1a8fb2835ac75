"""The columnar decoder gives the rows of the loop, for any request, and leaves to the loop what only it reads."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from otlp_requests import REQUESTS, as_request, attributes, one_span
from support import FIXTURES, fixture

from bindtrace.collector.journal.record import Request
from bindtrace.collector.otlp import columnar, rows
from bindtrace.collector.otlp.columnar_spans import flatten
from bindtrace.collector.otlp.columnar_wire import decode
from bindtrace.collector.otlp.tables import Tables
from bindtrace.collector.reading import read_messages
from bindtrace.propagation.concepts import CAPTURED_BINDING_HEADER_KEYS, SERVER_PORT_KEYS, SPAN_CONCEPTS
from bindtrace.propagation.errors import Refusal

NAMES = ("spans", "resources", "instrumentation_scopes", "trace_links")


@pytest.fixture(autouse=True)
def _no_shortcut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small groups go through the columns, too."""
    monkeypatch.setattr(columnar, "LOOP_SPANS", -1)


def content(tables: Tables) -> dict[str, Any]:
    """Rows counted: their order is no promise."""
    plain = {name: Counter(tuple(row.items()) for row in getattr(tables, name).to_pylist()) for name in NAMES}
    return plain | {"refused": sorted(entry.request.body for entry in tables.refused)}


def assert_all_read(messages: list[ExportTraceServiceRequest]) -> None:
    """None of them is left to the loop because columns fail."""
    flatten(decode([message.SerializeToString() for message in messages]))


def assert_equal(requests: list[Request]) -> Tables:
    found = columnar.to_tables(requests, 7)
    expected = rows.to_tables(requests, 7)
    assert content(found) == content(expected)
    assert [getattr(found, name).schema for name in NAMES] == [
        getattr(expected, name).schema for name in NAMES
    ]
    return found


def loop_never_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Tables:
        raise AssertionError("the loop was asked")

    monkeypatch.setattr(columnar.rows, "to_tables", refuse)


def with_pairs(*pairs: KeyValue) -> ExportTraceServiceRequest:
    message = one_span()
    message.resource_spans[0].scope_spans[0].spans[0].attributes.extend(pairs)
    return message


# What senders write into the keys that concepts read: usable, odd and empty, alone and in company.
_CONCEPT_KEYS = st.sampled_from(
    [
        *sorted({key for concept in SPAN_CONCEPTS for key in concept.keys}),
        *SERVER_PORT_KEYS.values(),
        *CAPTURED_BINDING_HEADER_KEYS,
    ]
)
_CONCEPT_VALUES = st.one_of(
    st.sampled_from(
        (
            "", "GET", "200", "070000", "/a/b?c#d", "/plain", "https://User@Shop.Example:443/x?y", "http",
            "10.0.0.1:80", "[::1]:8080", "svc.internal.", '"quoted"\n', "0af7651916cd43dd8448eb211c80319c",
            'caller="a"; chain="c1"; callee="b"; hop=2', 'a;chain="0af7651916cd43dd8448eb211c80319c"', "é",
        )
    ).map(lambda text: AnyValue(string_value=text)),
    st.sampled_from((0, 1, 80, 443, 8080, 65535, 65536, -1)).map(lambda number: AnyValue(int_value=number)),
    st.sampled_from((True, False)).map(lambda flag: AnyValue(bool_value=flag)),
    st.sampled_from((1.0, 2.5, float("nan"))).map(lambda number: AnyValue(double_value=number)),
    st.just(AnyValue()),
    st.sampled_from((["x-1"], [], ["10.0.0.1", "b"])).map(
        lambda texts: AnyValue(array_value={"values": [AnyValue(string_value=text) for text in texts]})
    ),
)  # fmt: skip
_CONCEPT_SPANS = st.lists(st.dictionaries(_CONCEPT_KEYS, _CONCEPT_VALUES, max_size=8), min_size=1, max_size=6)


@pytest.mark.slow
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(messages=st.lists(REQUESTS, max_size=4))
def test_any_requests_give_the_rows_of_the_loop(messages: list[ExportTraceServiceRequest]) -> None:
    assert_all_read(messages)
    assert_equal([as_request(message, received=at) for at, message in enumerate(messages)])


@settings(deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))
@given(spans=_CONCEPT_SPANS)
def test_concepts_of_any_attributes_are_those_of_the_loop(spans: list[dict[str, AnyValue]]) -> None:
    message = one_span()
    holder = message.resource_spans[0].scope_spans[0].spans
    for place, values in enumerate(spans):
        span = holder.add(trace_id=bytes([place + 1] * 16), span_id=bytes([place + 1] * 8))
        span.attributes.extend([KeyValue(key=key, value=value) for key, value in values.items()])

    assert_equal([as_request(message)])


def otlp_files() -> list[Path]:
    return sorted(
        path
        for folder in (
            "captured",
            "crisp",
            "otel-collector",
            "opentelemetry-proto",
            "otlp2parquet",
            "duckdb-otlp",
        )
        for path in (FIXTURES / folder).rglob("*.json*")
        if path.is_file() and path.stat().st_size < 2_000_000
    )


def test_every_recorded_otlp_file_gives_the_rows_of_the_loop() -> None:
    fixture("captured")
    requests = []
    for path in otlp_files():
        with contextlib.suppress(Refusal, click.ClickException, ValueError):
            requests += [as_request(message) for message in read_messages(str(path))]

    found = assert_equal(requests)

    assert found.spans.num_rows > 100


def test_plain_requests_never_reach_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    requests = [
        as_request(one_span(number, http__route=f"/{number}", http__status_code=200))
        for number in range(1, 9)
    ]
    expected = rows.to_tables(requests, 7)
    loop_never_used(monkeypatch)

    assert content(columnar.to_tables(requests, 7)) == content(expected)


def test_values_that_json_cannot_hold_stay_in_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Node.js SDKs send null attributes as empty values, so a residue is nothing rare."""
    message = with_pairs(
        KeyValue(key="none"),
        KeyValue(key="raw", value=AnyValue(bytes_value=b"\xff")),
        KeyValue(key="nan", value=AnyValue(double_value=float("nan"))),
    )
    expected = rows.to_tables([as_request(message)], 7)
    loop_never_used(monkeypatch)

    assert content(columnar.to_tables([as_request(message)], 7)) == content(expected)


def test_a_request_that_cannot_be_decoded_takes_no_other_with_it() -> None:
    good = [as_request(one_span(number)) for number in range(1, 6)]
    broken = good[0]._replace(body=good[0].body + b"\x0a\xff")
    panic = good[0]._replace(body=b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f")
    short = one_span(9)
    short.resource_spans[0].scope_spans[0].spans[0].span_id = b"abc"

    found = assert_equal([*good[:2], broken, good[2], panic, *good[3:], as_request(short)])

    assert found.spans.num_rows == 5
    assert len(found.refused) == 3


def test_messages_sent_in_parts_are_merged_as_protobuf_does() -> None:
    """Resource and status may come twice; the parts are one."""
    whole = one_span(1)
    inner = whole.resource_spans[0]
    span = inner.scope_spans[0].spans[0].SerializeToString() + b"\x7a\x04\x12\x02no" + b"\x7a\x02\x18\x02"
    resource = b"".join(
        b"\x0a" + bytes([len(part)]) + part
        for part in (
            type(inner.resource)(attributes=attributes(a=name)).SerializeToString() for name in ("x", "y")
        )
    )
    scope = b"\x12" + bytes([len(span)]) + span
    part = resource + b"\x12" + bytes([len(scope)]) + scope
    body = b"\x0a" + (len(part) | 0x80 if len(part) > 127 else len(part)).to_bytes(1, "big")
    body += b"\x01" * (len(part) > 127) + part

    found = assert_equal([as_request(whole)._replace(body=body)])

    assert found.spans.select(["status_code", "status_message"]).to_pylist() == [
        {"status_code": 2, "status_message": "no"}
    ]


def test_a_value_with_two_members_reads_as_protobuf_reads_it() -> None:
    pair = b"\x0a\x01k\x12\x05\x0a\x01x\x18\x05"
    whole = one_span(1)
    span = whole.resource_spans[0].scope_spans[0].spans[0].SerializeToString() + b"\x4a\x0a" + pair
    scope = b"\x12" + bytes([len(span)]) + span
    part = b"\x12" + bytes([len(scope)]) + scope
    body = b"\x0a" + bytes([len(part)]) + part

    found = assert_equal([as_request(whole)._replace(body=body)])

    assert json.loads(found.spans["attributes"][0].as_py()) == {"k": 5}


def test_groups_larger_than_one_call_are_one_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columnar, "CALL_BYTES", 100)

    found = assert_equal([as_request(one_span(number)) for number in range(1, 20)])

    assert (found.spans.num_rows, found.resources.num_rows) == (19, 1)


def test_nothing_is_an_empty_load() -> None:
    assert assert_equal([]).spans.num_rows == 0
    assert isinstance(columnar.to_tables([], 1).spans, pa.Table)
