"""Every query of every panel against a live collector that holds the demo's telemetry; the alert rules under promtool
and in a running Prometheus; the dashboards under Grafana's own types."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from grafana_asking import substituted
from interop.peers import CACHE, peer
from serving import collecting
from support import free_port, wait_for

from bindtrace.queries.grafana.boards import BOARDS
from bindtrace.queries.grafana.files import files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

DEMO = "from bindtrace.collector.demo.command import demo; demo()"
WRITTEN = files()
QUERIES = [
    pytest.param(target, id=f"{name}-{panel['title']}-{target['refId']}")
    for name in BOARDS
    for panel in json.loads(WRITTEN[f"{name}.json"])["panels"]
    for target in panel["targets"]
]
SHIM_ONLY = ("bindtrace_credential_age_seconds",)
"""What the demo without enforcement has no rows of: nobody shows a credential."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    db = tmp_path_factory.mktemp("grafana") / "demo.duckdb"
    played = subprocess.run(
        [sys.executable, "-P", "-c", DEMO, "--once", "--db", str(db)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert played.returncode == 0, played.stderr
    with collecting(db) as collector:
        yield f"http://{collector.endpoints['api']}"
        collector.stop()


def answered(api: str, target: dict[str, Any]) -> list[Any]:
    """The rows of a panel's query, as Grafana's data source asks for them."""
    now = int(time.time())
    window = {"start": str(now - 3600), "end": str(now)}
    with httpx.Client(base_url=api, trust_env=False, timeout=60) as client:
        if "expr" in target and target.get("instant"):
            form = {"query": substituted(target["expr"]).replace("5m", "1h"), "time": str(now)}
            reply = client.post("/prometheus/api/v1/query", data=form)
        elif "expr" in target:
            form = {"query": substituted(target["expr"]), "step": "15", **window}
            reply = client.post("/prometheus/api/v1/query_range", data=form)
        elif target["queryType"] == "serviceMap":
            query = "sum by (client, server) (rate(traces_service_graph_request_total[3600s]))"
            reply = client.post("/prometheus/api/v1/query", data={"query": query, "time": str(now)})
        else:
            reply = client.get("/tempo/api/search", params={"q": target["query"], "limit": "20", **window})
    assert reply.status_code == 200, reply.text
    document = reply.json()
    rows: list[Any] = document["traces"] if "traces" in document else document["data"]["result"]
    return rows


@pytest.mark.parametrize("target", QUERIES)
def test_every_query_of_every_panel_returns_rows(api: str, target: dict[str, Any]) -> None:
    rows = answered(api, target)

    if not target.get("expr", "").startswith(SHIM_ONLY) and "rejected|refused" not in target.get("expr", ""):
        assert rows


def test_the_metrics_that_alerts_need_are_on_the_metrics_page_too(api: str) -> None:
    page = httpx.get(f"{api}/metrics", trust_env=False, timeout=60).text

    for name in ("bindtrace_findings", "bindtrace_receiver_spans_total", "bindtrace_accounting_difference",
                 "bindtrace_storage_ready", "bindtrace_calls_total"):  # fmt: skip
        assert f"\n{name}" in page


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: Debian's package `prometheus` has it")
    return found


def test_promtool_takes_the_rules_and_they_fire_as_they_say(tmp_path: Path) -> None:
    promtool = program("promtool")
    rules = tmp_path / "bindtrace.rules.yaml"
    rules.write_text(WRITTEN["prometheus/bindtrace.rules.yaml"])
    checks = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": 'bindtrace_findings{rule="public-route",severity="high",environment="production"}',
                     "values": "0 0 2x20"},
                    {"series": 'bindtrace_findings{rule="unused-grant",severity="low",environment="production"}',
                     "values": "5x20"},
                    {"series": "bindtrace_storage_ready", "values": "1 1 1 0x20"},
                    {"series": "bindtrace_accounting_difference", "values": "0x20"},
                ],
                "alert_rule_test": [
                    {"eval_time": "1m", "alertname": "BindtraceHighFinding", "exp_alerts": []},
                    {
                        "eval_time": "10m",
                        "alertname": "BindtraceHighFinding",
                        "exp_alerts": [
                            {
                                "exp_labels": {"rule": "public-route", "severity": "high",
                                               "environment": "production"},
                                "exp_annotations": {
                                    "summary": "2 open high finding(s) of public-route",
                                    "description": "`bindtrace findings` says what happened, how sure it is, "
                                    "and what to do.",
                                },
                            }
                        ],
                    },
                    {"eval_time": "10m", "alertname": "BindtraceUnaccounted", "exp_alerts": []},
                    {
                        "eval_time": "10m",
                        "alertname": "BindtraceStorageAway",
                        "exp_alerts": [
                            {
                                "exp_labels": {"severity": "high"},
                                "exp_annotations": {
                                    "summary": "Storage does not load or answer",
                                    "description": "Receivers go on into the journal; `bindtrace doctor` says why.",
                                },
                            }
                        ],
                    },
                ],
            }
        ],
    }  # fmt: skip
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(checks))

    checked = subprocess.run(
        [promtool, "check", "rules", str(rules)], capture_output=True, text=True, check=False
    )
    tested = subprocess.run(
        [promtool, "test", "rules", str(tmp_path / "tests.yaml")], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_a_running_prometheus_scrapes_the_collector_and_raises_the_alert(api: str, tmp_path: Path) -> None:
    prometheus = program("prometheus")
    (tmp_path / "bindtrace.rules.yaml").write_text(
        WRITTEN["prometheus/bindtrace.rules.yaml"].replace("for: 1m", "for: 0s")
    )
    (tmp_path / "prometheus.yaml").write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                "rule_files": ["bindtrace.rules.yaml"],
                "scrape_configs": [
                    {"job_name": "bindtrace", "static_configs": [{"targets": [api.removeprefix("http://")]}]}
                ],
            }
        )
    )
    port = free_port()
    running = subprocess.Popen(
        [prometheus, f"--config.file={tmp_path / 'prometheus.yaml'}", f"--storage.tsdb.path={tmp_path / 'data'}",
         f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def raised() -> bool:
        try:
            reply = httpx.get(f"http://127.0.0.1:{port}/api/v1/alerts", trust_env=False, timeout=5)
            reply.raise_for_status()  # it listens, and answers 503, before it is ready
        except httpx.HTTPError:
            return False
        return any(
            one["labels"]["alertname"] == "BindtraceHighFinding" and one["labels"]["rule"] == "public-route"
            for one in reply.json()["data"]["alerts"]
        )

    try:
        assert wait_for(raised, seconds=60, what="Prometheus to raise the alert of a public route")
    finally:
        running.terminate()
        running.wait(20)


def test_grafanas_own_types_take_every_dashboard(tmp_path: Path) -> None:
    peer("schema")
    home = CACHE / "schema"
    (tmp_path / "node_modules").symlink_to(home / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    for name in BOARDS:
        (tmp_path / f"{name}.ts").write_text(
            "import type { Dashboard } from '@grafana/schema';\n"
            # JSON has the values of an enumeration, not its members
            "type Json<T> = T extends string ? `${T}` : T extends readonly (infer U)[] ? Json<U>[]\n"
            "  : T extends object ? { [K in keyof T]: Json<T[K]> } : T;\n"
            f"export const dashboard: Json<Dashboard> = {WRITTEN[f'{name}.json']};\n"
        )
    command = [
        "node", str(home / "node_modules" / "typescript" / "bin" / "tsc"), "--strict", "--noEmit", "--skipLibCheck",
        "--module", "nodenext", "--moduleResolution", "nodenext", "--target", "es2022",
        *(f"{name}.ts" for name in BOARDS),
    ]  # fmt: skip

    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout
