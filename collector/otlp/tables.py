"""The Arrow tables that a load inserts, in exactly the columns of queries/schema/*.sql. Values only, no I/O.

Stated here once for every decoder; a test holds them against the created DuckDB tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa

from bindtrace.collector.journal.record import Request
from bindtrace.propagation.concepts import RESOURCE_CONCEPTS, SPAN_CONCEPTS, Concept


class Refused(NamedTuple):
    """A request of which nothing was taken, and why."""

    request: Request
    reason: str


class Tables(NamedTuple):
    """One load. `resources` and `instrumentation_scopes` hold each of the load once, known before or not."""

    spans: pa.Table
    resources: pa.Table
    instrumentation_scopes: pa.Table
    trace_links: pa.Table
    refused: tuple[Refused, ...]


def _concepts(concepts: Iterable[Concept]) -> list[pa.Field]:
    return [
        pa.field(concept.column, pa.uint16() if concept.form == "integer" else pa.string())
        for concept in concepts
    ]


SPANS: Final = pa.schema(
    [
        pa.field("trace_id", pa.uuid()),
        pa.field("span_id", pa.uint64()),
        pa.field("parent_span_id", pa.uint64()),
        pa.field("trace_state", pa.string()),
        pa.field("flags", pa.uint32()),
        pa.field("name", pa.string()),
        pa.field("kind", pa.uint8()),
        pa.field("start_time_unix_nano", pa.uint64()),
        pa.field("end_time_unix_nano", pa.uint64()),
        pa.field("status_code", pa.uint8()),
        pa.field("status_message", pa.string()),
        pa.field("attributes", pa.string()),
        pa.field("events", pa.string()),
        pa.field("links", pa.string()),
        pa.field("residue", pa.binary()),
        pa.field("dropped_attributes_count", pa.uint32()),
        pa.field("dropped_events_count", pa.uint32()),
        pa.field("dropped_links_count", pa.uint32()),
        pa.field("resource_id", pa.uuid()),
        pa.field("instrumentation_scope_id", pa.uuid()),
        pa.field("received_unix_nano", pa.uint64()),
        pa.field("load_id", pa.uint64()),
        *_concepts(SPAN_CONCEPTS),
    ]
)

RESOURCES: Final = pa.schema(
    [
        pa.field("resource_id", pa.uuid()),
        pa.field("attributes", pa.string()),
        pa.field("residue", pa.binary()),
        pa.field("dropped_attributes_count", pa.uint32()),
        pa.field("schema_url", pa.string()),
        pa.field("load_id", pa.uint64()),
        *_concepts(RESOURCE_CONCEPTS),
    ]
)

INSTRUMENTATION_SCOPES: Final = pa.schema(
    [
        pa.field("instrumentation_scope_id", pa.uuid()),
        pa.field("name", pa.string()),
        pa.field("version", pa.string()),
        pa.field("attributes", pa.string()),
        pa.field("residue", pa.binary()),
        pa.field("dropped_attributes_count", pa.uint32()),
        pa.field("schema_url", pa.string()),
    ]
)

TRACE_LINKS: Final = pa.schema(
    [
        pa.field("chain", pa.uuid()),
        pa.field("trace_id", pa.uuid()),
        pa.field("load_id", pa.uint64()),
    ]
)

REQUESTS: Final = pa.schema(
    [
        pa.field("digest", pa.uuid()),
        pa.field("received_unix_nano", pa.uint64()),
    ]
)


def table(schema: pa.Schema, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """Rows in the schema's order as a table. UUIDs are 16 bytes, text is str or UTF-8 bytes."""
    columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
    return pa.Table.from_arrays(
        [_column(field.type, values) for field, values in zip(schema, columns, strict=True)], schema=schema
    )


def with_load(tables: Tables, load_id: int) -> Tables:
    """The same rows as another load."""
    return tables._replace(
        spans=_renamed(tables.spans, load_id),
        resources=_renamed(tables.resources, load_id),
        trace_links=_renamed(tables.trace_links, load_id),
    )


def _renamed(rows: pa.Table, load_id: int) -> pa.Table:
    column = pa.repeat(pa.scalar(load_id, pa.uint64()), rows.num_rows)
    return rows.set_column(rows.schema.get_field_index("load_id"), rows.schema.field("load_id"), column)


def _column(kind: pa.DataType, values: tuple[Any, ...]) -> pa.Array:
    if kind == pa.uuid():
        return pa.ExtensionArray.from_storage(kind, pa.array(values, pa.binary(16)))
    return pa.array(values, kind)
