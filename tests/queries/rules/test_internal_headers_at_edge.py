"""internal-headers-at-edge: what it flags, what it lets pass, and what looks like it but is not."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest
from drawing import CLIENT, SERVER, S, span
from judging import found
from shop_policy import EDGE

RULE = "internal-headers-at-edge"
ORDERS = "spiffe://shop.example/project/p1/env/prod/service/orders/deployment/d7"


def _entry(trace: int = 1, *names: str, exposed: str | None = None, **columns: Any) -> list[S]:
    """A request that the edge passed on, after it took these headers off."""
    said = {"bindtrace.edge.stripped": list(names), "bindtrace.credential.exposed_on_public_path": exposed}
    stripped = {"edge_stripped": names[0], "attributes": json.dumps(said)} if names else {}
    return [
        span("edge", SERVER, 1, trace=trace, server_host=EDGE, client_address="198.51.100.7", **stripped, **columns),
        span("edge", CLIENT, 2, 1, trace=trace),
        span("storefront", SERVER, 3, 2, trace=trace),
    ]  # fmt: skip


def test_flags_what_only_our_services_send(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(shop, RULE, *_entry(1, "service-binding", "workload-identity-token"))

    assert (row["caller"], row["callee"], row["severity"]) == (None, "storefront", "low")
    assert "198.51.100.0/24 sent storefront" in row["message"]
    assert "service-binding,workload-identity-token" in row["message"]


def test_flags_a_network_that_tries_it_again_and_again_as_worse(shop: duckdb.DuckDBPyConnection) -> None:
    tries = [one for trace in range(1, 11) for one in _entry(trace, "service-binding")]

    (row,) = found(shop, RULE, *tries)

    assert (row["severity"], row["count"]) == ("medium", 10)


def test_flags_a_good_token_as_worst_and_says_whose(shop: duckdb.DuckDBPyConnection) -> None:
    (row,) = found(shop, RULE, *_entry(1, "workload-identity-token", exposed=ORDERS))

    assert row["severity"] == "high"
    assert ORDERS in row["message"]
    assert "public-route" in row["fix"]


def test_flags_a_guard_that_is_the_public_listener_itself(shop: duckdb.DuckDBPyConnection) -> None:
    listener = span(
        "storefront", SERVER, 1, client_address="2001:db8:7:1::9", authz_reason="not_applicable_public",
        edge_stripped="service-binding", attributes='{"bindtrace.edge.stripped":["service-binding"]}',
    )  # fmt: skip

    (row,) = found(shop, RULE, listener)

    assert "2001:db8:7::/48 sent storefront" in row["message"]


def test_passes_a_request_with_nothing_of_ours(shop: duckdb.DuckDBPyConnection) -> None:
    assert not found(shop, RULE, *_entry())


@pytest.mark.parametrize("nothing", ["-", None])
def test_trap_a_proxy_that_writes_a_dash_took_nothing_off(
    shop: duckdb.DuckDBPyConnection, nothing: str | None
) -> None:
    assert not found(shop, RULE, *_entry(1, edge_stripped=nothing))
