"""An OpenTelemetry Collector between SDKs and bindtrace, set as docs/senders.md sets it, and up before we are."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from interop.peers import peer
from interop.sidecars import process, reported
from interop.test_sdks import check, sent
from interop.vercel_pair import page
from otlp_compared import flat
from serving import collecting
from support import free_port, listening, wait_for

from bindtrace.collector.otlp.readback import read_requests
from bindtrace.queries.database import open_database

pytestmark = pytest.mark.slow


def test_what_sdks_made_comes_through_a_collector_that_could_not_reach_us_at_first(tmp_path: Path) -> None:
    program, own, ours = peer("collector"), free_port(), free_port()
    settings = yaml.safe_load(page("An OpenTelemetry Collector in front", "yaml"))
    settings["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"] = f"127.0.0.1:{own}"
    settings["exporters"]["otlp_grpc"]["endpoint"] = f"127.0.0.1:{ours}"
    # its own metrics want a fixed port
    settings["service"]["telemetry"] = {"metrics": {"level": "none"}}
    (tmp_path / "otelcol.yaml").write_text(yaml.safe_dump(settings))
    db = tmp_path / "t.duckdb"

    with process([program, "--config", tmp_path / "otelcol.yaml"], tmp_path / "otelcol.log"):
        wait_for(lambda: listening(own), seconds=30, what="the OpenTelemetry Collector to listen")
        made = sent({"grpc": f"127.0.0.1:{own}"}, "python", "grpc", "")
        with collecting(db, "--grpc", f"127.0.0.1:{ours}", receivers=1) as collector:
            wait_for(lambda: received(collector.endpoints["api"]) == len(made), seconds=60, what="all spans")
            assert collector.stop() == 0

    con = open_database(db)
    spans = [span for request in read_requests(con) for span in flat(request)]
    con.close()
    check(spans, made)


def received(api: str) -> int:
    """How many spans the running collector has taken."""
    return sum(row["accepted"] for row in reported(api, "senders"))
