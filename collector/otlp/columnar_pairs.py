"""Attributes in columns: each distinct `KeyValue` of a group is read once, then put where it occurs. No I/O.

Strings, integers and booleans are read by Arrow; any other value, and any that JSON must escape, by the loop's own
code (values.py), once per distinct value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from bindtrace.collector.otlp.columnar_constants import (
    EMPTY,
    FALSE,
    NO_BYTES,
    NO_TEXT,
    QUOTE,
    TWO,
    ZERO,
    set_bits,
)
from bindtrace.collector.otlp.columnar_wire import decode_pairs
from bindtrace.collector.otlp.values import Json, to_values

_SIMPLE: Final = ("string_value", "int_value", "bool_value")
_RARE: Final = ("double_value", "array_value", "kvlist_value", "bytes_value", "string_value_strindex")
_NO_PAIRS: Final = pa.array([], pa.int32())
_NO_SUM: Final = pa.array([0], pa.uint64())
_BITS: Final = 64
_ESCAPED: Final = bytes(range(0x20)) + b'"\\'
_ESCAPED_PATTERN: Final = r'["\\\x00-\x1f]'


class Placed(NamedTuple):
    """Attribute lists of some holders (spans, events), flat: `pair` into the distinct pairs, `holder` ascending."""

    offsets: pa.Array
    holder: pa.Array
    pair: pa.Array

    def joined(self, fragments: pa.Array, separator: pa.Scalar) -> pa.Array:
        """Per holder, its pairs' fragments in received order; empty where it has none."""
        lists = pa.ListArray.from_arrays(self.offsets, fragments.take(self.pair))
        return pc.binary_join(lists, separator)


class Pairs:
    """The distinct pairs of all given columns of KeyValue lists; `placed` are the columns, in the given order."""

    def __init__(self, lists: Sequence[pa.ListArray]) -> None:
        """Raises `Unreadable`, and `DecodeError` where protobuf's own reading fails."""
        encoded = pa.chunked_array([column.values for column in lists], pa.binary()).dictionary_encode()
        chunks = iter(encoded.chunks)  # an empty column has none
        indices = [next(chunks).indices if len(column.values) else _NO_PAIRS for column in lists]
        self._raw = encoded.chunk(0).dictionary if encoded.num_chunks else pa.array([], pa.binary())
        self.placed: Final = [
            Placed(column.offsets, column.value_parent_indices(), pair)
            for column, pair in zip(lists, indices, strict=True)
        ]
        batch = decode_pairs(self._raw)
        keys = batch.column("key").dictionary_encode()
        self.keys: Final[list[str]] = keys.dictionary.to_pylist()
        self.key: Final = keys.indices
        value = batch.column("value")
        self._members = {name: _member(value, name) for name in (*_SIMPLE, *_RARE)}
        self._odd_values: dict[int, Json] = {}
        self._unfaithful: dict[int, KeyValue] = {}
        odd = self._odd(batch.column("key_strindex"))
        self.fragments: Final = self._fragments(odd)

    def __len__(self) -> int:
        return len(self._raw)

    @property
    def texts(self) -> pa.Array:
        """The string of each pair whose value is a plain string, else null."""
        return self._plain_text

    def values(self, pairs: pa.Array) -> list[Json]:
        """The values of some pairs, as values.py gives them."""
        found: list[Json] = self._plain_text.take(pairs).to_pylist()
        for at, pair in enumerate(pairs.to_pylist()):
            if found[at] is None:
                found[at] = self._value(pair)
        return found

    def unfaithful(self, placed: Placed) -> pa.Array | None:
        """Per holder, whether JSON misrepresents one of its pairs; None where that is so nowhere."""
        if not self._unfaithful:
            return None
        return _holders(placed, pc.is_in(placed.pair, pa.array(list(self._unfaithful), pa.int32())))

    def repeated_keys(self, placed: Placed) -> pa.Array | None:
        """Per holder, whether it has a key twice; None where none has.

        Each key is a power of two. A sum of n of them has n bits set just where no two are the same.
        """
        bits = pc.subtract(placed.offsets[1:], placed.offsets[:-1])
        for first in range(0, len(self.keys), _BITS):
            powers = [1 << (key - first) if 0 <= key - first < _BITS else 0 for key in range(len(self.keys))]
            each = pa.array(powers, pa.uint64()).take(self.key).take(placed.pair)
            before = pa.concat_arrays([_NO_SUM, pc.cumulative_sum(each)])
            bits = pc.subtract(
                bits, set_bits(pc.subtract(before.take(placed.offsets[1:]), before.take(placed.offsets[:-1])))
            )
        repeated = pc.not_equal(bits, ZERO)
        return repeated if pc.any(repeated).as_py() else None

    def residue(self, placed: Placed, wrap: Any) -> pa.Array | None:
        """Per holder, its unfaithful pairs each as `wrap(attributes=[pair])` in bytes; null where it has none."""
        if not self._unfaithful:
            return None
        wrapped = {at: wrap(attributes=[pair]).SerializeToString() for at, pair in self._unfaithful.items()}
        pieces = pa.array([wrapped.get(at, b"") for at in range(len(self))], pa.binary())
        lists = pa.ListArray.from_arrays(placed.offsets, pieces.take(placed.pair))
        joined = pc.binary_join(lists, b"")
        return pc.if_else(pc.equal(pc.binary_length(joined), ZERO), NO_BYTES, joined)

    def _value(self, pair: int) -> Json:
        if pair not in self._odd_values:
            number = self._members["int_value"][pair].as_py()
            self._odd_values[pair] = self._members["bool_value"][pair].as_py() if number is None else number
        return self._odd_values[pair]

    def _odd(self, key_strindex: pa.Array) -> pa.Array:
        """Positions of pairs that Arrow does not read, or that it would have to escape."""
        text, number, flag = (pc.is_valid(self._members[name]) for name in _SIMPLE)
        odd = pc.invert(pc.xor(pc.xor(text, number), flag))
        odd = pc.or_(odd, pc.and_(pc.and_(text, number), flag))
        for name in _RARE:
            if self._members[name].null_count < len(self):
                odd = pc.or_(odd, pc.is_valid(self._members[name]))
        if pc.any(pc.not_equal(key_strindex, ZERO)).as_py():
            odd = pc.or_(odd, pc.not_equal(key_strindex, ZERO))
        self._plain_text = self._members["string_value"]
        if pc.any(odd).as_py():
            self._plain_text = pc.if_else(odd, NO_TEXT, self._plain_text)
        if _has_escapes(self._plain_text):
            escaped = pc.match_substring_regex(self._plain_text, _ESCAPED_PATTERN)
            odd = pc.or_(odd, pc.fill_null(escaped, FALSE))
        return pc.indices_nonzero(odd)

    def _fragments(self, odd: pa.Array) -> pa.Array:
        """`"key":value` of each pair."""
        number = pc.cast(self._members["int_value"], pa.string())
        flag = self._members["bool_value"]
        text = pc.coalesce(self._plain_text, number)
        if flag.null_count < len(self):
            text = pc.coalesce(text, pc.if_else(flag, "true", "false"))
        names = [orjson.dumps(key).decode() + ":" for key in self.keys]
        quoted = pc.is_valid(self._plain_text)
        prefixes = pa.array([form for name in names for form in (name, name + '"')], pa.string())
        prefix = prefixes.take(pc.add(pc.multiply(self.key, TWO), pc.cast(quoted, pa.int32())))
        fragments = pc.binary_join_element_wise(prefix, text, pc.if_else(quoted, QUOTE, EMPTY), EMPTY)
        if not len(odd):
            return fragments
        at = odd.to_pylist()
        replaced = [
            self._read_odd(place, raw) for place, raw in zip(at, self._raw.take(odd).to_pylist(), strict=True)
        ]
        mask = pc.is_in(pa.arange(0, len(self)), odd.cast(pa.int64()))
        return pc.replace_with_mask(fragments, mask, pa.array(replaced, pa.string()))

    def _read_odd(self, place: int, raw: bytes) -> str:
        pair = KeyValue.FromString(raw)
        values, residue = to_values([pair])
        self._odd_values[place] = values[pair.key]
        if residue:
            self._unfaithful[place] = pair
        return orjson.dumps(values)[1:-1].decode()


def _member(value: pa.StructArray, name: str) -> pa.Array:
    """A member of the oneof, null also where the whole value is absent."""
    found = value.field(name)
    return (
        found if value.null_count == 0 else pc.if_else(pc.is_valid(value), found, pa.scalar(None, found.type))
    )


def _has_escapes(texts: pa.Array) -> bool:
    """Whether any of all the bytes needs it: one pass over the buffer, against one regular expression a text."""
    buffer = texts.buffers()[2]
    if buffer is None:
        return False
    whole = buffer.to_pybytes()
    return len(whole.translate(None, _ESCAPED)) < len(whole)


def _holders(placed: Placed, which: pa.Array) -> pa.Array:
    """Per holder, whether one of its pairs is among `which`."""
    holders = len(placed.offsets) - 1
    return pc.is_in(pa.arange(0, holders), pc.unique(placed.holder.filter(which)).cast(pa.int64()))
