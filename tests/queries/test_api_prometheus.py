"""PromQL over stored calls: what the Tempo service graph and panels send, exact counts, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from answering import Api, asked_of
from drawing import NOON
from drawn_shop import write_shop

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.queries.api.prometheus import build_prometheus
from bindtrace.queries.database import open_database
from bindtrace.queries.prometheus.metrics import SERIES

SECONDS = NOON // 10**9
AT = {"time": str(SECONDS + 60)}
RANGE = {"start": str(SECONDS), "end": str(SECONDS + 4), "step": "1"}


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    path: Path = write_shop(tmp_path_factory.mktemp("prometheus") / "shop.duckdb")
    connection = open_database(path)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def app(con: duckdb.DuckDBPyConnection) -> Any:
    def gauges() -> list[tuple[str, dict[str, str], float]]:
        return [
            ("bindtrace_findings", {"rule": "public-route", "severity": "medium", "environment": ""}, 1.0),
            ("bindtrace_findings", {"rule": "undeclared-call", "severity": "medium", "environment": ""}, 2.0),
            ("bindtrace_journal_bytes", {}, 7.0),
        ]

    return build_prometheus(asked_of(con), gauges)


@pytest.fixture(scope="module")
def api(app: Any) -> Api:
    return Api(app)


def vector(api: Api, query: str, at: dict[str, str] = AT) -> dict[tuple[tuple[str, str], ...], str]:
    reply = api.get("/api/v1/query", {"query": query, **at})
    assert reply.status_code == 200, reply.text
    data = reply.json()["data"]
    assert data["resultType"] == "vector"
    return {tuple(sorted(one["metric"].items())): one["value"][1] for one in data["result"]}


def matrix(api: Api, query: str) -> dict[tuple[tuple[str, str], ...], list[str]]:
    reply = api.get("/api/v1/query_range", {"query": query, **RANGE})
    assert reply.status_code == 200, reply.text
    assert reply.json()["data"]["resultType"] == "matrix"
    return {
        tuple(sorted(one["metric"].items())): [value for _, value in one["values"]]
        for one in reply.json()["data"]["result"]
    }


def edge(client: str, server: str) -> tuple[tuple[str, str], ...]:
    return (("client", client), ("server", server))


def test_the_health_check_of_grafana_is_answered(api: Api) -> None:
    reply = api.get("/api/v1/query", {"query": "1+1", "time": "4"})

    assert reply.json() == {"status": "success", "data": {"resultType": "scalar", "result": [4.0, "2"]}}


def test_the_service_graph_is_answered(api: Api) -> None:
    requests = vector(api, "sum by (client, server) (rate(traces_service_graph_request_total[120s]))")
    failed = vector(
        api, "sum by (client, server) (increase(traces_service_graph_request_failed_total[120s]))"
    )
    seconds = vector(
        api, "sum by (client, server) (increase(traces_service_graph_request_server_seconds_sum[120s]))"
    )

    assert float(requests[edge("orders", "inventory")]) == pytest.approx(2 / 120)
    assert failed == {edge("orders", "inventory"): "1"}
    assert float(seconds[edge("storefront", "catalog")]) == pytest.approx(0.012)
    grouped = vector(api, "group by (client, connection_type, server) (traces_service_graph_request_total)")
    assert grouped[("client", "orders"), ("connection_type", ""), ("server", "inventory")] == "1"


def test_counts_over_time_are_exactly_the_calls_of_each_window(api: Api) -> None:
    each = matrix(api, "sum(increase(bindtrace_calls_total[1s]))")
    until = matrix(api, "sum(bindtrace_calls_total)")

    # calls begin at 0, 5, 10, 106, 1000, 1001, 2000 and 2001 ms, and a window is (t - 1 s, t]
    assert each == {(): ["1", "4", "2", "1", "0"]}
    assert until == {(): ["1", "5", "7", "8", "8"]}


def test_top_operations_and_their_quantiles_are_answered(api: Api) -> None:
    top = vector(
        api,
        'topk(2, sum(rate(traces_spanmetrics_calls_total{span_kind="SPAN_KIND_SERVER"}[120s])) by (span_name))',
    )
    quantile = vector(
        api,
        "histogram_quantile(.9, sum(rate(traces_spanmetrics_latency_bucket"
        '{span_name=~"span 1|span 3"}[120s])) by (le))',
    )

    assert len(top) == 2
    assert 0.06 < float(quantile[()]) < 0.13


def test_calls_are_counted_by_the_rule_that_they_break_and_by_their_chain(api: Api) -> None:
    flagged = vector(api, "sum by (rule, severity) (increase(bindtrace_flagged_calls_total[2m]))")
    ever = vector(api, 'sum(bindtrace_flagged_calls_total{rule="public-route"})')
    chains = vector(api, "sum by (chain) (increase(bindtrace_chains_total[2m]))")
    costs = vector(api, "sum(increase(bindtrace_critical_path_seconds_total[2m]))")

    assert {dict(labels)["rule"]: value for labels, value in flagged.items()} == {
        "public-route": "1",
        "undeclared-call": "1",
    }
    assert ever == {(): "1"}
    assert chains[("chain", "storefront → orders → inventory"),] == "1"
    assert 0.1 < float(costs[()]) < 1


def test_selectors_match_as_in_prometheus(api: Api) -> None:
    assert vector(api, 'sum(bindtrace_calls_total{caller="orders", road!="public"})') == {(): "1"}
    assert vector(api, 'sum(bindtrace_calls_total{caller=~"ord.*", nosuch=""})') == {(): "2"}
    assert vector(api, 'count({__name__="bindtrace_calls_total", verdict!~"allowed|unknown"})') == {(): "1"}
    assert vector(api, "bindtrace_nothing_total") == {}
    hostile = vector(api, 'sum(bindtrace_calls_total{caller="\' or 1=1; --"})')
    assert hostile == {}


def test_series_are_combined(api: Api) -> None:
    share = vector(
        api,
        'sum by (caller) (bindtrace_calls_total{road="public"}) / on (caller) sum by (caller) (bindtrace_calls_total)',
    )
    either = vector(api, 'sum(bindtrace_calls_total{caller="orders"}) or vector(9)')

    assert share[("caller", "orders"),] == "0.5"
    assert either == {(): "2"}
    most = vector(api, "sum by (caller) (bindtrace_calls_total{caller!='(external)'}) > 2")
    assert most == {(("caller", "storefront"),): "3"}
    assert vector(api, "bindtrace_denials_total offset 1h") == {}


def test_gauges_are_of_now(api: Api) -> None:
    now = {"time": str(now_unix_nano() // 10**9)}

    assert vector(api, "sum(bindtrace_findings)", now) == {(): "3"}
    assert vector(api, 'bindtrace_findings{rule=~"public.*"}', now) == {
        (
            ("__name__", "bindtrace_findings"),
            ("environment", ""),
            ("rule", "public-route"),
            ("severity", "medium"),
        ): "1"
    }
    assert vector(api, "bindtrace_journal_bytes", now) == {(("__name__", "bindtrace_journal_bytes"),): "7"}
    assert vector(api, "bindtrace_findings") == {}


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("sum(", 400, "unclosed left parenthesis"),
        ("rate(bindtrace_calls_total)", 400, "expected type matrix"),
        ("deriv(bindtrace_calls_total[5m])", 422, "there are selectors, rate"),
        ("stddev(bindtrace_calls_total)", 422, "is not answered here"),
        ("bindtrace_calls_total @ 5", 422, "is not answered here"),
        ('{caller="orders"}', 422, "name a metric"),
        ('bindtrace_calls_total{caller=~"("}', 400, ""),
        ("bindtrace_calls_total + on (caller) bindtrace_calls_total", 400, "group_left"),
        ("rate(bindtrace_findings[5m])", 400, "is a gauge"),
    ],
)
def test_what_is_not_answered_is_said(api: Api, query: str, status: int, said: str) -> None:
    reply = api.get("/api/v1/query", {"query": query, **AT})

    assert reply.status_code == status
    assert reply.json()["status"] == "error"
    assert said in reply.json()["error"]


def test_too_many_points_are_refused(api: Api) -> None:
    reply = api.get("/api/v1/query_range", {"query": "1", "start": "1", "end": "1700000000", "step": "1"})

    assert reply.status_code == 400
    assert "longer `step`" in reply.json()["error"]


def test_a_form_is_read_like_the_url(app: Any) -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            return await client.post("/api/v1/query", data={"query": "vector(1)", "time": "4"})

    assert asyncio.run(ask()).json()["data"]["result"] == [{"metric": {}, "value": [4.0, "1"]}]


def test_labels_values_series_and_metadata_are_listed(api: Api) -> None:
    window = {"start": str(SECONDS - 60), "end": str(SECONDS + 60)}

    assert {"caller", "client", "le", "__name__"} <= set(api.get("/api/v1/labels").json()["data"])
    assert api.get("/api/v1/label/__name__/values").json()["data"] == sorted(SERIES)
    assert api.get("/api/v1/label/caller/values", window).json()["data"] == [
        "(external)",
        "orders",
        "storefront",
    ]
    narrowed = {"match[]": 'bindtrace_calls_total{callee="inventory"}', **window}
    assert api.get("/api/v1/label/caller/values", narrowed).json()["data"] == ["orders"]
    series = api.get("/api/v1/series", {"match[]": "bindtrace_denials_total", **window}).json()["data"]
    assert series == [{"__name__": "bindtrace_denials_total", "callee": "ledger", "reason": "undeclared"}]
    probe = api.get(
        "/api/v1/series", {"match[]": "traces_service_graph_request_server_seconds", "limit": "1"}
    )
    assert probe.json()["data"] == []
    assert api.get("/api/v1/metadata").json()["data"]["bindtrace_calls_total"][0]["type"] == "counter"
    assert api.get("/api/v1/rules").json()["data"] == {"groups": []}
