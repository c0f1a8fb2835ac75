"""Two real Envoys in a row export to a running collector: every span is stored, and a call is one hop."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from interop.envoys import Exporter, call, edge_and_orders
from interop.peers import peer
from serving import Collector, collecting
from support import wait_for

from bindtrace.queries.database import open_database

pytestmark = pytest.mark.slow

CALLS = 5
SERVER, CLIENT = 2, 3
SPANS = {("edge", SERVER), ("edge", CLIENT), ("orders", SERVER), ("orders", CLIENT)}


@pytest.mark.parametrize(
    ("exporter", "pairing", "quirks"),
    [
        ("grpc", "parent", set()),
        ("http", "parent", {"chunked-body"}),
        ("zipkin", "shared-id", {"chunked-body"}),
    ],
)
def test_calls_through_two_envoys_are_stored_and_are_one_hop_each(
    tmp_path: Path, exporter: Exporter, pairing: str, quirks: set[str]
) -> None:
    """Without gRPC, Envoy sends chunked bodies; with Zipkin, one id for both sides of a call (seen: 1.40)."""
    with collecting(tmp_path / "t.duckdb", receivers=1) as collector:
        endpoint = collector.endpoints["grpc" if exporter == "grpc" else "http"]
        with edge_and_orders(peer("envoy"), tmp_path, endpoint, exporter) as url:
            traces = {call(url, exporter) for _ in range(CALLS)}
            wait_for(
                lambda: len(inner_hops(collector, traces)) >= CALLS, seconds=20, what="a hop of every call"
            )
        hops = inner_hops(collector, traces)
        assert collector.stop() == 0

    assert {(hop["caller"], hop["callee"], hop["pairing"]) for hop in hops} == {("edge", "orders", pairing)}
    assert sorted(hop["trace_id"] for hop in hops) == sorted(traces)
    spans = stored_spans(collector.db)
    assert {trace: spans[trace] for trace in traces} == {trace: Counter(SPANS) for trace in traces}
    counted = accounts(collector.db)
    assert counted.keys() <= {"requests", "accepted", "stored", "quirks"}
    assert counted["accepted"][""] == sum(count for found in spans.values() for count in found.values())
    assert counted.get("quirks", {}).keys() == quirks


def inner_hops(collector: Collector, traces: set[str]) -> list[dict[str, Any]]:
    """Hops of these traces, less their entries."""
    answer = httpx.get(f"http://{collector.endpoints['api']}/api/reports/hops", timeout=10)
    answer.raise_for_status()
    return [hop for hop in answer.json() if hop["trace_id"] in traces and hop["caller"]]


def accounts(db: Path) -> dict[str, dict[str, int]]:
    """What the collector counted, over all senders: how much of what, by reason."""
    con = open_database(db)
    rows = con.execute("select what, reason, sum(spans)::bigint from senders group by all").fetchall()
    con.close()
    found: dict[str, dict[str, int]] = {}
    for what, reason, count in rows:
        found.setdefault(what, {})[reason] = count
    return found


def stored_spans(db: Path) -> dict[str, Counter[tuple[str, int]]]:
    """By trace: how many spans of each service and kind."""
    con = open_database(db)
    rows = con.execute(
        "select replace(trace_id::varchar, '-', ''), service, kind, count(*) from spans "
        "join resources using (resource_id) group by all"
    ).fetchall()
    con.close()
    found: dict[str, Counter[tuple[str, int]]] = {}
    for trace_id, service, kind, count in rows:
        found.setdefault(trace_id, Counter())[service, kind] = count
    return found
