"""How sure a hop is of its caller: what each witness adds, and what two that disagree make of it."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import Any

import duckdb
import pytest
from drawing import CLIENT, NOON, SECOND, SERVER, draw, span, trace_id
from otlp_requests import one_span
from sending_as import issue_told, sent
from shop_policy import EDGE, INVENTORY, settings, vercel

from bindtrace.propagation.manifest import DeclaredService, Match
from bindtrace.queries.analyse import analyse
from bindtrace.queries.policy import install_policy

Con = duckdb.DuckDBPyConnection
BILLING = "spiffe://shop.example/project/p1/env/prod/service/billing/deployment/d7"
ORDERS = "spiffe://shop.example/project/p1/env/prod/service/orders/deployment/d7"
MESH = "spiffe://cluster.local/ns/shop/sa/billing"
VERIFIED = {"authz_decision": "allow", "authz_reason": "ok", "verified_caller": BILLING}
RECEIPT = {"credential_sha256": "aa" * 16, "proof_sha256": "bb" * 16}


AUTHORITY = BILLING.replace("billing", "authority")
GATEWAY = BILLING.replace("billing", "gateway")
VERDICT = {
    "bindtrace__authz__decision": "allow",
    "bindtrace__authz__reason": "ok",
    "bindtrace__caller__id": BILLING,
}


def judged(
    con: Con, callee: dict[str, Any], *, caller: str | None = "billing", **client: Any
) -> dict[str, Any]:
    """The facts of one call to the ledger, of which the callee's span says this."""
    spans = [] if caller is None else [span(caller, CLIENT, 1, **client)]
    draw(con, *spans, span("ledger-api", SERVER, 2, None if caller is None else 1, **callee))
    analyse(con)
    columns = (
        "caller",
        "grade",
        "verdict",
        "reason",
        "outcome",
        "protection",
        "verified_caller",
        "peer_caller",
    )
    row = con.execute(f"select {', '.join(columns)} from hops where callee = 'ledger'").fetchone()
    assert row is not None
    return dict(zip(columns, row, strict=True))


def issue(con: Con, *credentials: str, at: int = NOON - 1) -> None:
    rows = [[credential, BILLING, at] for credential in credentials]
    con.executemany("insert into issued_credentials values (?, ?, ?, 0, null)", rows)


def _tell(con: Con, credential: str, *, at_ms: float) -> None:
    """As the authority does: a span of its own instrumentation scope."""
    issued = {"bindtrace.issued.jti_sha256": credential, "bindtrace.issued.subject": BILLING}
    scope = uuid.UUID(int=77)
    con.execute(
        "insert into instrumentation_scopes by name "
        "select ? as instrumentation_scope_id, 'bindtrace.authority' as name, 0 as dropped_attributes_count",
        [scope],
    )
    draw(
        con,
        span(
            "authority", SERVER, 9, trace=int(credential[:2], 16), at_ms=at_ms, name="issue token",
            attributes=json.dumps(issued), instrumentation_scope_id=scope,
        ),
    )  # fmt: skip


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


def test_a_receipt_and_the_issuance_log_prove(shop: Con) -> None:
    issue(shop, RECEIPT["credential_sha256"])

    assert judged(shop, VERIFIED | RECEIPT, proof_sha256=RECEIPT["proof_sha256"])["grade"] == "proven"


def test_a_call_is_judged_again_when_only_later_is_told_that_its_credential_was_issued(shop: Con) -> None:
    """Its own spans and the authority's come by different senders, in either order."""
    before = judged(shop, {**VERIFIED, **RECEIPT}, **RECEIPT)

    _tell(shop, RECEIPT["credential_sha256"], at_ms=-1)
    analyse(shop)

    assert before["grade"] == "verified"
    assert shop.execute("select grade from hops where callee = 'ledger'").fetchall() == [("proven",)]


@pytest.mark.parametrize(
    ("senders", "grade"),
    [
        ([""], "verified"),  # nobody asked who it was
        (["billing"], "verified"),
        ([BILLING], "verified"),
        (["authority"], "proven"),
        ([AUTHORITY], "proven"),
        (["", "authority"], "proven"),  # one who told before takes nothing from it
    ],
)
def test_once_an_authority_is_named_its_own_sender_alone_is_believed(
    shop: Con, senders: list[str], grade: str
) -> None:
    named = DeclaredService("bindtrace", "", "authority", None, "bindtrace.toml", 9, issuer=True)
    given = [vercel(), replace(settings(), services=(named,))]
    install_policy(shop, given)
    for sender in senders:
        sent(shop, issue_told(RECEIPT["credential_sha256"], BILLING), sender)

    assert judged(shop, VERIFIED | RECEIPT, **RECEIPT)["grade"] == grade


def test_without_a_name_whoever_tells_is_believed(shop: Con) -> None:
    sent(shop, issue_told(RECEIPT["credential_sha256"], BILLING), "")

    assert judged(shop, VERIFIED | RECEIPT, **RECEIPT)["grade"] == "proven"


@pytest.mark.parametrize("forwarder", [False, True])
def test_what_another_workload_says_that_the_callee_verified_is_a_claim(shop: Con, forwarder: bool) -> None:
    gateway = DeclaredService("bindtrace", "", "gateway", None, "bindtrace.toml", 9, forwarder=forwarder)
    install_policy(shop, [vercel(), replace(settings(), services=(gateway,))])
    request = one_span(7, service="ledger-api", **VERDICT)

    sent(shop, request, GATEWAY)

    assert shop.execute("select callee, grade, marks from hops").fetchall() == [
        ("ledger", "claimed", ["unattested"])
    ]


def test_what_the_callee_itself_says_that_it_verified_is(shop: Con) -> None:
    sent(shop, one_span(7, service="ledger-api", **VERDICT), GATEWAY.replace("gateway", "ledger"))

    assert shop.execute("select callee, grade from hops").fetchall() == [("ledger", "verified")]


def test_a_certificate_and_the_issuance_log_prove(shop: Con) -> None:
    issue(shop, RECEIPT["credential_sha256"])

    found = judged(shop, VERIFIED | {"credential_sha256": "aa" * 16, "peer_id": BILLING})

    assert (found["grade"], found["protection"]) == ("proven", "mtls")


@pytest.mark.parametrize(
    ("callee", "client", "issued"),
    [
        (RECEIPT, {}, True),  # the caller has no receipt
        (RECEIPT, {"proof_sha256": "cc" * 16}, True),  # that of another attempt
        (RECEIPT, {"proof_sha256": "bb" * 16}, False),  # no issuance log is known
    ],
)
def test_without_both_a_verified_call_is_not_proven(
    shop: Con, callee: dict[str, Any], client: dict[str, Any], issued: bool
) -> None:
    if issued:
        issue(shop, RECEIPT["credential_sha256"])

    assert judged(shop, VERIFIED | callee, **client)["grade"] == "verified"


def test_a_credential_that_was_never_issued_contradicts(shop: Con) -> None:
    issue(shop, "dd" * 16, at=NOON + 1)

    assert judged(shop, VERIFIED | RECEIPT)["grade"] == "contradicted"


def test_a_credential_that_was_issued_before_the_log_begins_is_not_doubted(shop: Con) -> None:
    issue(shop, "dd" * 16, at=NOON - 60 * SECOND)
    issue(shop, "ee" * 16, at=NOON + 1)
    age = {"credential_age_s": 100, "credential_remaining_s": 800}

    assert judged(shop, VERIFIED | RECEIPT | age)["grade"] == "verified"


def test_one_that_claims_to_be_of_the_logs_time_is(shop: Con) -> None:
    issue(shop, "dd" * 16, at=NOON - 60 * SECOND)
    issue(shop, "ee" * 16, at=NOON + 1)
    age = {"credential_age_s": 10, "credential_remaining_s": 890}

    assert judged(shop, VERIFIED | RECEIPT | age)["grade"] == "contradicted"


def test_a_call_is_judged_again_when_the_log_goes_on_without_its_credential(shop: Con) -> None:
    _tell(shop, "dd" * 16, at_ms=-5)
    before = judged(shop, VERIFIED | RECEIPT)

    _tell(shop, "ee" * 16, at_ms=5_000)
    analyse(shop)

    assert before["grade"] == "verified"
    assert shop.execute("select grade from hops where callee = 'ledger'").fetchall() == [("contradicted",)]


def test_trap_a_log_that_ends_before_the_call_says_nothing_of_it(shop: Con) -> None:
    issue(shop, "dd" * 16, at=NOON - 1)

    assert judged(shop, VERIFIED | RECEIPT)["grade"] == "verified"


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
