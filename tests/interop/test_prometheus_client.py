"""Prometheus' own Go client, whose decoder Grafana's data source uses, asks what that data source asks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from answering import asked_of, served
from drawing import NOON
from drawn_shop import write_shop
from interop.peers import peer

from bindtrace.queries.api.prometheus import build_prometheus
from bindtrace.queries.database import open_database

pytestmark = pytest.mark.slow

QUERIES = (
    "1+1",
    "sum by (client, server) (rate(traces_service_graph_request_total[3600s]))",
    "sum by (client, server, le) (rate(traces_service_graph_request_server_seconds_bucket[3600s]))",
    "histogram_quantile(.9, sum(rate(traces_spanmetrics_latency_bucket[3600s])) by (le))",
    "bindtrace_calls_total",
)


def test_every_answer_is_decoded(tmp_path: Path) -> None:
    client = peer("promclient")
    con = open_database(write_shop(tmp_path / "shop.duckdb"))
    with served(build_prometheus(asked_of(con), list)) as url:
        done = subprocess.run(
            [str(client), url, str(NOON // 10**9 + 60), *QUERIES],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    con.close()

    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.splitlines()
    assert [line for line in said if line.endswith(" 0")] == ["exemplars 0", "rules 0"]
    assert "instant 1+1 scalar" in done.stdout
    assert f"instant {QUERIES[1]} vector" in done.stdout
    assert f"range {QUERIES[1]} matrix" in done.stdout
    assert said[-1] == "refused bad_data"
