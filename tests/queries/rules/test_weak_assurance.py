"""weak-assurance: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from drawing import CLIENT, SERVER, S, span
from judging import found, subjects

from bindtrace.propagation.manifest import DeclaredService, Manifest
from bindtrace.queries.policy import install_policy

RULE = "weak-assurance"
ORDERS = "spiffe://shop.example/project/p1/env/prod/service/orders/deployment/d7"


def _call(client: dict[str, Any] | None = None, **callee: Any) -> list[S]:
    return [span("orders", CLIENT, 1, **(client or {})), span("inventory", SERVER, 2, 1, **callee)]


def _ask(con: duckdb.DuckDBPyConnection, protection: Any) -> None:
    asked = DeclaredService(
        "bindtrace", "shop", "inventory", None, "bindtrace.toml", 3, protection=protection
    )
    install_policy(con, [Manifest("bindtrace.toml", "bindtrace", "shop", revision="3", services=(asked,))])


@pytest.mark.parametrize(
    ("reason", "words"), [("peer_cert_missing", "client certificate"), ("pop_missing", "proof token")]
)
def test_flags_a_binding_that_asks_for_more_than_the_caller_showed(
    shop: duckdb.DuckDBPyConnection, reason: str, words: str
) -> None:
    (row,) = found(shop, RULE, *_call(authz_reason=reason, authz_decision="allow"))

    assert (row["caller"], row["callee"], row["severity"]) == ("orders", "inventory", "medium")
    assert f"with no {words} where a {words} is asked for (100 % of its calls)" in row["message"]


@pytest.mark.parametrize(
    ("asked", "scheme", "words"),
    [
        ("mtls", "https", "TLS without a client certificate where mTLS"),
        ("tls", "http", "plaintext where TLS"),
    ],
)
def test_flags_less_protection_than_the_callee_asks_for(
    shop: duckdb.DuckDBPyConnection, asked: str, scheme: str, words: str
) -> None:
    _ask(shop, asked)

    (row,) = found(shop, RULE, *_call({"url_scheme": scheme}))

    assert words in row["message"]


def test_flags_a_token_that_travels_in_plaintext(shop: duckdb.DuckDBPyConnection) -> None:
    plain = {"url_scheme": "http", "server_host": "inventory.internal"}
    verdict = {"authz_reason": "ok", "verified_caller": ORDERS, "authz_assurance": "wpt"}

    assert subjects(found(shop, RULE, *_call(plain, **verdict))) == [("orders", "inventory")]


def test_says_which_share_of_the_calls_it_is(shop: duckdb.DuckDBPyConnection) -> None:
    good = [
        span("orders", CLIENT, 1, trace=2),
        span("inventory", SERVER, 2, 1, trace=2, authz_reason="ok", verified_caller=ORDERS, peer_id=ORDERS),
    ]

    (row,) = found(shop, RULE, *_call(authz_reason="pop_missing"), *good)

    assert "(50 % of its calls)" in row["message"]


def test_passes_mutual_tls_where_it_is_asked_for(shop: duckdb.DuckDBPyConnection) -> None:
    _ask(shop, "mtls")

    assert not found(shop, RULE, *_call(authz_reason="ok", verified_caller=ORDERS, peer_id=ORDERS))


def test_passes_plaintext_where_nobody_asks_for_more(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_call({"url_scheme": "http", "server_host": "inventory.internal"}))


def test_trap_on_the_loopback_there_is_no_way_between(shop: duckdb.DuckDBPyConnection) -> None:
    plain = {"url_scheme": "http", "server_host": "127.0.0.1:8080"}

    assert not found(shop, RULE, *_call(plain, authz_reason="ok", verified_caller=ORDERS))


def test_trap_what_no_span_shows_is_not_weak(shop: duckdb.DuckDBPyConnection) -> None:
    _ask(shop, "mtls")

    assert not found(shop, RULE, *_call())
