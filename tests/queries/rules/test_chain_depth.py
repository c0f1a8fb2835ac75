"""chain-depth: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from dataclasses import replace

import duckdb
from drawing import CLIENT, SERVER, S, span
from judging import found
from shop_policy import settings, vercel

from bindtrace.queries.policy import install_policy

RULE = "chain-depth"


def _chain(length: int) -> list[S]:
    """A chain of so many hops among three services."""
    names = ("catalog", "inventory", "orders")
    spans = [span(names[0], CLIENT, 1)]
    for place in range(1, length + 1):
        service = names[place % 3]
        spans.append(span(service, SERVER, 2 * place, 2 * place - 1))
        if place < length:
            spans.append(span(service, CLIENT, 2 * place + 1, 2 * place))
    return spans


def test_flags_the_first_hop_beyond_the_limit_once(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(shop, RULE, *_chain(20))

    assert (row["count"], row["severity"]) == (1, "low")
    assert "more than 16 hops" in row["message"]


def test_flags_by_the_limit_that_is_declared(con: duckdb.DuckDBPyConnection) -> None:
    install_policy(con, [vercel(), replace(settings(), max_hops=3)])

    assert "more than 3 hops" in found(con, RULE, *_chain(4))[0]["message"]


def test_passes_a_chain_at_the_limit(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_chain(16))


def test_trap_many_calls_beside_each_other_are_no_deep_chain(shop: duckdb.DuckDBPyConnection) -> None:
    spans = [span("storefront", SERVER, 1)]
    for place in range(2, 80, 2):
        spans += [span("storefront", CLIENT, place, 1), span("catalog", SERVER, place + 1, place)]

    assert not found(shop, RULE, *spans)
