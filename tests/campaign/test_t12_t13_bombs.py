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

from bindtrace.collector.otlp.limits import MAX_SPANS

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


def test_t13_a_request_of_too_much_is_400_with_little_memory(receivers: Receivers) -> None:
    process = psutil.Process(receivers.processes[0].pid)
    base = process.memory_info().rss
    empty = b"\x12\x00" * 2_000_000
    head = b"\x12\x80\x92\xf4\x01"
    bodies = [
        b"\x0a\x85\x92\xf4\x01" + head + empty,
        b"\x0a\x00" * 2_000_000,
        b'{"x":[' + b"{}," * 2_000_000 + b"1]}",
    ]
    types = [PROTOBUF, PROTOBUF, {"content-type": "application/json"}]

    took = [answered(receivers, body, headers) for body, headers in zip(bodies, types, strict=True)]

    assert MAX_SPANS < 2_000_000
    assert [code for code, _ in took] == [400] * 3
    assert max(seconds for _, seconds in took) < 5
    assert process.memory_info().rss - base < 256 * MIB
