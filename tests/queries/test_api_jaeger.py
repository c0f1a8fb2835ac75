"""Jaeger's API over a drawn shop: what Grafana's data source, Jaeger's UI and its deep dependency graph read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from answering import Api, asked_of
from drawing import NOON, SERVER, draw, span
from drawn_shop import GOOD_ID, PUBLIC_ID, UNDECLARED_ID, write_shop

from bindtrace.collector.store.traces import trace_json
from bindtrace.queries.api.jaeger import build_jaeger
from bindtrace.queries.database import open_database

MICROS = {"start": str(NOON // 1000 - 5_000_000), "end": str(NOON // 1000 + 60_000_000)}
V3 = {"query.startTimeMin": "2026-09-01T00:00:00Z", "query.startTimeMax": "2026-09-30T00:00:00Z"}
PROBE_ID = f"{0xAA:032x}"


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    path: Path = write_shop(tmp_path_factory.mktemp("jaeger") / "shop.duckdb")
    connection = open_database(path)
    draw(
        connection,
        span(
            "probe", SERVER, 31, 30, trace=0xAA, at_ms=3000, error=True,
            attributes=json.dumps({"big": 2**60, "small": 1, "half": 0.5, "yes": True, "list": [1, 2], "text": "t"}),
            events=json.dumps([{"time_unix_nano": str(NOON), "name": "boom", "attributes": {"k": "v"},
                                "dropped_attributes_count": 0}]),
            links=json.dumps([{"trace_id": GOOD_ID, "span_id": "0000000000000001", "trace_state": "", "flags": 0,
                               "attributes": {}, "dropped_attributes_count": 0}]),
            status_message="no",
        ),
    )  # fmt: skip
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def api(con: duckdb.DuckDBPyConnection) -> Api:
    return Api(build_jaeger(asked_of(con), trace_json))


def data(api: Api, path: str, parameters: dict[str, str] | None = None) -> Any:
    reply = api.get(path, parameters)
    assert reply.status_code == 200, reply.text
    assert set(reply.json()) == {"data", "errors", "limit", "offset", "total"}
    return reply.json()["data"]


def test_services_and_operations_are_listed_in_both_dialects(api: Api) -> None:
    services = data(api, "/api/services")

    assert {"storefront", "orders", "inventory", "ledger", "probe"} <= set(services)
    assert data(api, "/api/services/storefront/operations") == [f"span {n}" for n in (1, 11, 12, 2, 6)]
    assert api.get("/api/v3/services").json() == {"services": services}
    operations = api.get("/api/v3/operations", {"service": "storefront", "spanKind": "server"}).json()[
        "operations"
    ]
    assert operations == [{"name": "span 1", "spanKind": "server"}, {"name": "span 11", "spanKind": "server"}]


@pytest.mark.parametrize(
    ("parameters", "traces"),
    [
        ({"service": "storefront"}, [UNDECLARED_ID, GOOD_ID]),
        ({"service": "storefront", "operation": "span 2"}, [GOOD_ID]),
        ({"service": "inventory", "tags": '{"error": "true"}'}, [GOOD_ID]),
        ({"tags": '{"bindtrace.road": "public"}'}, [PUBLIC_ID]),
        ({"service": "storefront", "minDuration": "110ms"}, [GOOD_ID]),
        ({"service": "storefront", "minDuration": "110ms", "maxDuration": "0.115s"}, []),
        ({"service": "orders", "limit": "1"}, [PUBLIC_ID]),
        ({"service": "probe", "tags": '{"span.kind": "server", "small": "1", "text": "t"}'}, [PROBE_ID]),
        ({"service": "probe", "tag": "text:t"}, [PROBE_ID]),
    ],
)
def test_a_search_finds_the_latest_traces_first(
    api: Api, parameters: dict[str, str], traces: list[str]
) -> None:
    found = data(api, "/api/traces", parameters | MICROS)

    assert [trace["traceID"] for trace in found] == traces
    assert all(trace["spans"] for trace in found)


def test_a_trace_has_jaegers_shape_and_our_judgements(api: Api) -> None:
    (trace,) = data(api, f"/api/traces/{PUBLIC_ID}")

    assert set(trace) == {"traceID", "spans", "processes", "warnings"}
    by_id = {one["spanID"]: one for one in trace["spans"]}
    inside = by_id["0000000000000019"]
    assert set(inside) == {
        "traceID", "spanID", "operationName", "references", "startTime", "duration", "tags", "logs", "processID",
        "warnings",
    }  # fmt: skip
    assert inside["references"] == [
        {"refType": "CHILD_OF", "traceID": PUBLIC_ID, "spanID": "0000000000000018"}
    ]
    assert inside["startTime"] == (NOON + 2_010_000_000) // 1000
    assert trace["processes"][inside["processID"]]["serviceName"] == "inventory"
    tags = {tag["key"]: tag["value"] for tag in inside["tags"]}
    assert tags["bindtrace.finding"] == "public-route"
    assert tags["span.kind"] == "server"


def test_values_keep_their_types_and_large_integers_their_digits(api: Api) -> None:
    (trace,) = data(api, f"/api/traces/{PROBE_ID}")
    (one,) = trace["spans"]
    tags = {tag["key"]: (tag["type"], tag["value"]) for tag in one["tags"]}

    assert tags["big"] == ("int64", str(2**60))
    assert tags["small"] == ("int64", 1)
    assert tags["half"] == ("float64", 0.5)
    assert tags["yes"] == ("bool", True)
    assert tags["list"] == ("string", "[1,2]")
    assert tags["error"] == ("bool", True)
    assert tags["otel.status_description"] == ("string", "no")
    assert one["logs"] == [
        {
            "timestamp": NOON // 1000,
            "fields": [
                {"key": "event", "type": "string", "value": "boom"},
                {"key": "k", "type": "string", "value": "v"},
            ],
        }
    ]
    assert {"refType": "FOLLOWS_FROM", "traceID": GOOD_ID, "spanID": "0000000000000001"} in one["references"]


def test_dependencies_are_calls_with_proxies_folded_away(api: Api) -> None:
    end = str(NOON // 10**6 + 60_000)
    edges = data(api, "/api/dependencies", {"endTs": end, "lookback": "600000"})

    assert {"parent": "orders", "child": "inventory", "callCount": 2} in edges
    assert not [edge for edge in edges if "edge" in (edge["parent"], edge["child"])]
    assert data(api, "/api/dependencies", {"endTs": end, "lookback": "1"}) == []


def test_deep_dependencies_are_whole_paths_with_an_example(api: Api) -> None:
    window = {"service": "inventory", "start": str(NOON // 10**6 - 5000), "end": str(NOON // 10**6 + 60_000)}
    found = api.get("/analytics/v1/dependencies", window).json()["dependencies"]

    paths = [[step["service"] for step in one["path"]] for one in found]
    assert ["storefront", "orders", "inventory"] in [path[-3:] for path in paths]
    whole = next(
        one
        for one in found
        if [step["service"] for step in one["path"]][-3:] == ["storefront", "orders", "inventory"]
    )
    assert [step["operation"] for step in whole["path"]][-3:] == ["span 1", "span 3", "span 5"]
    assert whole["attributes"] == [{"key": "exemplar_trace_id", "value": GOOD_ID}]
    narrowed = api.get("/analytics/v1/dependencies", window | {"operation": "span 5"}).json()["dependencies"]
    assert [one["attributes"][0]["value"] for one in narrowed] == [GOOD_ID]


def test_summaries_have_the_types_that_jaegers_ui_checks(api: Api) -> None:
    (one,) = api.get("/api/v3/trace-summaries", V3 | {"query.serviceName": "probe"}).json()["summaries"]

    assert one == {
        "traceId": PROBE_ID,
        "rootServiceName": "",
        "rootOperationName": "",
        "minStartTimeUnixNano": str(NOON + 3_000_000_000),
        "maxEndTimeUnixNano": str(NOON + 3_010_000_000),
        "spanCount": 1,
        "errorSpanCount": 1,
        "orphanSpanCount": 1,
        "services": [{"name": "probe", "spanCount": 1, "errorSpanCount": 1}],
    }


@pytest.mark.parametrize(
    ("path", "parameters", "status", "said"),
    [
        ("/api/traces", {"minDuration": "fast"}, 400, "`minDuration`"),
        ("/api/traces", {"tags": "[1]"}, 400, "`tags`"),
        ("/api/traces", {"tags": '{"span.kind": "odd"}'}, 400, "`odd`"),
        ("/api/traces/xyz", {}, 400, "not a trace id"),
        ("/api/traces/abc", {}, 404, "not found"),
    ],
)
def test_a_mistake_is_said_in_jaegers_words(
    api: Api, path: str, parameters: dict[str, str], status: int, said: str
) -> None:
    reply = api.get(path, parameters)

    assert reply.status_code == status
    assert said in reply.json()["errors"][0]["msg"]


def test_a_mistake_in_v3_is_said_in_its_words(api: Api) -> None:
    reply = api.get("/api/v3/traces/xyz")

    assert reply.status_code == 400
    assert reply.json()["error"]["httpCode"] == 400
    assert api.get("/api/v3/traces/abc").status_code == 404
