"""Callee and road of calls to hosts that no manifest names: a deployment's own, a platform's domain, a service's own
word, and what a stamped variable leads to."""

from __future__ import annotations

import duckdb
import pytest
from drawing import CLIENT, SERVER, draw, span

from bindtrace.queries.analyse import analyse

HOST, BRANCH = "shop-9x2k.vercel.app", "shop-git-main.vercel.app"
VERCEL = {"vercel.host": HOST, "vercel.branch_host": BRANCH}


def called(
    con: duckdb.DuckDBPyConnection,
    host: str,
    *,
    caller: dict[str, str] | None = None,
    callee: dict[str, str] | None = None,
    answered: bool = True,
    **client: str,
) -> tuple[str, str]:
    """Callee and road of one call from orders to inventory by this host."""
    spans = [span("orders", CLIENT, 1, server_host=host, resource=caller or {}, **client)]
    if answered:
        spans.append(span("inventory", SERVER, 2, 1, resource=callee or {}))
    else:
        spans.append(span("inventory", SERVER, 2, trace=2, resource=callee or {}))
    draw(con, *spans)
    analyse(con)
    row = con.execute("select callee, road from hops where caller = 'orders'").fetchone()
    assert row is not None
    return row[0], row[1]


@pytest.mark.parametrize("host", [HOST, BRANCH])
def test_a_deployments_own_host_is_public(con: duckdb.DuckDBPyConnection, host: str) -> None:
    assert called(con, host, caller=VERCEL) == ("inventory", "public")


def test_a_deployments_own_host_is_public_whatever_its_name_and_by_whatever_variable(
    con: duckdb.DuckDBPyConnection,
) -> None:
    own = {"vercel.host": "shop.example"}

    assert called(con, "shop.example", caller=own, binding_name="INVENTORY_URL") == ("inventory", "public")


def test_a_deployments_host_leads_to_all_services_so_it_names_none(con: duckdb.DuckDBPyConnection) -> None:
    assert called(con, HOST, caller=VERCEL, answered=False) == (HOST, "public")


@pytest.mark.parametrize("host", ["other.vercel.app", "api.acme.workers.dev"])
def test_a_name_under_a_platforms_domain_is_public(con: duckdb.DuckDBPyConnection, host: str) -> None:
    assert called(con, host) == ("inventory", "public")


def test_trap_a_binding_may_have_a_name_under_its_platforms_domain(con: duckdb.DuckDBPyConnection) -> None:
    assert called(con, "inventory--internal.vercel.app", binding_name="INVENTORY_URL") == (
        "inventory",
        "binding",
    )


def test_trap_a_name_that_only_ends_like_a_platforms_domain(con: duckdb.DuckDBPyConnection) -> None:
    assert called(con, "notvercel.app") == ("inventory", "unknown")


@pytest.mark.parametrize(
    "hosts", ["inventory.example,Inventory.Internal:8080", '["inventory.example", "inventory.internal:8080"]']
)
@pytest.mark.parametrize(
    ("host", "road"), [("inventory.example", "public"), ("inventory.internal:8080", "private")]
)
def test_hosts_that_a_service_says_are_its_own_name_it_even_where_it_did_not_answer(
    con: duckdb.DuckDBPyConnection, hosts: str, host: str, road: str
) -> None:
    said = {"bindtrace.hosts": hosts}

    assert called(con, host, callee=said, answered=False) == ("inventory", road)


@pytest.mark.parametrize("hosts", ["", ",", "[", "[]", "[::1]:8080", "{}", "null"])
def test_a_host_list_that_is_none_says_nothing(con: duckdb.DuckDBPyConnection, hosts: str) -> None:
    assert called(con, "inventory.example", callee={"bindtrace.hosts": hosts}) == ("inventory", "unknown")


def test_where_a_variable_leads_is_known_even_where_the_callee_did_not_answer(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    """The platform's internal name says nothing; the stamp and the manifest do."""
    assert called(shop, "x-5f1c.platform.example", answered=False, binding_name="INVENTORY_URL") == (
        "inventory",
        "binding",
    )


@pytest.mark.parametrize("variable", ["LEDGER_URL", "NOBODYS_URL"])
def test_trap_a_variable_of_somebody_else_or_of_nobody_leads_nowhere(
    shop: duckdb.DuckDBPyConnection, variable: str
) -> None:
    host = "x-5f1c.platform.example"

    assert called(shop, host, answered=False, binding_name=variable)[0] == host
