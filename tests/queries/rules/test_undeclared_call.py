"""undeclared-call: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from dataclasses import replace

import duckdb
from drawing import CLIENT, SERVER, span
from judging import found, subjects
from shop_policy import LEDGER, settings, vercel

from bindtrace.propagation.manifest import DeclaredService, Grant
from bindtrace.queries.policy import install_policy

RULE = "undeclared-call"


def test_flags_a_call_that_no_manifest_declares(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(
        shop, RULE, span("storefront", CLIENT, 1, server_host=LEDGER), span("ledger-api", SERVER, 2, 1)
    )

    assert (row["caller"], row["callee"], row["severity"], row["grade"]) == (
        "storefront", "ledger", "medium", "claimed",
    )  # fmt: skip
    assert "declare a binding to ledger under storefront in vercel.json" in row["fix"]
    assert row["source"] == {"file": "vercel.json", "line": 3}
    assert row["example"]["span_ids"] == [f"{1:016x}", f"{2:016x}"]


def test_flags_a_call_whose_callee_sent_no_spans_but_whose_host_is_declared(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    rows = found(shop, RULE, span("storefront", CLIENT, 1, server_host=LEDGER))

    assert subjects(rows) == [("storefront", "ledger")]


def test_passes_a_declared_call(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, span("billing", CLIENT, 1), span("ledger-api", SERVER, 2, 1))


def test_trap_without_any_manifest_nothing_is_undeclared(con: duckdb.DuckDBPyConnection) -> None:
    assert not found(con, RULE, span("storefront", CLIENT, 1), span("ledger", SERVER, 2, 1))


def test_trap_a_single_inferred_call_is_not_enough(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, span("ledger-api", SERVER, 2))


def test_trap_a_database_and_a_host_on_the_internet_are_nobodys_binding(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    assert not found(
        shop,
        RULE,
        span("storefront", CLIENT, 1, db_system="postgresql"),
        span("storefront", CLIENT, 2, server_host="api.stripe.com"),
    )


def test_flags_a_call_to_a_sensitive_service_as_worse(con: duckdb.DuckDBPyConnection) -> None:
    ledger = DeclaredService("bindtrace", "", "ledger", None, "b.toml", 1, sensitive=True)
    install_policy(con, [vercel(), replace(settings(), services=(ledger,))])

    (row,) = found(con, RULE, span("storefront", CLIENT, 1), span("ledger-api", SERVER, 2, 1))

    assert row["severity"] == "high"


def test_flags_a_request_that_no_grant_is_for_at_the_grants_line(con: duckdb.DuckDBPyConnection) -> None:
    reads = Grant("bindtrace", "", None, "storefront", "ledger", None, "b.toml", 4, methods=("GET",))
    install_policy(con, [vercel(), replace(settings(), grants=(reads,))])

    (row,) = found(
        con, RULE, span("storefront", CLIENT, 1, http_method="PUT"), span("ledger-api", SERVER, 2, 1)
    )

    assert "no grant is for PUT /" in row["message"]
    assert row["source"] == {"file": "b.toml", "line": 4}


def test_trap_a_browser_is_no_service_that_a_binding_could_be_declared_for(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    browser = {"telemetry.sdk.language": "webjs"}

    assert not found(shop, RULE, span("web", CLIENT, 1, resource=browser), span("ledger-api", SERVER, 2, 1))
