"""T12 and T13: compressed bombs and requests of too much, at a real receiver: refused soon, and its memory stays."""

from __future__ import annotations

import gzip
import random
import time
import zlib
from collections.abc import Callable, Iterator

import grpc
import httpx
import psutil
import pytest
import zstandard
from campaigning import SEED, quantity
from receiving import PROTOBUF, Receivers, export, running_receivers

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
MIB = 1 << 20
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
}


@pytest.fixture
def receivers(tmp_path) -> Iterator[Receivers]:  # type: ignore[no-untyped-def]
    with running_receivers(tmp_path / "journal", 1) as running:
        httpx.post(
            f"{running.url}/v1/traces", content=export(b"\1" * 8).SerializeToString(), headers=PROTOBUF
        )
        yield running


def answered(receivers: Receivers, body: bytes, headers: dict[str, str]) -> tuple[int, float]:
    began = time.monotonic()
    answer = httpx.post(f"{receivers.url}/v1/traces", content=body, headers=headers, timeout=60)
    return answer.status_code, time.monotonic() - began


@pytest.mark.parametrize("encoding", PACK)
def test_t12_compressed_bombs_are_413_with_little_memory(receivers: Receivers, encoding: str) -> None:
    process = psutil.Process(receivers.processes[0].pid)
    base = process.memory_info().rss
    bomb = PACK[encoding](bytes(quantity(small=128, full=1024) * MIB))

    took = [answered(receivers, bomb, PROTOBUF | {"content-encoding": encoding}) for _ in range(3)]

    assert [code for code, _ in took] == [413] * 3
    assert max(seconds for _, seconds in took) < 5
    assert process.memory_info().rss - base < (64 + 64) * MIB


def test_t12_noise_that_claims_to_be_compressed_is_400(receivers: Receivers) -> None:
    dice = random.Random(SEED)
    for _ in range(quantity(small=20, full=200)):
        encoding = dice.choice(list(PACK))
        body = PACK[encoding](dice.randbytes(500))
        wrong = dice.choice(
            [dice.randbytes(10_000), body[: dice.randrange(1, len(body))], PACK[encoding](body)]
        )
        code, _ = answered(receivers, wrong, PROTOBUF | {"content-encoding": encoding})
        assert code == 400


def test_t12_grpc_inflates_no_further_than_the_limit(receivers: Receivers) -> None:
    process = psutil.Process(receivers.processes[0].pid)
    base = process.memory_info().rss
    with grpc.insecure_channel(receivers.grpc, options=[("grpc.max_send_message_length", -1)]) as channel:
        for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate):
            with pytest.raises(grpc.RpcError) as error:
                channel.unary_unary(EXPORT)(bytes(256 * MIB), compression=compression, timeout=60)
            assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

    assert process.memory_info().rss - base < (64 + 64) * MIB


def wrapped(span: bytes, count: int = 1) -> bytes:
    """A request with the span's bytes that often."""
    scope = (b"\x12" + _size(len(span)) + span) * count
    part = b"\x12" + _size(len(scope)) + scope
    return b"\x0a" + _size(len(part)) + part


def _size(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes((*out, number))


def _pair(key: bytes, value: bytes) -> bytes:
    inner = b"\x0a" + _size(len(key)) + key + b"\x12" + _size(len(value)) + value
    return b"\x4a" + _size(len(inner)) + inner


def _nested(depth: int) -> bytes:
    value = b"\x0a\x01x"
    for _ in range(depth):
        array = b"\x0a" + _size(len(value)) + value
        value = b"\x2a" + _size(len(array)) + array
    return value


def _text(size: int) -> bytes:
    return b"\x0a" + _size(size) + b"x" * size


IDS = b"\x0a\x10" + b"\1" * 16 + b"\x12\x08" + b"\2" * 8
EVENT, LINK = b"\x5a\x00", b"\x6a\x00"
TAKEN, REFUSED = (200,), (400,)
TOO_MUCH: dict[str, tuple[Callable[[], bytes], tuple[int, ...]]] = {
    "2 M empty spans": (lambda: wrapped(b"", 2_000_000), REFUSED),
    "2 M empty attributes": (lambda: wrapped(IDS + b"\x4a\x00" * 2_000_000), REFUSED),
    "2 M empty resources": (lambda: b"\x0a\x00" * 2_000_000, REFUSED),
    "1 M resources and a span": (lambda: b"\x0a\x00" * 1_000_000 + wrapped(IDS), REFUSED),
    "100,000 attributes": (lambda: wrapped(IDS + _pair(b"k", _text(9)) * 100_000), TAKEN),
    "100,000 distinct keys": (
        lambda: wrapped(IDS + b"".join(_pair(b"k%d" % number, _text(2)) for number in range(100_000))),
        TAKEN,
    ),
    "a value of 1 MB": (lambda: wrapped(IDS + _pair(b"k", _text(10**6))), TAKEN),
    "a value of 60 MB": (lambda: wrapped(IDS + _pair(b"k", _text(60 * 10**6))), TAKEN),
    "8 deep": (lambda: wrapped(IDS + _pair(b"k", _nested(8))), TAKEN),
    "47 deep": (lambda: wrapped(IDS + _pair(b"k", _nested(47))), (200, 400)),
    "48 deep": (lambda: wrapped(IDS + _pair(b"k", _nested(48))), REFUSED),
    "5,000 deep": (lambda: wrapped(IDS + _pair(b"k", _nested(5000))), REFUSED),
    "10,000 events": (lambda: wrapped(IDS + EVENT * 10_000), TAKEN),
    "10,000 links": (lambda: wrapped(IDS + LINK * 10_000), TAKEN),
}
JSON_TOO_MUCH: dict[str, bytes] = {
    "2 M objects": b'{"x":[' + b"{}," * 2_000_000 + b"1]}",
    **{f"{depth} deep": b'{"x":' + b"[" * depth + b"]" * depth + b"}" for depth in (900, 5_000, 100_000)},
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_t13_a_request_of_too_much_is_answered_soon_with_little_memory(
    receivers: Receivers, what: str
) -> None:
    process = psutil.Process(receivers.processes[0].pid)
    base = process.memory_info().rss
    made, allowed = TOO_MUCH[what]
    body = made()

    took = [answered(receivers, body, PROTOBUF) for _ in range(quantity(small=1, full=3))]
    with grpc.insecure_channel(receivers.grpc, options=[("grpc.max_send_message_length", -1)]) as channel:
        try:
            channel.unary_unary(EXPORT)(body, timeout=60)
            assert 200 in allowed
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, what  # noqa: PT017
            assert 400 in allowed

    assert {code for code, _ in took} <= set(allowed)
    assert max(seconds for _, seconds in took) < 5
    assert process.memory_info().rss - base < 256 * MIB


@pytest.mark.parametrize("what", JSON_TOO_MUCH)
def test_t13_json_of_too_much_is_400_with_little_memory(receivers: Receivers, what: str) -> None:
    process = psutil.Process(receivers.processes[0].pid)
    base = process.memory_info().rss

    code, seconds = answered(receivers, JSON_TOO_MUCH[what], {"content-type": "application/json"})

    assert code == 400
    assert seconds < 5
    assert process.memory_info().rss - base < 256 * MIB
