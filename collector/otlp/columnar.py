"""OTLP requests to rows in columns: the tables of rows.py, without a Python object per span. No I/O.

rows.py stays the oracle, and reads what this route leaves to it: small groups, whose fixed cost would be larger, and
requests with something that only a loop reads rightly. Its answers are equal, so nobody else knows of the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from bindtrace.collector.journal.record import Request
from bindtrace.collector.otlp import rows
from bindtrace.collector.otlp.columnar_spans import Envelopes, Flat, flatten
from bindtrace.collector.otlp.columnar_wire import Unreadable, decode
from bindtrace.collector.otlp.tables import (
    INSTRUMENTATION_SCOPES,
    RESOURCES,
    SPANS,
    TRACE_LINKS,
    Tables,
    table,
)

LOOP_SPANS: Final = 150
"""Up to so many spans the loop is the shorter way: 100 of one-span requests 8 ms against 11, 200 14 against 10."""
CALL_BYTES: Final = 8 * 1024 * 1024
"""Read at once: ptars holds the interpreter lock meanwhile, about 1.5 µs a span."""
REMEMBERED: Final = 4096
"""Resources and scopes that are known by their bytes, the same in nearly every load."""
_LOAD: Final = RESOURCES.names.index("load_id")


def to_tables(requests: Sequence[Request], load_id: int) -> Tables:
    """One load. A request that cannot be decoded is in `refused`, and nothing of it in the tables."""
    return merged([_read(group, load_id) for group in _groups(requests)])


def _groups(requests: Sequence[Request]) -> list[list[Request]]:
    groups: list[list[Request]] = [[]]
    size = 0
    for request in requests:
        if size > CALL_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(request)
        size += len(request.body)
    return groups


def _read(requests: list[Request], load_id: int) -> Tables:
    if sum(request.spans for request in requests) <= LOOP_SPANS:
        return rows.to_tables(requests, load_id)
    try:
        flat = flatten(decode([request.body for request in requests]))
        found, for_loop = _tables(flat, requests, load_id)
    except (Unreadable, DecodeError, ValueError):
        # One of them, but which is not said: halves are asked until the loop has the one.
        if len(requests) <= 1:
            return rows.to_tables(requests, load_id)
        half = len(requests) // 2
        return merged([_read(requests[:half], load_id), _read(requests[half:], load_id)])
    if not for_loop:
        return found
    return merged([found, rows.to_tables([requests[at] for at in for_loop], load_id)])


def _tables(flat: Flat, requests: list[Request], load_id: int) -> tuple[Tables, list[int]]:
    """The tables of what is read, and the ordinals of the requests that the loop must read."""
    received = pa.array([request.received_unix_nano for request in requests], pa.uint64())
    resources = [_resource(raw, url) for raw, url in flat.resources.distinct]
    scopes = [_scope(raw, url) for raw, url in flat.scopes.distinct]
    columns = flat.columns | {
        "resource_id": _ids(resources, flat.resources),
        "instrumentation_scope_id": _ids(scopes, flat.scopes),
        "received_unix_nano": received.take(flat.request),
        "load_id": pa.repeat(pa.scalar(load_id, pa.uint64()), len(flat.request)),
    }
    spans = pa.Table.from_arrays([columns[name] for name in SPANS.names], schema=SPANS)
    if len(flat.for_loop):
        spans = spans.filter(pc.invert(pc.is_in(flat.request, flat.for_loop)))
    found = Tables(
        spans,
        table(RESOURCES, _with_load(_kept(resources, flat.resources, flat.for_loop), load_id)),
        table(INSTRUMENTATION_SCOPES, _kept(scopes, flat.scopes, flat.for_loop)),
        _trace_links(spans, load_id),
        (),
    )
    return found, sorted(flat.for_loop.to_pylist())


def _ids(read: list[rows.Row], envelopes: Envelopes) -> pa.Array:
    ids = pa.array([row[0] for row in read], pa.binary(16))
    return pa.ExtensionArray.from_storage(pa.uuid(), ids.take(envelopes.number.take(envelopes.of_span)))


def _kept(read: list[rows.Row], envelopes: Envelopes, for_loop: pa.Array) -> list[rows.Row]:
    """Each row once that stands in a request which the loop does not read."""
    number = envelopes.number
    if len(for_loop):
        number = number.filter(pc.invert(pc.is_in(envelopes.request, for_loop)))
    return list({row[0]: row for row in map(read.__getitem__, pc.unique(number).to_pylist())}.values())


def _with_load(read: list[rows.Row], load_id: int) -> list[rows.Row]:
    return [(*row[:_LOAD], load_id, *row[_LOAD + 1 :]) for row in read]


def _trace_links(spans: pa.Table, load_id: int) -> pa.Table:
    claimed = pc.is_valid(spans["claimed_chain"])
    chains = spans["claimed_chain"].filter(claimed).to_pylist()
    traces = spans["trace_id"].combine_chunks().storage.filter(claimed.combine_chunks()).to_pylist()
    links = dict.fromkeys(filter(None, map(rows.trace_link, traces, chains)))
    return table(TRACE_LINKS, [(*link, load_id) for link in links])


@lru_cache(maxsize=REMEMBERED)
def _resource(raw: bytes, schema_url: str) -> rows.Row:
    envelope = ResourceSpans(resource=Resource.FromString(raw), schema_url=schema_url)
    return rows.resource_row(rows.digest(envelope.resource, schema_url), envelope, 0)


@lru_cache(maxsize=REMEMBERED)
def _scope(raw: bytes, schema_url: str) -> rows.Row:
    envelope = ScopeSpans(scope=InstrumentationScope.FromString(raw), schema_url=schema_url)
    return rows.scope_row(rows.digest(envelope.scope, schema_url), envelope)


def merged(parts: Sequence[Tables]) -> Tables:
    """Parts of one load as one: what has an id is there once."""
    if len(parts) == 1:
        return parts[0]
    return Tables(
        pa.concat_tables([part.spans for part in parts]),
        _distinct([part.resources for part in parts], "resource_id"),
        _distinct([part.instrumentation_scopes for part in parts], "instrumentation_scope_id"),
        _distinct([part.trace_links for part in parts], "chain", "trace_id"),
        tuple(refused for part in parts for refused in part.refused),
    )


def _distinct(parts: list[pa.Table], *key: str) -> pa.Table:
    whole = pa.concat_tables(parts)
    first: dict[tuple[bytes, ...], int] = {}
    for at, ids in enumerate(zip(*(_stored(whole[name]) for name in key), strict=True)):
        first.setdefault(ids, at)
    return whole if len(first) == whole.num_rows else whole.take(list(first.values()))


def _stored(ids: Any) -> list[bytes]:
    return [value for chunk in ids.chunks for value in chunk.storage.to_pylist()]
