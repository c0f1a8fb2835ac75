"""A trace by id over the Tempo API: protobuf as Grafana's plugin reads it, with our judgements on its spans."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import duckdb
import pytest
from answering import Api, asked_of
from drawing import CLIENT, SERVER, draw, span
from drawn_shop import PUBLIC_ID, write_shop
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from bindtrace.collector.store.traces import trace_bytes, trace_json
from bindtrace.queries.api.jaeger import build_jaeger
from bindtrace.queries.api.tempo import build_tempo
from bindtrace.queries.database import open_database


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = open_database(write_shop(tmp_path / "shop.duckdb"))
    connection.execute(
        "insert into instrumentation_scopes (instrumentation_scope_id, dropped_attributes_count) values (?, 0)",
        [UUID(int=0)],
    )
    yield connection
    connection.close()


@pytest.fixture
def api(con: duckdb.DuckDBPyConnection) -> Api:
    return Api(build_tempo(asked_of(con), trace_bytes))


def test_v2_is_a_message_whose_first_field_is_the_trace(api: Api) -> None:
    body = api.get(f"/api/v2/traces/{PUBLIC_ID}").content

    assert body[0] == 0x0A
    # the length is a varint of two bytes for a body of 128 to 16,383 bytes
    assert (body[1] & 0x7F) + (body[2] << 7) == len(body) - 3
    spans = [
        one
        for envelope in TracesData.FromString(body[3:]).resource_spans
        for scope in envelope.scope_spans
        for one in scope.spans
    ]
    assert len(spans) == 5
    judged = {
        pair.key: pair.value.string_value for one in spans if one.span_id[-1] == 25 for pair in one.attributes
    }
    assert judged == {
        "bindtrace.road": "public",
        "bindtrace.verdict": "allowed",
        "bindtrace.reason": "declared",
        "bindtrace.grade": "claimed",
        "bindtrace.finding": "public-route",
    }


def test_status_scope_and_service_name_are_always_there(con: duckdb.DuckDBPyConnection) -> None:
    draw(con, span(None, SERVER, 41, trace=0xBB))

    trace = TracesData.FromString(trace_bytes(con, UUID(int=0xBB)))

    (envelope,) = trace.resource_spans
    assert [(pair.key, pair.value.string_value) for pair in envelope.resource.attributes] == [
        ("service.name", "unknown_service")
    ]
    assert envelope.scope_spans[0].HasField("scope")
    assert envelope.scope_spans[0].spans[0].HasField("status")


def test_a_span_that_was_sent_twice_is_shown_once_and_shared_ids_are_both(
    con: duckdb.DuckDBPyConnection,
) -> None:
    draw(
        con,
        span("a", CLIENT, 51, trace=0xCC),
        span("a", CLIENT, 51, trace=0xCC),
        span("b", SERVER, 51, trace=0xCC),
    )

    trace = TracesData.FromString(trace_bytes(con, UUID(int=0xCC)))

    kinds = [
        one.kind for envelope in trace.resource_spans for scope in envelope.scope_spans for one in scope.spans
    ]
    assert sorted(kinds) == [2, 3]


def test_an_unknown_trace_is_an_empty_one_in_v2_and_404_in_v1(api: Api) -> None:
    unknown = api.get("/api/v2/traces/abc")

    assert (unknown.status_code, unknown.content) == (200, b"\x0a\x00")
    assert api.get("/api/traces/abc").status_code == 404


def test_v1_is_the_bare_trace_and_short_ids_are_padded(api: Api) -> None:
    body = api.get(f"/api/traces/{PUBLIC_ID.lstrip('0').upper()}").content

    assert len(TracesData.FromString(body).resource_spans) == 3


def test_the_same_trace_is_to_be_had_as_otlp_json(con: duckdb.DuckDBPyConnection) -> None:
    reply = Api(build_jaeger(asked_of(con), trace_json)).get(f"/api/v3/traces/{PUBLIC_ID}")

    spans = [
        one
        for envelope in reply.json()["result"]["resourceSpans"]
        for scope in envelope["scopeSpans"]
        for one in scope["spans"]
    ]
    assert {one["traceId"] for one in spans} == {PUBLIC_ID}
