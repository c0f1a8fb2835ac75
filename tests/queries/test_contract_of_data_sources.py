"""Requests as Grafana's Tempo, Prometheus and Jaeger data sources and Jaeger's UI make them, and answers read as
strictly as they do: protobuf and proto-JSON that refuse what they do not know, and shapes in which every key counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pytest
from answering import Api, asked_of
from drawing import NOON
from drawn_shop import GOOD_ID, PUBLIC_ID, write_shop
from google.protobuf import json_format, unknown_fields
from starlette.applications import Starlette
from starlette.routing import Mount
from tempo_messages import message_of

from bindtrace.collector.store.traces import trace_bytes, trace_json
from bindtrace.queries.api.jaeger import build_jaeger
from bindtrace.queries.api.prometheus import build_prometheus
from bindtrace.queries.api.tempo import build_tempo
from bindtrace.queries.database import open_database
from bindtrace.queries.traceql.fields import INTRINSICS

SECONDS = NOON // 10**9
WINDOW = {"start": str(SECONDS - 5), "end": str(SECONDS + 60)}


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    path: Path = write_shop(tmp_path_factory.mktemp("contract") / "shop.duckdb")
    connection = open_database(path)
    connection.execute(
        "insert into instrumentation_scopes (instrumentation_scope_id, dropped_attributes_count) values (?, 0)",
        [UUID(int=0)],
    )
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def api(con: duckdb.DuckDBPyConnection) -> Api:
    asked = asked_of(con)
    routes = [
        Mount("/tempo", build_tempo(asked, trace_bytes)),
        Mount("/prometheus", build_prometheus(asked, list)),
        Mount("/jaeger", build_jaeger(asked, trace_json)),
    ]
    return Api(Starlette(routes=routes))


def tempo(api: Api, name: str, path: str, **parameters: str) -> Any:
    """The answer read as proto-JSON that refuses unknown fields."""
    reply = api.request("GET", f"/tempo{path}", parameters, {"accept": "application/json"})
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("application/json")
    return json_format.Parse(reply.text, message_of(name), ignore_unknown_fields=False)


def test_the_strict_reader_refuses_what_it_does_not_know() -> None:
    with pytest.raises(json_format.ParseError):
        json_format.Parse('{"traces": [{"traceId": "1", "colour": "red"}]}', message_of("SearchResponse"))


@pytest.mark.parametrize(
    "query",
    [
        "{}",
        '{resource.service.name="orders"}',
        "{status=error && duration>1ms && kind=server}",
        "{nestedSetParent<0 && true}",
        "{} | select(status, resource.service.name, span.http.method)",
        '{ span.bindtrace.finding = "public-route" }',
    ],
)
def test_a_search_is_decoded_strictly_and_shown(api: Api, query: str) -> None:
    found = tempo(api, "SearchResponse", "/api/search", q=query, limit="20", spss="3", **WINDOW)

    assert found.traces or "http.method" in query
    for trace in found.traces:
        assert re.fullmatch(r"[0-9a-f]{1,32}", trace.traceID)
        assert trace.rootServiceName
        (span_set,) = trace.spanSets
        assert span_set.spans
        assert all(span.durationNanos and span.startTimeUnixNano for span in span_set.spans)
        assert trace.serviceStats


def test_metrics_are_decoded_strictly(api: Api) -> None:
    text = "{} | rate() by (resource.service.name)"
    ranged = tempo(
        api, "QueryRangeResponse", "/api/metrics/query_range", q=text, step="5s", exemplars="5", **WINDOW
    )
    instant = tempo(api, "QueryInstantResponse", "/api/metrics/query", q="{} | count_over_time()", **WINDOW)

    assert {one.labels[0].value.string_value for one in ranged.series} >= {"orders", "inventory"}
    assert all(one.samples for one in ranged.series)
    assert any(one.exemplars[0].labels[0].key == "trace:id" for one in ranged.series if one.exemplars)
    assert [one.value for one in instant.series] == [15.0]


def test_tags_and_their_values_are_decoded_strictly(api: Api) -> None:
    scopes = tempo(api, "SearchTagsV2Response", "/api/v2/search/tags", limit="5000", **WINDOW)
    names = {scope.name: set(scope.tags) for scope in scopes.scopes}

    assert set(INTRINSICS) <= names["intrinsic"]
    for tag in ("resource.service.name", "span.bindtrace.road", "name", "status", "kind"):
        found = tempo(
            api,
            "SearchTagValuesV2Response",
            f"/api/v2/search/tag/{tag}/values",
            tag=tag,
            limit="5000",
            **WINDOW,
        )
        assert found.tagValues, tag
        assert {one.type for one in found.tagValues} <= {"string", "int", "float", "bool", "keyword"}


def test_a_trace_is_the_message_that_the_plugin_reads_without_looking(api: Api) -> None:
    reply = api.request("GET", f"/tempo/api/v2/traces/{GOOD_ID}", None, {"accept": "application/protobuf"})
    found: Any = message_of("TraceByIDResponse")
    found.ParseFromString(reply.content)

    assert reply.headers["content-type"] == "application/protobuf"
    assert len(unknown_fields.UnknownFieldSet(found)) == 0
    spans = [
        (envelope, scope, span)
        for envelope in found.trace.resourceSpans
        for scope in envelope.scope_spans
        for span in scope.spans
    ]
    assert len(spans) == 7
    for envelope, scope, span in spans:
        assert len(envelope.resource.attributes) > 0
        assert scope.HasField("scope")
        assert span.HasField("status")
    empty: Any = message_of("TraceByIDResponse")
    empty.ParseFromString(api.get(f"/tempo/api/v2/traces/{'e' * 32}").content)
    assert empty.HasField("trace")


GRAPH = (
    "traces_service_graph_request_total", "traces_service_graph_request_failed_total",
    "traces_service_graph_request_server_seconds_sum", "traces_service_graph_request_server_seconds_bucket",
)  # fmt: skip
QUERIES = (
    "1+1",
    *(f"sum by (client, server) (rate({name}[3600s]))" for name in GRAPH),
    *(f"group by (client, connection_type, server) ({name})" for name in GRAPH),
    'topk(5, sum(rate(traces_spanmetrics_calls_total{span_kind="SPAN_KIND_SERVER"}[3600s])) by (span_name))',
    'topk(5, sum(rate(traces_spanmetrics_calls_total{status_code="STATUS_CODE_ERROR",span_name=~"a|b"}[3600s])) '
    "by (span_name))",
    'histogram_quantile(.9, sum(rate(traces_spanmetrics_latency_bucket{span_name=~"span.*"}[3600s])) by (le))',
    f"histogram_quantile(0.9, sum(rate({GRAPH[3]}[3600s])) by (le, client, server))",
    f'sum by (client, server)(rate({GRAPH[0]}{{client="orders"}}[300s]))',
)
"""As the service graph and its links send them."""


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("kind", ["query", "query_range"])
def test_what_the_service_graph_asks_is_of_the_shape_that_prometheus_answers(
    api: Api, query: str, kind: str
) -> None:
    times = {"time": str(SECONDS + 60)} if kind == "query" else {**WINDOW, "step": "15"}
    answer = api.get(f"/prometheus/api/v1/{kind}", {"query": query, **times}).json()

    assert answer.keys() == {"status", "data"}
    assert answer["status"] == "success"
    data = answer["data"]
    assert data.keys() == {"resultType", "result"}
    if data["resultType"] == "scalar":
        pairs = [data["result"]]
    else:
        assert data["resultType"] == ("vector" if kind == "query" else "matrix")
        key = "value" if kind == "query" else "values"
        assert all(one.keys() == {"metric", key} for one in data["result"])
        assert all(isinstance(text, str) for one in data["result"] for text in one["metric"].values())
        pairs = [pair for one in data["result"] for pair in ([one[key]] if kind == "query" else one[key])]
    assert pairs or "STATUS_CODE_ERROR" in query
    for moment, number in pairs:
        assert isinstance(moment, int | float)
        assert isinstance(number, str)
        float(number)


# shape -> what stands there: a type, a list of one shape, a mapping of shapes; a tuple is one of several
SPAN = {
    "traceID": str, "spanID": str, "operationName": str,
    "references": [{"refType": str, "traceID": str, "spanID": str}],
    "startTime": int, "duration": int, "processID": str, "warnings": type(None),
    "tags": [{"key": str, "type": str, "value": (str, bool, int, float)}],
    "logs": [{"timestamp": int, "fields": [{"key": str, "type": str, "value": (str, bool, int, float)}]}],
}  # fmt: skip
JAEGER = {
    "/api/services": {"data": [str], "errors": type(None), "limit": int, "offset": int, "total": int},
    "/api/services/orders/operations": {
        "data": [str], "errors": type(None), "limit": int, "offset": int, "total": int
    },
    "/api/v3/services": {"services": [str]},
    "/api/v3/operations?service=orders": {"operations": [{"name": str, "spanKind": str}]},
    f"/api/dependencies?endTs={SECONDS + 60}000&lookback=3600000": {
        "data": [{"parent": str, "child": str, "callCount": int}]
    },
    "/api/v3/trace-summaries?query.serviceName=orders&query.searchDepth=20"
    "&query.startTimeMin=2026-01-01T00:00:00Z&query.startTimeMax=2027-01-01T00:00:00Z": {
        "summaries": [{
            "traceId": re.compile(r"[0-9a-f]{32}"), "rootServiceName": str, "rootOperationName": str,
            "minStartTimeUnixNano": re.compile(r"\d+"), "maxEndTimeUnixNano": re.compile(r"\d+"),
            "spanCount": int, "errorSpanCount": int, "orphanSpanCount": int,
            "services": [{"name": str, "spanCount": int, "errorSpanCount": int}],
        }]
    },
    f"/analytics/v1/dependencies?service=orders&start={SECONDS - 5}000000&end={SECONDS + 60}000000": {
        "dependencies": [{
            "path": [{"service": str, "operation": str}],
            "attributes": [{"key": str, "value": re.compile(r"[0-9a-f]{32}")}],
        }]
    },
}  # fmt: skip


def unlike(value: Any, shape: Any, place: str = "") -> list[str]:
    """Where a value is not of its shape, as a validator without leave for more keys or fewer says it."""
    match shape:
        case dict():
            if not isinstance(value, dict) or value.keys() != shape.keys():
                return [f"{place}: {value!r}"[:300]]
            return [one for key in shape for one in unlike(value[key], shape[key], f"{place}.{key}")]
        case [inner]:
            if not isinstance(value, list):
                return [f"{place}: {value!r}"[:300]]
            return [one for item in value for one in unlike(item, inner, f"{place}[]")]
        case re.Pattern():
            return [] if isinstance(value, str) and shape.fullmatch(value) else [f"{place}: {value!r}"]
        case _:
            exact = isinstance(value, shape) and (shape is not int or not isinstance(value, bool))
            return [] if exact else [f"{place}: {value!r}"[:300]]


@pytest.mark.parametrize("path", JAEGER)
def test_jaeger_answers_have_just_the_keys_and_types_that_are_checked(api: Api, path: str) -> None:
    where, _, query = path.partition("?")
    reply = api.get(f"/jaeger{where}", dict(one.split("=", 1) for one in query.split("&") if one))

    assert reply.status_code == 200, reply.text
    answer = reply.json()
    shape = JAEGER[path]
    own = {key: answer[key] for key in shape}  # type: ignore[attr-defined]
    assert unlike(own, shape) == []
    assert all(own.values()) or "data" in own
    assert next(iter(own.values()))


def test_jaeger_traces_have_just_the_keys_and_types_that_are_drawn(api: Api) -> None:
    shown = api.get(
        f"/jaeger/api/traces/{PUBLIC_ID}", {"start": f"{SECONDS}000", "end": f"{SECONDS + 60}000"}
    ).json()
    times = {"start": f"{SECONDS - 5}000000", "end": f"{SECONDS + 60}000000", "limit": "20"}
    listed = api.get(
        "/jaeger/api/traces", {"service": "orders", "tags": json.dumps({"error": "true"}), **times}
    ).json()

    for trace in shown["data"] + listed["data"]:
        assert trace.keys() == {"traceID", "spans", "processes", "warnings"}
        assert trace["spans"]
        assert unlike(trace["spans"], [SPAN]) == []
        for process in trace["processes"].values():
            assert unlike(process, {"serviceName": str, "tags": [SPAN["tags"][0]]}) == []  # type: ignore[index]
        assert {span["processID"] for span in trace["spans"]} <= trace["processes"].keys()
    assert [one["traceID"] for one in shown["data"]] == [PUBLIC_ID]
