"""T10, T12 and T13 in small: whatever comes is admitted or refused, soon and with little memory."""

from __future__ import annotations

import gzip
import itertools
import json
import random
import resource
import time
import tracemalloc
import zlib

import pytest
import zstandard
from admitting import as_journaled, judge
from malformed import bodies

from bindtrace.collector.otlp.admit import Admitted, Undecodable, admit
from bindtrace.collector.otlp.limits import MAX_LEAVES, MAX_SPANS
from bindtrace.collector.otlp.rows import to_tables
from bindtrace.collector.receive.inflate import PIECE_BYTES, NotCompressed, inflater

SEED = 10
MIB = 1024 * 1024


def test_t10_6000_malformed_bodies_are_admitted_or_refused_and_decode_as_counted() -> None:
    kinds = {Admitted: 0, Undecodable: 0}
    for encoding, body in itertools.islice(bodies(SEED), 6000):
        answer = admit(body, encoding)
        judge(answer)
        kinds[type(answer)] += 1
        if isinstance(answer, Admitted) and answer.spans:
            tables = to_tables([as_journaled(answer)], 1)
            assert (tables.refused, tables.spans.num_rows) == ((), answer.spans), body.hex()

    assert min(kinds.values()) > 500


# --- structure --------------------------------------------------------------------------------------


def framed(body: bytes, *tags: int) -> bytes:
    """The body within length-delimited fields, the last tag outermost."""
    for tag in tags:
        size, head = len(body), bytearray()
        while size > 127:
            head.append(size & 127 | 128)
            size >>= 7
        body = bytes([tag]) + bytes(head) + bytes([size]) + body
    return body


SPAN = b"\x0a\x10" + b"\1" * 16 + b"\x12\x08" + b"\2" * 8


def nested(depth: int) -> bytes:
    value = b"\x0a\x01a"
    for _ in range(depth):
        value = framed(value, 0x0A, 0x2A)
    return framed(SPAN + framed(b"\x0a\x01k" + framed(value, 0x12), 0x4A), 0x12, 0x12, 0x0A)


BOMBS = {
    "2 million empty spans": framed(b"\x12\x00" * 2_000_000, 0x12, 0x0A),
    "2 million empty attributes": framed(SPAN + b"\x4a\x00" * 2_000_000, 0x12, 0x12, 0x0A),
    "2 million events": framed(SPAN + b"\x5a\x00" * 2_000_000, 0x12, 0x12, 0x0A),
    "2 million links": framed(SPAN + b"\x6a\x00" * 2_000_000, 0x12, 0x12, 0x0A),
    "2 million resources": b"\x0a\x00" * 2_000_000,
    "2 million scopes": framed(b"\x12\x00" * 2_000_000, 0x0A),
    "2 million elements": framed(
        SPAN + framed(framed(b"\x0a\x00" * 2_000_000, 0x2A, 0x12), 0x4A), 0x12, 0x12, 0x0A
    ),
    "30 million unknown fields": framed(b"\x48\x01" * 20_000_000, 0x0A),
    "2 million overlong tags": framed(SPAN + b"\xca\x00\x00" * 2_000_000, 0x12, 0x12, 0x0A),
    "arrays 5000 deep": nested(5000),
    "arrays 60 deep": nested(60),
}
JSON_BOMBS = {
    "lists 900 deep": b'{"resourceSpans":' + b"[" * 900 + b"]" * 900 + b"}",
    "lists 100000 deep": b"[" * 100_000,
    "objects 5000 deep": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "2 million objects": b'{"resourceSpans":[' + b"{}," * 2_000_000 + b"{}]}",
    "2 million lists": b'{"x":[' + b"[]," * 2_000_000 + b"[]]}",
}


def refused_soon(body: bytes, encoding: str) -> str:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    answer = admit(body, encoding)  # type: ignore[arg-type]
    took_s = time.process_time() - began
    assert isinstance(answer, Undecodable)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 256 * MIB
    assert took_s < 4  # 2 s on a quiet machine
    return answer.message


@pytest.mark.parametrize("name", BOMBS)
def test_t13_a_request_of_too_much_is_refused_before_it_is_built(name: str) -> None:
    assert refused_soon(BOMBS[name], "protobuf")


@pytest.mark.parametrize("name", JSON_BOMBS)
def test_t13_json_of_too_much_is_refused_before_it_is_built(name: str) -> None:
    assert refused_soon(JSON_BOMBS[name], "json")


def test_t13_just_so_many_spans_are_admitted_and_one_more_is_not() -> None:
    span = framed(SPAN + b"\x2a\x01a", 0x12)

    most = admit(framed(span * MAX_SPANS, 0x12, 0x0A), "protobuf")
    more = admit(framed(span * (MAX_SPANS + 1), 0x12, 0x0A), "protobuf")

    assert isinstance(most, Admitted)
    assert most.spans == MAX_SPANS
    assert isinstance(more, Undecodable)
    assert str(MAX_SPANS) in more.message


def test_t13_leaves_are_counted_within_values_too() -> None:
    pairs = framed(b"", 0x0A) * (MAX_LEAVES // 2)
    value = framed(pairs, 0x32, 0x12)

    answer = admit(framed(SPAN + framed(value, 0x4A) * 3, 0x12, 0x12, 0x0A), "protobuf")

    assert isinstance(answer, Undecodable)
    assert "values" in answer.message


@pytest.mark.parametrize("depth", [8, 32, 46])
def test_t13_values_as_deep_as_the_decoder_reads_are_admitted(depth: int) -> None:
    assert isinstance(admit(nested(depth), "protobuf"), Admitted)


def test_t13_brackets_within_texts_are_not_depth() -> None:
    span = {"traceId": "01" * 16, "spanId": "02" * 8, "name": "[{" * 5000 + '"['}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})

    assert isinstance(admit(body.encode(), "json"), Admitted)


def test_t13_a_value_of_64_kib_is_kept_whole() -> None:
    body = framed(
        SPAN + framed(b"\x0a\x01k" + framed(framed(b"x" * (MIB // 16), 0x0A), 0x12), 0x4A), 0x12, 0x12, 0x0A
    )

    answer = admit(body, "protobuf")

    assert isinstance(answer, Admitted)
    assert answer.body == body


# --- compression ------------------------------------------------------------------------------------

PACK = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress}


def inflated(encoding: str, body: bytes, limit: int = 65 * MIB, chunk: int = 64 * 1024) -> int:
    """Bytes that came out until the limit, as the HTTP server counts them."""
    opened, size = inflater(encoding), 0
    for at in range(0, len(body), chunk):
        for piece in opened.feed(body[at : at + chunk]):
            assert len(piece) <= PIECE_BYTES
            size += len(piece)
            if size > limit:
                return size
    for piece in opened.finish():
        assert len(piece) <= PIECE_BYTES
        size += len(piece)
        if size > limit:
            return size
    return size


@pytest.mark.parametrize("encoding", PACK)
def test_t12_a_bomb_is_inflated_piece_by_piece_and_no_further_than_the_limit(encoding: str) -> None:
    bomb = PACK[encoding](bytes(200 * MIB))
    tracemalloc.start()

    size = inflated(encoding, bomb)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 65 * MIB < size <= 65 * MIB + PIECE_BYTES
    assert peak < 16 * MIB


@pytest.mark.parametrize("encoding", PACK)
def test_t12_a_body_that_is_cut_short_anywhere_is_refused(encoding: str) -> None:
    body = PACK[encoding](random.Random(12).randbytes(3000))

    for at in range(1, len(body)):
        with pytest.raises(NotCompressed):
            inflated(encoding, body[:at])


@pytest.mark.parametrize("encoding", PACK)
@pytest.mark.parametrize("chunk", [1, 7, 100_000])
def test_t12_chunks_of_any_size_give_the_same(encoding: str, chunk: int) -> None:
    assert inflated(encoding, PACK[encoding](b"spans" * 2000), chunk=chunk) == 10_000


@pytest.mark.parametrize("encoding", PACK)
def test_t12_other_bytes_and_bytes_behind_the_end_are_refused(encoding: str) -> None:
    for body in (b"not compressed at all", PACK[encoding](b"spans") + b"behind the end", b"\0" * 64):
        with pytest.raises(NotCompressed):
            inflated(encoding, body)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_t12_more_members_than_any_sender_writes_are_refused(encoding: str) -> None:
    with pytest.raises(NotCompressed):
        inflated(encoding, PACK[encoding](b"") * 50_000)


def test_t12_an_empty_body_is_complete() -> None:
    assert [inflated(encoding, b"") for encoding in PACK] == [0, 0, 0]
