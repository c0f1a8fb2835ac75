"""The promoted columns of spans in columns: concepts.py's readers, asked once per distinct value. No I/O.

Each concept is the first of its keys that gives a usable value: one column per key, coalesced in order. What is
already in its final form (plain text, small integers, a bare path) never becomes a Python object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate, pairwise
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from bindtrace.collector.otlp.columnar_constants import BEFORE, EMPTY, NO_PAIR, NO_TEXT, ONE
from bindtrace.collector.otlp.columnar_pairs import Pairs, Placed
from bindtrace.collector.otlp.concepts import CLAIMS, READERS, Column, claims_of
from bindtrace.collector.otlp.tables import SPANS
from bindtrace.collector.otlp.values import Json
from bindtrace.propagation.concepts import (
    CAPTURED_BINDING_HEADER_KEYS,
    SERVER_PORT_KEYS,
    SPAN_CONCEPTS,
    Concept,
)

MAX_PAIRS: Final = 2**21 - 2
"""Three pair numbers, each plus one, must fit 63 bits (`_with_context`)."""

_NONE, _BASE = pa.scalar(0, pa.int64()), pa.scalar(MAX_PAIRS + 2, pa.int64())
_SCHEME_KEYS: Final = ("url.scheme", "http.scheme")


class ConceptColumns:
    """Reads the concepts of one group's spans. `placed` has no key twice in one span."""

    def __init__(self, pairs: Pairs, placed: Placed) -> None:
        self._pairs = pairs
        self._placed = placed
        self._spans = len(placed.offsets) - 1
        self._numbers = {key: number for number, key in enumerate(pairs.keys)}
        at = pairs.key.take(placed.pair)
        counted = pc.value_counts(at)
        # Positions of all pairs, those of one key side by side and in received order: one sort for every key.
        self._by_key = pc.array_sort_indices(at)
        counts = dict(zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True))
        ends = list(accumulate(counts.get(number, 0) for number in range(len(pairs.keys))))
        self._slices = list(pairwise([0, *ends]))
        self._found: dict[str, pa.Array | None] = {}

    def read(self) -> dict[str, pa.Array]:
        """Every column of `SPAN_CONCEPTS`, one value a span."""
        columns = {concept.column: self._concept(concept) for concept in SPAN_CONCEPTS}
        self._claim(columns)
        return columns

    def _concept(self, concept: Concept) -> pa.Array:
        kind = SPANS.field(concept.column).type
        given = []
        for key in concept.keys:
            pair = self._pair_of(key)
            if pair is not None:
                given.append(self._read(concept, key, pair, kind))
        if not given:
            return pa.nulls(self._spans, kind)
        return given[0] if len(given) == 1 else pc.coalesce(*given)

    def _pair_of(self, key: str) -> pa.Array | None:
        """Per span the pair with that key, null where it has none; None where no span has it."""
        if key not in self._found:
            self._found[key] = self._find(key)
        return self._found[key]

    def _find(self, key: str) -> pa.Array | None:
        number = self._numbers.get(key)
        if number is None:
            return None
        begin, end = self._slices[number]
        if begin == end:
            return None
        here = self._by_key[begin:end]
        pair = self._placed.pair.take(here)
        if len(pair) == self._spans:
            return pair
        return pc.scatter(pair, self._placed.holder.take(here), max_index=self._spans - 1)

    def _read(self, concept: Concept, key: str, pair: pa.Array, kind: pa.DataType) -> pa.Array:
        if concept.form == "authority":
            return self._with_context(key, pair, kind)
        fast = _FAST.get(concept.form)
        if fast is not None:
            done = fast(self._pairs, pair)
            left = pair.filter(pc.and_(pc.is_null(done), pc.is_valid(pair)))
            if not len(left):
                return done
            slow = pc.if_else(pc.is_null(done), pair, NO_PAIR)
            return pc.coalesce(done, self._per_distinct(READERS[concept.form], key, slow, kind))
        return self._per_distinct(READERS[concept.form], key, pair, kind)

    def _per_distinct(
        self,
        read: Callable[[Json, str, Mapping[str, Json]], Column],
        key: str,
        pair: pa.Array,
        kind: pa.DataType,
    ) -> pa.Array:
        encoded = pair.dictionary_encode()
        values = self._pairs.values(encoded.dictionary)
        answers = pa.array([read(value, key, {}) for value in values], kind)
        return answers.take(encoded.indices)

    def _with_context(self, key: str, pair: pa.Array, kind: pa.DataType) -> pa.Array:
        """`authority` reads scheme and port beside its value: once per distinct three of them."""
        scheme = _first(*(self._pair_of(name) for name in _SCHEME_KEYS))
        port_key = SERVER_PORT_KEYS.get(key)
        context = {"": pair, _SCHEME_KEYS[0]: scheme}
        if port_key is not None:
            context[port_key] = self._pair_of(port_key)
        together = _NONE
        for column in context.values():
            number = _NONE if column is None else pc.add(pc.fill_null(column.cast(pa.int64()), BEFORE), ONE)
            together = pc.add(pc.multiply(together, _BASE), number)
        encoded = together.dictionary_encode()
        answers = []
        for code in encoded.dictionary.to_pylist():
            values: dict[str, Json] = {}
            for name in reversed(context):
                code, number = divmod(code, MAX_PAIRS + 2)
                if number:
                    values[name] = self._pairs.values(pa.array([number - 1], pa.int32()))[0]
            value = values.pop("", None)
            answers.append(READERS["authority"](value, key, values) if number else None)
        return pa.array(answers, kind).take(encoded.indices)

    def _claim(self, columns: dict[str, pa.Array]) -> None:
        """A captured header fills the claims of spans that the span processor did not stamp."""
        header = _first(*(self._pair_of(key) for key in CAPTURED_BINDING_HEADER_KEYS))
        if header is None:
            return
        header = pc.if_else(pc.is_null(columns["claimed_caller"]), header, NO_PAIR)
        encoded = header.dictionary_encode()
        claims = [claims_of(value) for value in self._pairs.values(encoded.dictionary)]
        for column, claim in CLAIMS.items():
            kind = SPANS.field(column).type
            said = pa.array([getattr(one, claim, None) for one in claims], kind).take(encoded.indices)
            columns[column] = pc.coalesce(columns[column], said)


def _first(*columns: pa.Array | None) -> pa.Array | None:
    given = [column for column in columns if column is not None]
    return pc.coalesce(*given) if given else None


def _text(pairs: Pairs, pair: pa.Array) -> pa.Array:
    text = pairs.texts.take(pair)
    empty = pc.equal(text, EMPTY)
    return pc.if_else(empty, NO_TEXT, text) if pc.any(empty).as_py() else text


def _path(pairs: Pairs, pair: pa.Array) -> pa.Array:
    text = pairs.texts.take(pair)
    bare = pc.and_(pc.starts_with(text, "/"), pc.invert(pc.match_substring_regex(text, "[?#]")))
    return pc.if_else(bare, text, NO_TEXT)


_FAST: Final[dict[str, Callable[[Pairs, pa.Array], pa.Array]]] = {
    "text": _text,
    "first": _text,
    "path": _path,
}
