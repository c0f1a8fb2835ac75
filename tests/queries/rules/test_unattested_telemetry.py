"""unattested-telemetry: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from otlp_requests import one_span
from sending_as import sent

from bindtrace.propagation.manifest import DeclaredService, Manifest, Match
from bindtrace.propagation.vocabulary import EXPORTER
from bindtrace.queries.catalog import run_report
from bindtrace.queries.policy import install_policy
from bindtrace.queries.query import Query

RULE = "unattested-telemetry"
BILLING = "spiffe://shop.example/project/p1/env/production/service/billing/deployment/7"


def found(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    return run_report(con, "findings", Query(filters={"rule": RULE}))


def test_flags_a_workload_that_sends_spans_of_another(con: duckdb.DuckDBPyConnection) -> None:
    sent(con, one_span(1, service="orders"), BILLING)
    sent(con, one_span(2, service="orders"), BILLING)

    (row,) = found(con)

    assert (row["caller"], row["callee"], row["count"], row["severity"]) == ("billing", "orders", 2, "low")
    assert BILLING in row["message"]


def test_passes_a_workload_that_speaks_for_itself(con: duckdb.DuckDBPyConnection) -> None:
    sent(con, one_span(1, service="billing"), BILLING)

    assert not found(con)


def test_flags_a_workload_that_speaks_for_another_environment(con: duckdb.DuckDBPyConnection) -> None:
    request = one_span(1, service="billing")
    name = request.resource_spans[0].resource.attributes.add(key="deployment.environment.name")
    name.value.string_value = "preview"
    sent(con, request, BILLING)

    assert [(row["caller_env"], row["callee_env"]) for row in found(con)] == [("production", "preview")]


@pytest.mark.parametrize("exporter", ["", "gateway", "spiffe://cluster.local/ns/shop/sa/billing"])
def test_trap_who_proved_to_be_no_workload_of_ours_contradicts_nothing(
    con: duckdb.DuckDBPyConnection, exporter: str
) -> None:
    sent(con, one_span(1, service="orders"), exporter)

    assert not found(con)


def test_trap_who_is_declared_to_send_on_for_others(con: duckdb.DuckDBPyConnection) -> None:
    gateway = DeclaredService("bindtrace", "", "billing", None, "bindtrace.toml", 3, forwarder=True)
    install_policy(con, [Manifest("bindtrace.toml", "bindtrace", "", "r1", (gateway,))])
    sent(con, one_span(1, service="orders"), BILLING)

    assert not found(con)


def test_trap_two_names_of_one_service(con: duckdb.DuckDBPyConnection) -> None:
    match = Match("billing", "service", "service.name", "billing-worker")
    install_policy(con, [Manifest("bindtrace.toml", "bindtrace", "", "r1", matches=(match,))])
    sent(con, one_span(1, service="billing-worker"), BILLING)

    assert not found(con)


def test_trap_a_sender_that_writes_the_receivers_word_itself(con: duckdb.DuckDBPyConnection) -> None:
    request = one_span(1, service="orders")
    request.resource_spans[0].resource.attributes.add(key=EXPORTER).value.string_value = BILLING
    sent(con, request, "")

    assert not found(con)
