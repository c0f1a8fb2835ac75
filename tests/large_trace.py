"""A trace as large as a person will ever look at: a spine 20 calls deep, and one service that calls many."""

from __future__ import annotations

from collections.abc import Iterator

from drawing import CLIENT, SERVER, S, span

LARGE = 0x1A56E000_00000000_00000000_00000001
DEPTH = 20


def large_trace(spans: int = 500) -> tuple[S, ...]:
    """`spans` spans, two to a call: 20 levels down, the rest beside each other in batches of eight."""
    return tuple(_spans(spans))


def _spans(spans: int) -> Iterator[S]:
    yield span("storefront", SERVER, 1, trace=LARGE, ms=2_000)
    parent, number, caller = 1, 2, "storefront"
    for level in range(1, DEPTH):
        callee = f"level-{level:02d}-of-a-service-with-a-long-name" if level % 5 == 0 else f"tier-{level:02d}"
        begin, length = 10.0 * level, 1_900.0 - 90 * level
        yield span(
            caller, CLIENT, number, parent, trace=LARGE, at_ms=begin, ms=length, binding_name=f"TIER_{level}"
        )
        yield span(callee, SERVER, number + 1, number, trace=LARGE, at_ms=begin + 1, ms=length - 2)
        parent, number, caller = number + 1, number + 2, callee
    for place in range((spans - number) // 2 + (spans - number) % 2):
        begin = 210.0 + 45 * (place // 8) + 3 * (place % 8)
        host = "shop.example" if place % 50 == 17 else "inventory.internal"
        yield span(
            "storefront", CLIENT, number, 1, trace=LARGE, at_ms=begin, ms=40 + place % 7, server_host=host,
            error=place % 60 == 31,
        )  # fmt: skip
        yield span(
            ("inventory", "catalog", "prices")[place % 3],
            SERVER,
            number + 1,
            number,
            trace=LARGE,
            at_ms=begin + 2,
            ms=30,
        )
        number += 2
