"""unauthorized-call: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import duckdb
import pytest
from drawing import CLIENT, NOON, SECOND, SERVER, S, draw, span
from judging import found
from shop_policy import settings, vercel

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.manifest import Grant
from bindtrace.propagation.vocabulary import REASONS
from bindtrace.queries.policy import install_policy
from bindtrace.queries.rules import RULES

RULE = "unauthorized-call"
STOREFRONT = "spiffe://shop.example/project/p1/env/prod/service/storefront/deployment/d7"


def _call(reason: str, decision: str, **callee: Any) -> tuple[S, ...]:
    verdict = {"authz_reason": reason, "authz_decision": decision, "verified_caller": STOREFRONT}
    return span("storefront", CLIENT, 1), span("ledger-api", SERVER, 2, 1, **(verdict | callee))


@pytest.mark.parametrize(
    ("decision", "severity", "words"),
    [("allow", "high", "the guard let it pass"), ("deny", "medium", "was refused")],
)
def test_flags_a_known_caller_without_a_grant(
    shop: duckdb.DuckDBPyConnection, decision: str, severity: str, words: str
) -> None:
    (row,) = found(shop, RULE, *_call("caller_not_bound", decision))

    assert (row["caller"], row["callee"], row["severity"], row["grade"]) == (
        "storefront", "ledger", severity, "verified",
    )  # fmt: skip
    assert f"(caller_not_bound), and {words}" in row["message"]


@pytest.mark.parametrize(
    ("reason", "fix"),
    [
        (
            "callee_mismatch",
            "let storefront send the token that it holds for ledger (what came is for another callee",
        ),
        ("environment_mismatch", "let storefront call the ledger of its own environment"),
        ("deployment_mismatch", "end the deployment of storefront that is no longer live"),
        ("binding_unknown", "declare a binding from storefront to ledger and register it"),
        ("binding_inactive", "make the binding from storefront to ledger active again"),
        ("binding_epoch_stale", "let storefront renew its token"),
        ("caller_not_bound", "declare a binding from storefront to ledger, or remove the call"),
        ("route_not_allowed", "add GET /entries to the routes of the binding from storefront to ledger"),
    ],
)
def test_the_fix_is_that_of_the_reason(shop: duckdb.DuckDBPyConnection, reason: str, fix: str) -> None:
    asked = {"http_method": "GET", "url_path": "/entries"}

    (row,) = found(shop, RULE, *_call(reason, "deny", **asked))

    assert row["fix"].startswith(fix)
    assert "{" not in row["fix"]


def test_every_reason_of_the_class_grant_has_a_fix() -> None:
    assert [reason for reason in REASONS["grant"] if f"'{reason}'," not in RULES[RULE].text] == []


def test_passes_a_call_that_the_guard_allowed(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_call("ok", "allow"))


def test_trap_a_bad_credential_says_nothing_of_a_grant(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_call("signature_invalid", "deny", verified_caller=None))


def test_trap_what_only_a_manifest_does_not_declare_is_another_rules(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, span("storefront", CLIENT, 1), span("ledger-api", SERVER, 2, 1))


def _deployed(
    con: duckdb.DuckDBPyConnection,
    ago_s: int,
    *made_ago_s: int,
    allowed_ago_s: int | None = None,
    reason: str = "caller_not_bound",
) -> None:
    """A manifest that grants storefront to ledger since then; refused calls, and one that passes, of those times."""
    now = now_unix_nano()
    before = vercel()
    granted = Grant("vercel", "", None, "storefront", "ledger", "LEDGER_URL", "vercel.json", 30)
    install_policy(con, [before, settings()], at_unix_nano=now - 3600 * SECOND)
    after = replace(before, revision="9", grants=(*before.grants, granted))
    install_policy(con, [after, settings()], at_unix_nano=now - ago_s * SECOND)
    for trace, made in enumerate(made_ago_s, 1):
        draw(con, *_at(_call(reason, "deny"), trace, now - made * SECOND))
    if allowed_ago_s is not None:
        draw(con, *_at(_call("ok", "allow"), 99, now - allowed_ago_s * SECOND))


def _at(spans: tuple[S, ...], trace: int, start: int) -> tuple[S, ...]:
    return tuple(replace(one, trace=trace, at_ms=(start - NOON) / 1e6) for one in spans)


def test_a_call_that_is_granted_since_less_than_two_refreshes_is_pending(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    _deployed(shop, 100, 60)

    (row,) = found(shop, RULE)

    assert (row["severity"], row["count"]) == ("info", 1)
    assert "pending" in row["message"]


def test_what_is_refused_when_the_guard_must_have_heard_is_no_longer_pending(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    _deployed(shop, 200, 150, 60)

    (row,) = found(shop, RULE)

    assert (row["severity"], row["count"]) == ("medium", 2)
    assert "pending" not in row["message"]


def test_a_token_of_another_callee_is_no_matter_of_a_deploy(shop: duckdb.DuckDBPyConnection) -> None:
    _deployed(shop, 100, 60, reason="callee_mismatch")

    assert [row["severity"] for row in found(shop, RULE)] == ["medium"]


def test_after_five_minutes_nothing_is_pending_any_more(shop: duckdb.DuckDBPyConnection) -> None:
    _deployed(shop, 400, 350)

    assert [row["severity"] for row in found(shop, RULE)] == ["medium"]


def test_trap_a_deploy_whose_guard_has_heard_since(shop: duckdb.DuckDBPyConnection) -> None:
    _deployed(shop, 400, 350, allowed_ago_s=200)

    assert not found(shop, RULE)


def test_a_grant_that_was_there_before_the_deploy_excuses_nothing(shop: duckdb.DuckDBPyConnection) -> None:
    now = now_unix_nano()
    before = vercel()
    granted = Grant("vercel", "", None, "storefront", "ledger", "LEDGER_URL", "vercel.json", 30)
    first = replace(before, revision="8", grants=(*before.grants, granted))
    install_policy(shop, [first, settings()], at_unix_nano=now - 3600 * SECOND)
    install_policy(shop, [replace(first, revision="9"), settings()], at_unix_nano=now - 100 * SECOND)
    draw(shop, *_at(_call("caller_not_bound", "deny"), 1, now - 60 * SECOND))

    assert [row["severity"] for row in found(shop, RULE)] == ["medium"]
