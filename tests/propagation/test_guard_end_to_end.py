"""A guarded call from the authority to the report: who vouches for it, and what a refused one looks like."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import httpx
import pytest
from loading import hops, load
from opentelemetry import propagate, trace
from rotating import INVENTORY, ORDERS, Scaled, called
from telling import Services, listening

from bindtrace.propagation.authority.rotation import Lives
from bindtrace.propagation.manifest import Grant, Manifest
from bindtrace.propagation.workload.httpx_transport import BindingTransport
from bindtrace.propagation.workload.outgoing import Target
from bindtrace.queries.database import open_database
from bindtrace.queries.policy import install_policy


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Services:
    return listening(monkeypatch)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Knows that orders may call inventory."""
    connection = open_database(None)
    grant = Grant("bindtrace", "", None, "orders", "inventory", "INVENTORY_URL", "bindtrace.toml", 2)
    install_policy(connection, [Manifest("bindtrace.toml", "bindtrace", "", revision="1", grants=(grant,))])
    yield connection
    connection.close()


def call(services: Services, client: httpx.Client, url: str) -> int:
    """As an instrumented caller: a CLIENT span around the call, its context in the headers."""
    with services.get_tracer("orders").start_as_current_span(
        "GET", kind=trace.SpanKind.CLIENT, attributes={"url.full": url, "http.request.method": "GET"}
    ) as span:
        headers: dict[str, str] = {}
        propagate.inject(headers)
        status = client.get(url, headers=headers).status_code
        span.set_attribute("http.response.status_code", status)
        return status


@pytest.mark.slow
def test_a_guarded_call_is_one_proven_hop_and_a_refused_one_is_denied_with_its_reason(
    tmp_path: Path, services: Services, con: duckdb.DuckDBPyConnection
) -> None:
    scaled = Scaled(tmp_path, Lives())
    with scaled.running():
        callee, caller = scaled.join(INVENTORY), scaled.join(ORDERS)
        with called(callee) as port:
            url = f"https://127.0.0.1:{port}"
            signing = BindingTransport(caller, {url: Target(INVENTORY.of_service)})
            naked = caller.generation.client_context(caller.bundle, INVENTORY.of_service)
            with httpx.Client(transport=signing) as with_token, httpx.Client(verify=naked) as without:
                statuses = [call(services, client, f"{url}/stock/7") for client in (with_token, without)]
        caller.close()
        callee.close()

    load(con, services.otlp())
    rows = {row["verdict"]: row for row in hops(con) if row["callee"] == "inventory"}

    assert statuses == [200, 403]
    allowed, denied = rows["allowed"], rows["denied"]
    assert (allowed["caller"], allowed["reason"], allowed["grade"]) == ("orders", "ok", "proven")
    assert (denied["reason"], denied["outcome"]) == ("credential_missing", "refused")
    receipts = [dict(span.attributes or {}) for span in services.of["orders"].all()]
    assert "bindtrace.credential.jti_sha256" in receipts[0]
    assert "bindtrace.credential.jti_sha256" not in receipts[1]
