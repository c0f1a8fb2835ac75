"""unused-grant: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import duckdb
import pytest
from drawing import NOON, calls_over_days
from judging import found
from shop_policy import settings, vercel

from bindtrace.queries.policy import install_policy

RULE = "unused-grant"


def test_flags_a_grant_that_its_caller_never_used(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(shop, RULE, *calls_over_days("storefront", "orders"))

    assert (row["caller"], row["callee"], row["severity"], row["confidence"]) == (
        "storefront", "catalog", "low", "confirmed",
    )  # fmt: skip
    assert row["source"] == {"file": "vercel.json", "line": 20}
    assert "in 20 days made 60 other calls and none to it; every trace was kept" in row["message"]


@pytest.mark.parametrize(
    ("kept", "severity", "confidence", "words"),
    [
        ("ot=th:e6666666666666", "low", "suspected", "10 % of the traces were kept, so up to 30 calls"),
        ("ot=th:8", "low", "probable", "50 % of the traces"),
        (None, "info", None, "is not known"),
    ],
)
def test_flags_it_as_sure_as_sampling_allows(
    shop: duckdb.DuckDBPyConnection, kept: str | None, severity: str, confidence: str | None, words: str
) -> None:
    (row,) = found(shop, RULE, *calls_over_days("storefront", "orders", kept=kept))

    assert (row["severity"], row["confidence"]) == (severity, confidence)
    assert words in row["message"]


@pytest.mark.parametrize("more", [{"days": 10}, {"calls": 20}])
def test_passes_a_caller_that_was_not_seen_for_long_or_often(
    shop: duckdb.DuckDBPyConnection, more: dict[str, Any]
) -> None:
    assert not found(shop, RULE, *calls_over_days("storefront", "orders", **more))


def test_passes_a_grant_that_was_used_once(shop: duckdb.DuckDBPyConnection) -> None:
    used = calls_over_days("storefront", "catalog", calls=2, first=1000)

    assert not found(shop, RULE, *calls_over_days("storefront", "orders"), *used)


def test_trap_a_grant_that_is_new_is_not_unused_yet(con: duckdb.DuckDBPyConnection) -> None:
    only = replace(vercel(), grants=vercel().grants[1:])
    install_policy(con, [only, settings()], NOON)
    install_policy(con, [replace(vercel(), revision="1b"), settings()], NOON + 10 * 86400 * 10**9)

    assert not found(con, RULE, *calls_over_days("storefront", "orders"))


def test_trap_a_call_to_a_host_that_nobody_knows_may_be_the_one(shop: duckdb.DuckDBPyConnection) -> None:
    unknown = calls_over_days("storefront", "", calls=2, first=1000, server_host="10.1.2.3")

    assert not found(shop, RULE, *calls_over_days("storefront", "orders"), *unknown)


def test_trap_a_binding_that_leaves_no_trace_or_is_seldom_used(con: duckdb.DuckDBPyConnection) -> None:
    grants = tuple(
        replace(grant, traced=grant.callee != "catalog")
        if grant.callee != "orders"
        else replace(grant, used_within_days=90)
        for grant in vercel().grants
    )
    install_policy(con, [replace(vercel(), grants=grants), settings()])

    assert not found(con, RULE, *calls_over_days("storefront", "inventory"))
