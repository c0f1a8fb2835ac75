"""One call to the ledger, what its witnesses say of it, and how it is judged."""

from __future__ import annotations

from typing import Any

import duckdb
from drawing import CLIENT, SERVER, draw, span

from bindtrace.queries.analyse import analyse

Con = duckdb.DuckDBPyConnection
BILLING = "spiffe://shop.example/project/p1/env/prod/service/billing/deployment/d7"
ORDERS = "spiffe://shop.example/project/p1/env/prod/service/orders/deployment/d7"
MESH = "spiffe://cluster.local/ns/shop/sa/billing"
VERIFIED = {"authz_decision": "allow", "authz_reason": "ok", "verified_caller": BILLING}
RECEIPT = {"credential_sha256": "aa" * 16, "proof_sha256": "bb" * 16}


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
