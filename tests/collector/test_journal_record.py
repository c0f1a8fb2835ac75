"""A record comes back as it went in, and nothing else is taken for a record."""

from __future__ import annotations

import random

import pytest

from bindtrace.collector.journal.record import Flaw, Request, Unpacked, find_next, pack, unpack

SEED = 0x1234ABCD


def request(body: bytes = b"body", sender: str = "orders/opentelemetry") -> Request:
    return Request(sender, "http", "json", 1_700_000_000_000_000_001, bytes(range(16)), 3, body)


def packed(item: Request, seed: int = SEED) -> bytes:
    return b"".join(pack(item, seed))


def test_a_request_reads_back_equal() -> None:
    item = request(bytes(range(256)) * 40, sender="sérvice/ß")

    found = unpack(memoryview(packed(item)), 0, SEED)

    assert found == Unpacked(item, len(packed(item)))


def test_an_empty_body_is_a_record() -> None:
    assert unpack(memoryview(packed(request(b""))), 0, SEED) == Unpacked(
        request(b""), len(packed(request(b"")))
    )


def test_every_truncation_is_short() -> None:
    whole = packed(request())

    flaws = {unpack(memoryview(whole[:cut]), 0, SEED) for cut in range(len(whole))}

    assert flaws == {Flaw.SHORT}


def test_every_flipped_bit_is_noticed() -> None:
    whole = packed(request())
    taken = []

    for bit in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        if isinstance(unpack(memoryview(bytes(flipped)), 0, SEED), Unpacked):
            taken.append(bit)

    assert taken == []


def test_a_record_of_another_segment_is_damage() -> None:
    assert unpack(memoryview(packed(request(), SEED + 1)), 0, SEED) is Flaw.DAMAGED


def test_random_bytes_never_raise() -> None:
    source = random.Random(7)

    found = [unpack(memoryview(source.randbytes(source.randrange(80))), 0, SEED) for _ in range(3000)]

    assert not any(isinstance(item, Unpacked) for item in found)


def test_the_next_record_behind_damage_is_found() -> None:
    buffer = b"\0" * 37 + packed(request(b"next"))

    assert find_next(memoryview(buffer), 1, SEED) == 37


def test_a_record_of_another_segment_in_a_body_is_not_found() -> None:
    """A sender that writes a look-alike into its own request gains nothing: it does not know the seed."""
    buffer = b"\0" * 37 + packed(request(b"forged"), SEED + 1)

    assert find_next(memoryview(buffer), 1, SEED) is None


def test_a_digest_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="digest"):
        pack(request()._replace(digest=b"short"), SEED)
