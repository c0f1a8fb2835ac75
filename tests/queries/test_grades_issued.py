"""What the log of issued credentials adds to a grade, whom it is believed from, and what it takes away."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import Any

import duckdb
import pytest
from drawing import NOON, SECOND, SERVER, draw, span
from grading import BILLING, ORDERS, RECEIPT, VERIFIED, judged
from otlp_requests import one_span
from sending_as import issue_told, sent
from shop_policy import settings, vercel

from bindtrace.propagation.manifest import DeclaredService
from bindtrace.queries.analyse import analyse
from bindtrace.queries.policy import install_policy

Con = duckdb.DuckDBPyConnection
AUTHORITY = BILLING.replace("billing", "authority")
LEDGER = "spiffe://shop.example/project/p1/env/prod/service/ledger"
GATEWAY = BILLING.replace("billing", "gateway")
VERDICT = {
    "bindtrace__authz__decision": "allow",
    "bindtrace__authz__reason": "ok",
    "bindtrace__caller__id": BILLING,
}


def issue(
    con: Con, *credentials: str, at: int = NOON - 1, subject: str = BILLING, callee: str | None = None
) -> None:
    rows = [[credential, subject, at, callee] for credential in credentials]
    con.executemany("insert into issued_credentials values (?, ?, ?, 0, null, ?)", rows)


def _tell(con: Con, credential: str, *, at_ms: float, callee: str | None = None) -> None:
    """As the authority does: a span of its own instrumentation scope."""
    issued = {"bindtrace.issued.jti_sha256": credential, "bindtrace.issued.subject": BILLING}
    issued |= {"bindtrace.issued.callee": callee} if callee else {}
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


def test_a_receipt_and_the_issuance_log_prove(shop: Con) -> None:
    issue(shop, RECEIPT["credential_sha256"])

    assert judged(shop, VERIFIED | RECEIPT, proof_sha256=RECEIPT["proof_sha256"])["grade"] == "proven"


@pytest.mark.parametrize(
    ("callee", "seen", "grade"),
    [
        (LEDGER, {"target_id": LEDGER}, "proven"),
        (LEDGER, {}, "verified"),  # whom it was shown to is not said
        (ORDERS, {"target_id": LEDGER}, "contradicted"),
        (ORDERS, {}, "verified"),
        (
            ORDERS,
            {"target_id": LEDGER, "authz_reason": "callee_mismatch", "authz_decision": "deny"},
            "proven",
        ),
    ],
)
def test_the_log_confirms_a_call_to_the_callee_that_its_credential_is_for(
    shop: Con, callee: str, seen: dict[str, str], grade: str
) -> None:
    issue(shop, RECEIPT["credential_sha256"], callee=callee)

    assert judged(shop, VERIFIED | RECEIPT | seen, **RECEIPT)["grade"] == grade


def test_whom_a_credential_is_for_comes_with_the_authoritys_span(shop: Con) -> None:
    """And a call that was judged before it came is judged again."""
    before = judged(shop, VERIFIED | RECEIPT | {"target_id": LEDGER}, **RECEIPT)

    _tell(shop, RECEIPT["credential_sha256"], at_ms=-1, callee=ORDERS)
    analyse(shop)

    assert before["grade"] == "verified"
    assert shop.execute("select grade, marks from hops where callee = 'ledger'").fetchall() == [
        ("contradicted", ["issued-for-another"])
    ]


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


def test_a_credential_that_another_was_issued_proves_nothing(shop: Con) -> None:
    issue(shop, RECEIPT["credential_sha256"], subject=ORDERS)

    assert judged(shop, VERIFIED | RECEIPT, **RECEIPT)["grade"] == "verified"


def test_a_credential_that_another_was_issued_contradicts_once_the_log_has_gone_on(shop: Con) -> None:
    """Of hashes that the ledger has seen on good calls it could make calls of anybody."""
    issue(shop, RECEIPT["credential_sha256"], subject=ORDERS)
    issue(shop, "dd" * 16, at=NOON + 1)

    assert judged(shop, VERIFIED | RECEIPT | {"peer_id": BILLING}, **RECEIPT)["grade"] == "contradicted"


def test_a_call_is_judged_again_when_the_log_goes_on_with_its_credential_issued_to_another(shop: Con) -> None:
    issue(shop, RECEIPT["credential_sha256"], subject=ORDERS)
    before = judged(shop, VERIFIED | RECEIPT)

    _tell(shop, "ee" * 16, at_ms=5_000)
    analyse(shop)

    assert before["grade"] == "verified"
    assert shop.execute("select grade from hops where callee = 'ledger'").fetchall() == [("contradicted",)]


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
