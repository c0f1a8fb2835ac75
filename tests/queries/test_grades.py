"""How sure a hop is of its caller: what each witness adds, and what two that disagree make of it."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import duckdb
import pytest
from drawing import CLIENT, SERVER, draw, span, trace_id
from grading import BILLING, MESH, ORDERS, VERIFIED, judged
from shop_policy import EDGE, INVENTORY, settings, vercel

from bindtrace.propagation.manifest import DeclaredService, Match
from bindtrace.queries.analyse import analyse
from bindtrace.queries.policy import install_policy

Con = duckdb.DuckDBPyConnection
Con = duckdb.DuckDBPyConnection


def test_a_sender_alone_claims(shop: Con) -> None:
    assert judged(shop, {})["grade"] == "claimed"


def test_a_callee_alone_lets_its_caller_be_inferred(shop: Con) -> None:
    assert judged(shop, {}, caller=None)["grade"] == "inferred"


def test_a_receivers_check_verifies(shop: Con) -> None:
    found = judged(shop, VERIFIED)

    assert (found["grade"], found["verdict"], found["reason"]) == ("verified", "allowed", "ok")
    assert found["outcome"] == "passed"
    assert found["verified_caller"] == BILLING.removesuffix("/deployment/d7")


def test_a_receivers_check_names_a_caller_that_sends_no_spans(shop: Con) -> None:
    found = judged(shop, VERIFIED, caller=None)

    assert (found["caller"], found["grade"]) == ("billing", "verified")


@pytest.mark.parametrize(
    "callee",
    [
        {"verified_caller": ORDERS, "authz_reason": "ok"},
        {"peer_id": ORDERS},
        {"peer_id": f"By=spiffe://x;Hash=ab;URI={ORDERS}"},
        {"claimed_caller": "orders"},
    ],
)
def test_witnesses_that_name_two_services_contradict(shop: Con, callee: dict[str, Any]) -> None:
    assert judged(shop, callee)["grade"] == "contradicted"


def test_token_and_certificate_of_two_services_contradict_without_any_span_of_the_caller(shop: Con) -> None:
    assert judged(shop, VERIFIED | {"peer_id": ORDERS}, caller=None)["grade"] == "contradicted"


@pytest.mark.parametrize("callee", [{"peer_id": MESH}, {"peer_id": f'By=x;Hash=ab;Subject="";URI={MESH}'}])
def test_a_sidecars_certificate_verifies_without_a_token(shop: Con, callee: dict[str, Any]) -> None:
    found = judged(shop, callee)

    assert (found["grade"], found["protection"], found["peer_caller"]) == ("verified", "mtls", MESH)


def test_trap_an_identity_of_no_service_we_know_contradicts_nobody(shop: Con) -> None:
    found = judged(shop, {"peer_id": "spiffe://cluster.local/ns/shop/sa/default"})

    assert found["grade"] == "claimed"


def test_an_identity_may_be_mapped_to_a_service(con: Con) -> None:
    match = Match("billing", "service", "bindtrace.peer.id", "spiffe://cluster.local/ns/shop/sa/default")
    install_policy(con, [vercel(), replace(settings(), matches=(*settings().matches, match))])

    assert judged(con, {"peer_id": match.value})["grade"] == "verified"


def test_trap_a_gateway_that_calls_in_anothers_name_contradicts_nobody(con: Con) -> None:
    gateway = DeclaredService(
        "bindtrace", "", "orders", None, "bindtrace.toml", 4, delegates_for=("billing", "storefront")
    )
    install_policy(con, [vercel(), replace(settings(), services=(gateway,))])

    assert judged(con, {"claimed_caller": "billing"}, caller="orders")["grade"] == "claimed"


def test_trap_behind_an_edge_the_certificate_is_the_edges(shop: Con) -> None:
    draw(
        shop,
        span("billing", CLIENT, 1, server_host="shop.example"),
        span("edge", SERVER, 2, 1),
        span("edge", CLIENT, 3, 2),
        span("ledger-api", SERVER, 4, 3, peer_id="spiffe://cluster.local/ns/edge/sa/orders"),
    )
    analyse(shop)

    assert shop.execute("select caller, grade from hops").fetchall() == [("billing", "claimed")]


def test_what_a_key_joined_is_inferred_whatever_was_verified(shop: Con) -> None:
    shop.execute("insert into trace_links values (?, ?, 1)", [uuid.UUID(int=1), uuid.UUID(int=2)])
    claims = {"claimed_chain": trace_id(1), "claimed_hop": 1}
    draw(
        shop,
        span("catalog", CLIENT, 1, **claims),
        span("inventory", SERVER, 3, trace=2, claimed_caller="catalog", **claims),
    )
    analyse(shop)

    assert shop.execute("select pairing, grade from hops").fetchall() == [("binding-header", "inferred")]


@pytest.mark.parametrize(
    ("reason", "decision", "expected"),
    [
        ("signature_invalid", "deny", ("denied", "signature_invalid", "refused", "claimed")),
        ("credential_missing", "allow", ("denied", "credential_missing", "passed", "claimed")),
        ("a_reason_of_a_newer_shim", "allow", ("allowed", "declared", "passed", "claimed")),
    ],
)
def test_what_the_receiver_said_is_the_verdict_and_what_it_did_the_outcome(
    shop: Con, reason: str, decision: str, expected: tuple[str, ...]
) -> None:
    found = judged(shop, {"authz_reason": reason, "authz_decision": decision})

    assert (found["verdict"], found["reason"], found["outcome"], found["grade"]) == expected


@pytest.mark.parametrize(
    ("client", "callee", "expected"),
    [
        ({"url_scheme": "http"}, {}, "plaintext"),
        ({"url_scheme": "https"}, {}, "tls"),
        ({}, {}, "unknown"),
        ({"url_scheme": "http"}, {"peer_id": MESH}, "mtls"),
        ({"url_scheme": "http"}, {"tls_version": "1.3"}, "tls"),
    ],
)
def test_plaintext_unknown_and_mtls_never_look_alike(
    shop: Con, client: dict[str, str], callee: dict[str, str], expected: str
) -> None:
    assert judged(shop, callee, **client)["protection"] == expected


def test_what_is_said_to_a_sidecar_in_plaintext_tells_nothing_of_the_way_between(shop: Con) -> None:
    draw(
        shop,
        span("billing", CLIENT, 1, url_scheme="http"),
        span("billing", CLIENT, 2, 1, component="proxy"),
        span("ledger-api", SERVER, 3, 2, component="proxy"),
        span("ledger-api", SERVER, 4, 3, url_scheme="http"),
    )
    analyse(shop)

    assert shop.execute("select caller, callee, protection from hops").fetchall() == [
        ("billing", "ledger", "unknown")
    ]


def test_an_edge_that_shows_a_token_of_its_own_is_no_caller(shop: Con) -> None:
    its_own = ORDERS.replace("orders", "edge")
    draw(
        shop,
        span("edge", SERVER, 1, server_host=EDGE),
        span("edge", CLIENT, 2, 1, server_host=INVENTORY),
        span("inventory", SERVER, 3, 2, authz_decision="allow", authz_reason="ok", verified_caller=its_own),
    )

    analyse(shop)

    assert shop.execute("select caller, callee, grade, reason from hops").fetchall() == [
        (None, "inventory", "verified", "ok")
    ]
