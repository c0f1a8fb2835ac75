"""What a hop is judged to be by the policy and the way it took."""

from __future__ import annotations

import duckdb
from drawing import CLIENT, SERVER, draw, span
from folding import hops
from shop_policy import settings, vercel

from bindtrace.queries.policy import install_policy

Con = duckdb.DuckDBPyConnection


def test_a_claim_that_the_callers_own_spans_contradict_is_graded_so(shop: Con) -> None:
    draw(shop, span("billing", CLIENT, 1), span("ledger-api", SERVER, 2, 1, claimed_caller="orders"))

    assert hops(shop, "caller", "callee", "grade") == [("billing", "ledger", "contradicted")]


def test_a_public_name_that_resolved_to_a_private_address_stays_inside(shop: Con) -> None:
    draw(
        shop,
        span("orders", CLIENT, 1, server_host="shop.example", network_peer_address="10.1.2.3"),
        span("inventory", SERVER, 2, 1),
    )

    assert hops(shop, "road") == [("private",)]


def test_a_public_name_alone_is_only_suspected(shop: Con) -> None:
    draw(shop, span("orders", CLIENT, 1, server_host="eu.shop.example"), span("inventory", SERVER, 2, 1))

    assert hops(shop, "road", "confidence") == [("public", "suspected")]


def test_a_public_name_with_a_public_address_is_probable(shop: Con) -> None:
    draw(
        shop,
        span("orders", CLIENT, 1, server_host="shop.example", network_peer_address="93.184.216.34"),
        span("inventory", SERVER, 2, 1),
    )

    assert hops(shop, "road", "confidence") == [("public", "probable")]


def test_without_any_manifest_no_call_is_undeclared(con: Con) -> None:
    draw(con, span("web", CLIENT, 1), span("api", SERVER, 2, 1))

    assert hops(con, "verdict", "reason") == [("unknown", "no_manifest")]


def test_plaintext_unknown_and_mtls_never_look_alike(con: Con) -> None:
    draw(
        con,
        span("a", CLIENT, 1, url_scheme="http"), span("b", SERVER, 2, 1),
        span("a", CLIENT, 3), span("b", SERVER, 4, 3),
        span("a", CLIENT, 5, url_scheme="https"), span("b", SERVER, 6, 5),
        span("a", CLIENT, 7), span("b", SERVER, 8, 7, peer_cert_sha256="ab"),
    )  # fmt: skip

    assert hops(con, "protection") == [("mtls",), ("plaintext",), ("tls",), ("unknown",)]


def test_a_new_policy_judges_the_stored_hops_anew(con: Con) -> None:
    draw(con, span("orders", CLIENT, 1), span("ledger-api", SERVER, 2, 1))
    assert hops(con, "verdict") == [("unknown",)]

    install_policy(con, [vercel(), settings()])

    assert hops(con, "verdict") == [("denied",)]
