"""ResourceSpans of a group of requests to the columns of `spans`, by positions, without a loop over spans. No I/O.

What would need a residue beyond its attributes is not read here: its request is named, and read by the loop.
"""

from __future__ import annotations

from array import array
from typing import Any, Final, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bindtrace.collector.otlp.columnar_concepts import MAX_PAIRS, ConceptColumns
from bindtrace.collector.otlp.columnar_constants import (
    BYTE,
    CLOSE,
    CLOSE_LIST,
    COMMA,
    EMPTY,
    NO_PAIR,
    NO_TEXT,
    ONE_32,
    OPEN,
    OPEN_LIST,
    ZERO,
)
from bindtrace.collector.otlp.columnar_pairs import Pairs, Placed
from bindtrace.collector.otlp.columnar_wire import Unreadable
from bindtrace.collector.otlp.rows import ZERO_SPAN_ID, span_link

_ZERO_ID: Final = pa.scalar(ZERO_SPAN_ID, pa.binary())
_LENGTHS: Final = {length: pa.scalar(length, pa.int32()) for length in (8, 16)}
_TIME: Final = pa.scalar('{"time_unix_nano":"')


class Envelopes(NamedTuple):
    """Resources or scopes: each distinct one as (bytes, schema URL); `number`, by place, is one of these.

    `request` is the ordinal of the request that each place is in, `of_span` the place of each span.
    """

    distinct: list[tuple[bytes, str]]
    number: pa.Array
    request: pa.Array
    of_span: pa.Array


class Flat(NamedTuple):
    """Spans in received order: columns by name (ids of resource and scope still to come), and where they are from.

    `request` is the ordinal of each span's request; `for_loop` are ordinals whose spans in here are to be dropped.
    """

    columns: dict[str, pa.Array]
    resources: Envelopes
    scopes: Envelopes
    request: pa.Array
    for_loop: pa.Array


def flatten(resource_spans: pa.ListArray) -> Flat:
    """Raises `Unreadable` and `DecodeError` where none of it may be read so."""
    of_request, parts = resource_spans.value_parent_indices(), resource_spans.values
    of_part, scope_spans = (
        parts.field("scope_spans").value_parent_indices(),
        parts.field("scope_spans").values,
    )
    of_scope, spans = scope_spans.field("spans").value_parent_indices(), scope_spans.field("spans").values
    part = of_part.take(of_scope)
    request = of_request.take(part)
    pairs = Pairs([spans.field("attributes"), spans.field("events").values.field("attributes")])
    if len(pairs) > MAX_PAIRS:
        raise Unreadable("more distinct attributes than one group may have")
    of_spans, of_events = pairs.placed
    columns = _scalars(spans)
    columns["attributes"] = _braced(of_spans, of_spans.joined(pairs.fragments, COMMA))
    columns["events"] = _events(spans.field("events"), of_events.joined(pairs.fragments, COMMA))
    columns["links"], odd_links = _links(spans.field("links"))
    residue = pairs.residue(of_spans, Span)
    columns["residue"] = pa.nulls(len(spans), pa.binary()) if residue is None else residue
    columns |= ConceptColumns(pairs, of_spans).read()
    odd = [
        _odd_scalars(spans),
        odd_links,
        pairs.repeated_keys(of_spans),
        *(
            _up(flag, spans.field("events"))
            for flag in (pairs.repeated_keys(of_events), pairs.unfaithful(of_events))
        ),
    ]
    for_loop = [request.filter(mask) for mask in odd if mask is not None]
    return Flat(
        columns,
        _envelopes(parts.field("resource"), parts.field("schema_url"), of_request, part),
        _envelopes(
            scope_spans.field("scope"), scope_spans.field("schema_url"), of_request.take(of_part), of_scope
        ),
        request,
        pc.unique(pa.concat_arrays(for_loop)) if for_loop else pa.array([], request.type),
    )


def _scalars(spans: pa.StructArray) -> dict[str, pa.Array]:
    status = spans.field("status")
    given = pc.is_valid(status)
    columns = {
        name: spans.field(name)
        for name in (
            "flags", "name", "start_time_unix_nano", "end_time_unix_nano",
            "dropped_attributes_count", "dropped_events_count", "dropped_links_count",
        )
    }  # fmt: skip
    trace_state = spans.field("trace_state")
    columns["trace_id"] = uuids(spans.field("trace_id"))
    columns["span_id"] = _numbers(spans.field("span_id"))
    columns["parent_span_id"] = _parents(spans.field("parent_span_id"))
    columns["trace_state"] = pc.if_else(pc.equal(trace_state, EMPTY), NO_TEXT, trace_state)
    columns["kind"] = _small(spans.field("kind"))
    columns["status_code"] = _small(pc.if_else(given, status.field("code"), ZERO))
    columns["status_message"] = pc.if_else(given, status.field("message"), NO_TEXT)
    return columns


def uuids(ids: pa.Array) -> pa.Array:
    """16-byte values as UUIDs. Raises `Unreadable` where one is shorter or longer."""
    _all_of_length(ids, 16)
    return pa.ExtensionArray.from_storage(pa.uuid(), ids.cast(pa.binary(16)))


def _numbers(ids: pa.Array) -> pa.Array:
    _all_of_length(ids, 8)
    big_endian = array("Q", ids.buffers()[2].to_pybytes()[: 8 * len(ids)] if len(ids) else b"")
    big_endian.byteswap()
    return pa.Array.from_buffers(pa.uint64(), len(ids), [None, pa.py_buffer(big_endian)])


def _parents(ids: pa.Array) -> pa.Array:
    given = pc.not_equal(pc.binary_length(ids), ZERO)
    place = pc.subtract(pc.cumulative_sum(given.cast(pa.int32())), ONE_32)
    return _numbers(ids.filter(given)).take(pc.if_else(given, place, NO_PAIR))


def _all_of_length(ids: pa.Array, length: int) -> None:
    if pc.any(pc.not_equal(pc.binary_length(ids), _LENGTHS[length])).as_py():
        raise Unreadable(f"an id is not {length} bytes")


def _small(numbers: pa.Array) -> pa.Array:
    return pc.if_else(_beyond_a_byte(numbers), ZERO, numbers).cast(pa.uint8())


def _beyond_a_byte(numbers: pa.Array) -> pa.Array:
    return pc.or_(pc.less(numbers, ZERO), pc.greater(numbers, BYTE))


def _odd_scalars(spans: pa.StructArray) -> pa.Array:
    odd = pc.equal(spans.field("parent_span_id"), _ZERO_ID)
    odd = pc.or_(odd, _beyond_a_byte(spans.field("kind")))
    code = spans.field("status").field("code")
    return pc.or_(odd, pc.and_(pc.is_valid(spans.field("status")), _beyond_a_byte(code)))


def _braced(placed: Placed, joined: pa.Array) -> pa.Array:
    text = pc.binary_join_element_wise(OPEN, joined, CLOSE, EMPTY)
    empty = pc.equal(placed.offsets[1:], placed.offsets[:-1])
    return pc.if_else(empty, NO_TEXT, text)


def _events(lists: pa.ListArray, attributes: pa.Array) -> pa.Array:
    events = lists.values
    texts = pc.binary_join_element_wise(
        _TIME,
        events.field("time_unix_nano").cast(pa.string()),
        _per_distinct(
            events.field("name"), lambda name: f'","name":{orjson.dumps(name).decode()},"attributes":{{'
        ),
        attributes,
        _per_distinct(
            events.field("dropped_attributes_count"), lambda count: f'}},"dropped_attributes_count":{count}}}'
        ),
        EMPTY,
    )
    return _array(lists.offsets, texts)


def _links(lists: pa.ListArray) -> tuple[pa.Array, pa.Array | None]:
    """Few spans have links, and no two are alike: those of ids alone are written, others go by the loop's code."""
    read = [_plain_link(raw) or _any_link(raw) for raw in lists.values.to_pylist()]
    texts = pa.array([text for text, _ in read], pa.string())
    faithful = pa.array([faithful for _, faithful in read], pa.bool_())
    odd = None if pc.all(faithful).as_py() else _up(pc.invert(faithful), lists)
    return _array(lists.offsets, texts), odd


def _plain_link(raw: bytes) -> tuple[str, bool] | None:
    """As nearly every sender writes it: trace id, span id, and perhaps flags."""
    if raw[:2] != b"\x0a\x10" or raw[18:20] != b"\x12\x08":
        return None
    flags = 0
    if len(raw) == 33 and raw[28] == 0x35:
        flags = int.from_bytes(raw[29:], "little")
    elif len(raw) != 28:
        return None
    return (
        f'{{"trace_id":"{raw[2:18].hex()}","span_id":"{raw[20:28].hex()}","trace_state":"",'
        f'"flags":{flags},"attributes":{{}},"dropped_attributes_count":0}}'
    ), True


def _any_link(raw: bytes) -> tuple[str, bool]:
    item, faithful = span_link(Span.Link.FromString(raw))
    return orjson.dumps(item).decode(), faithful


def _array(offsets: pa.Array, texts: pa.Array) -> pa.Array:
    """Per span a JSON array; null where it is empty."""
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, texts), COMMA)
    empty = pc.equal(offsets[1:], offsets[:-1])
    return pc.if_else(empty, NO_TEXT, pc.binary_join_element_wise(OPEN_LIST, joined, CLOSE_LIST, EMPTY))


def _up(flag: pa.Array | None, lists: pa.ListArray) -> pa.Array | None:
    """Per span, whether one of its list's items is flagged."""
    if flag is None:
        return None
    flagged = pc.unique(lists.value_parent_indices().filter(flag))
    return pc.is_in(pa.arange(0, len(lists)), flagged)


def _per_distinct(values: pa.Array, form: Any) -> pa.Array:
    encoded = values.dictionary_encode()
    texts = pa.array([form(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return texts.take(encoded.indices)


def _envelopes(parts: pa.ListArray, schema_urls: pa.Array, request: pa.Array, of_span: pa.Array) -> Envelopes:
    """A message sent in parts is its parts joined (protobuf merges them)."""
    whole = pc.binary_join(pa.ListArray.from_arrays(parts.offsets, parts.values), b"")
    raw, urls = whole.to_pylist(), schema_urls.to_pylist()
    numbers: dict[tuple[bytes, str], int] = {}
    number = [numbers.setdefault(both, len(numbers)) for both in zip(raw, urls, strict=True)]
    return Envelopes(list(numbers), pa.array(number, pa.int32()), request, of_span)
