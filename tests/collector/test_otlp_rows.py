"""Rows hold what was sent: written through Arrow into DuckDB and read back, nothing is lost or altered."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest
from google.protobuf.descriptor import Descriptor
from hypothesis import HealthCheck, given, settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status
from otlp_requests import REQUESTS, TRACE_ID, as_request, attributes, one_span, spans_of

from bindtrace.collector.otlp import tables
from bindtrace.collector.otlp.readback import read_requests
from bindtrace.collector.otlp.rows import to_tables
from bindtrace.queries.database import open_database


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = open_database(None)
    yield connection
    connection.close()


def stored(con: duckdb.DuckDBPyConnection, *messages: ExportTraceServiceRequest) -> tables.Tables:
    """Puts the messages into the otherwise empty database."""
    loaded = to_tables([as_request(message) for message in messages], 7)
    for name in ("spans", "resources", "instrumentation_scopes", "trace_links"):
        con.execute(f"truncate {name}")
        con.register("loaded", getattr(loaded, name))
        con.execute(f"insert into {name} select * from loaded")
        con.unregister("loaded")
    return loaded


def read_back(con: duckdb.DuckDBPyConnection) -> Counter[tuple[bytes, ...]]:
    total: Counter[tuple[bytes, ...]] = Counter()
    for message in read_requests(con):
        total += spans_of(message)
    return total


@pytest.mark.slow
@settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
@given(message=REQUESTS)
def test_any_request_reads_back_byte_for_byte(
    con: duckdb.DuckDBPyConnection, message: ExportTraceServiceRequest
) -> None:
    stored(con, message)

    assert read_back(con) == spans_of(message)


@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(message=REQUESTS)
def test_every_stored_text_is_json_that_duckdb_reads(
    con: duckdb.DuckDBPyConnection, message: ExportTraceServiceRequest
) -> None:
    stored(con, message)

    bad = con.execute(
        """
        select count(*) from (
            select unnest([attributes, events, links]) as text from spans
            union all select attributes from resources
            union all select attributes from instrumentation_scopes
        ) where text is not null and not json_valid(text)
        """
    ).fetchone()

    assert bad == (0,)


def test_attributes_that_json_holds_leave_no_residue(con: duckdb.DuckDBPyConnection) -> None:
    stored(con, one_span(1, http__route="/a", http__status_code=200))

    row = con.execute("select attributes, residue, events, links from spans").fetchone()

    assert row == ('{"http.route":"/a","http.status_code":200}', None, None, None)


def test_bytes_are_readable_text_in_json_and_exact_in_the_residue(con: duckdb.DuckDBPyConnection) -> None:
    message = one_span(1, first="x")
    message.resource_spans[0].scope_spans[0].spans[0].attributes.add(
        key="raw", value=AnyValue(bytes_value=b"\xff\x00")
    )
    stored(con, message)

    text, residue = con.execute("select attributes, residue from spans").fetchone() or ()

    assert json.loads(text) == {"first": "x", "raw": "/wA="}
    assert list(Span.FromString(residue).attributes) == [
        KeyValue(key="raw", value=AnyValue(bytes_value=b"\xff\x00"))
    ]


def test_a_repeated_key_keeps_its_last_value_in_json(con: duckdb.DuckDBPyConnection) -> None:
    message = one_span()
    span = message.resource_spans[0].scope_spans[0].spans[0]
    span.attributes.extend([*attributes(a="one", b="x"), *attributes(a="two")])
    stored(con, message)

    assert con.execute("select attributes from spans").fetchone() == ('{"a":"two","b":"x"}',)
    assert read_back(con) == spans_of(message)


def test_equal_resources_are_one_row_and_the_empty_one_has_a_fixed_id(con: duckdb.DuckDBPyConnection) -> None:
    bare = one_span(3)
    bare.resource_spans[0].ClearField("resource")
    first = stored(con, one_span(1), one_span(2), bare)
    again = to_tables([as_request(bare)], 9)

    assert con.execute("select service from resources order by 1 nulls last").fetchall() == [
        ("orders",),
        (None,),
    ]
    assert again.resources["resource_id"][0] == first.resources["resource_id"][1]


def test_a_chain_that_names_another_trace_is_a_trace_link_once_per_load() -> None:
    chain = "0af7651916cd43dd8448eb211c80319c"
    loaded = to_tables(
        [
            as_request(one_span(1, bindtrace__chain=chain)),
            as_request(one_span(2, bindtrace__chain=chain.upper())),
            as_request(one_span(3, bindtrace__chain=TRACE_ID.hex())),
            as_request(one_span(4, bindtrace__chain="not a chain")),
        ],
        4,
    )

    links = [
        (row["chain"].hex, row["trace_id"].hex, row["load_id"]) for row in loaded.trace_links.to_pylist()
    ]

    assert links == [(chain, TRACE_ID.hex(), 4)]


def test_a_request_that_cannot_be_decoded_takes_no_other_with_it() -> None:
    good = as_request(one_span(1))
    broken = good._replace(body=good.body + b"\x0a\xff")
    short = one_span(2)
    short.resource_spans[0].scope_spans[0].spans[0].span_id = b"abc"

    loaded = to_tables([broken, good, as_request(short)], 1)

    assert loaded.spans.num_rows == 1
    assert [refused.request.body for refused in loaded.refused] == [broken.body, as_request(short).body]


# --- schema ------------------------------------------------------------------------------------------

_ARROW = {
    "UUID": pa.uuid(), "UBIGINT": pa.uint64(), "UINTEGER": pa.uint32(), "USMALLINT": pa.uint16(),
    "UTINYINT": pa.uint8(), "VARCHAR": pa.string(), "BLOB": pa.binary(),
}  # fmt: skip


@pytest.mark.parametrize("name", ["spans", "resources", "instrumentation_scopes", "trace_links", "requests"])
def test_arrow_tables_have_exactly_the_columns_of_the_database(
    con: duckdb.DuckDBPyConnection, name: str
) -> None:
    columns = con.execute(
        "select column_name, data_type from duckdb_columns() where table_name = ? order by column_index",
        [name],
    ).fetchall()

    assert [(field.name, field.type) for field in getattr(tables, name.upper())] == [
        (column, _ARROW[kind]) for column, kind in columns
    ]


PLACES = {
    "ResourceSpans": {"resource": "resources", "scope_spans": "spans", "schema_url": "resources.schema_url"},
    "Resource": {
        "attributes": "resources.attributes",
        "dropped_attributes_count": "resources.dropped_attributes_count",
        "entity_refs": "resources.residue",
    },
    "ScopeSpans": {
        "scope": "instrumentation_scopes",
        "spans": "spans",
        "schema_url": "instrumentation_scopes.schema_url",
    },
    "InstrumentationScope": {
        name: f"instrumentation_scopes.{name}"
        for name in ("name", "version", "attributes", "dropped_attributes_count")
    },
    "Span": {
        name: f"spans.{name}"
        for name in (
            "trace_id", "span_id", "trace_state", "parent_span_id", "flags", "name", "kind",
            "start_time_unix_nano", "end_time_unix_nano", "attributes", "dropped_attributes_count", "events",
            "dropped_events_count", "links", "dropped_links_count",
        )
    } | {"status": "spans.status_code"},
    "Status": {"message": "spans.status_message", "code": "spans.status_code"},
    "Event": dict.fromkeys(("time_unix_nano", "name", "attributes", "dropped_attributes_count"), "events"),
    "Link": dict.fromkeys(
        ("trace_id", "span_id", "trace_state", "attributes", "dropped_attributes_count", "flags"), "links"
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "message",
    [ResourceSpans, Resource, ScopeSpans, InstrumentationScope, Span, Status, Span.Event, Span.Link],
    ids=lambda message: str(message.DESCRIPTOR.name),
)
def test_every_otlp_field_has_a_place_in_the_schema(con: duckdb.DuckDBPyConnection, message: type) -> None:
    descriptor: Descriptor = message.DESCRIPTOR  # type: ignore[attr-defined]
    places = PLACES[descriptor.name]
    columns = {
        f"{table}.{column}"
        for table, column in con.execute("select table_name, column_name from duckdb_columns()").fetchall()
    }

    assert {field.name for field in descriptor.fields} == set(places)
    assert {place for place in places.values() if "." in place} <= columns


@pytest.mark.parametrize(
    ("message", "column"), [(Span.Event, "events"), (Span.Link, "links")], ids=["events", "links"]
)
def test_every_field_of_events_and_links_is_a_key_of_their_json(
    con: duckdb.DuckDBPyConnection, message: type, column: str
) -> None:
    sent = one_span()
    getattr(sent.resource_spans[0].scope_spans[0].spans[0], column).add()
    stored(con, sent)

    (text,) = con.execute(f"select {column} from spans").fetchone() or ("",)

    assert set(json.loads(text)[0]) == set(PLACES[message.DESCRIPTOR.name])  # type: ignore[attr-defined]
