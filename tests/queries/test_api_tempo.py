"""The Tempo API over a drawn shop: search by TraceQL, metrics, tags, and answers that strict decoders take."""

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

from bindtrace.collector.store.traces import trace_bytes
from bindtrace.queries.api.tempo import build_tempo
from bindtrace.queries.database import open_database
from bindtrace.queries.tempo.search import search

SECONDS = NOON // 10**9
WINDOW = {"start": str(SECONDS - 5), "end": str(SECONDS + 60)}


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    path: Path = write_shop(tmp_path_factory.mktemp("tempo") / "shop.duckdb")
    connection = open_database(path)
    draw(
        connection,
        span(
            "probe", SERVER, 31, trace=0xAA, at_ms=3000, http_status=503, http_method="GET",
            attributes=json.dumps({"http.method": "GET", "x.list": ["one", "two"], "it's \"odd\"": "v", "n": 7,
                                   "big": 1.5, "yes": True, "text": "7", "slash/key": "s"}),
            events=json.dumps([{"time_unix_nano": "1", "name": "boom", "attributes": {"e.k": "e.v"},
                                "dropped_attributes_count": 0}]),
            resource={"service.namespace": "ops", "zone": "a"},
        ),
    )  # fmt: skip
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def api(con: duckdb.DuckDBPyConnection) -> Api:
    return Api(build_tempo(asked_of(con), trace_bytes))


def found(api: Api, text: str) -> set[str]:
    reply = api.get("/api/search", {"q": text, **WINDOW})
    assert reply.status_code == 200, reply.text
    return {trace["traceID"] for trace in reply.json()["traces"]}


PROBE_ID = f"{0xAA:032x}"
EVERY = {GOOD_ID, UNDECLARED_ID, PUBLIC_ID, PROBE_ID}


@pytest.mark.parametrize(
    ("text", "traces"),
    [
        ("{}", EVERY),
        ('{ span.bindtrace.finding = "public-route" }', {PUBLIC_ID}),
        ('{ .bindtrace.road = "public" }', {PUBLIC_ID}),
        ("{ span.bindtrace.finding != nil }", {PUBLIC_ID, UNDECLARED_ID}),
        ('{ resource.service.name = "orders" } > { resource.service.name = "orders" }', {GOOD_ID, PUBLIC_ID}),
        ('{ resource.service.name = "storefront" } >> { resource.service.name = "inventory" }', {GOOD_ID}),
        ('{ resource.service.name = "inventory" } << { resource.service.name = "storefront" }', {GOOD_ID}),
        ('{ resource.service.name = "storefront" } !>> { resource.service.name = "inventory" }', {PUBLIC_ID}),
        ("{ span.binding = nil && status = error }", {GOOD_ID}),
        ("{ kind = client } ~ { kind = client }", {GOOD_ID}),
        ('{ rootServiceName = "orders" }', {PUBLIC_ID}),
        ("{ traceDuration > 100ms }", {GOOD_ID}),
        ("{ nestedSetParent < 0 && duration > 100ms }", {GOOD_ID}),
        ("{ kind = server } | count() > 2", {GOOD_ID, PUBLIC_ID}),
        ('{ span.http.method = "GET" && .http.status_code >= 500 }', {PROBE_ID}),
        ('{ span.http.request.method = "GET" }', {PROBE_ID}),
        ('{ span.x.list = "two" }', {PROBE_ID}),
        ('{ span.x.list = "three" }', set()),
        ('{ .n = 7 && .text = 7 && .big < 2 && span.yes = true && .zone =~ "a|b" }', {PROBE_ID}),
        ('{ span."it\'s \\"odd\\"" = "v" && span.slash/key = "s" }', {PROBE_ID}),
        ('{ event:name = "boom" && event.e.k =~ "e.+" }', {PROBE_ID}),
        ('{ resource.service.namespace = "ops" } || { rootServiceName = "orders" }', {PROBE_ID, PUBLIC_ID}),
        ('{ resource.service.namespace = "ops" } && { kind = client }', set()),
        ('{ !(resource.service.namespace = "ops") && true } | count() > 6', {GOOD_ID}),
        (f'{{ trace:id = "{GOOD_ID}" }}', {GOOD_ID}),
        ("{ name = `'; drop table spans; --` }", set()),
    ],
)
def test_search_finds_the_traces_that_the_query_says(api: Api, text: str, traces: set[str]) -> None:
    assert found(api, text) == traces


def test_a_chain_is_found_across_a_span_that_was_lost(con: duckdb.DuckDBPyConnection, api: Api) -> None:
    """Tempo's structural operators lose such a chain (tempo#6393); the hop still joins its two spans."""
    con.execute("begin")
    con.execute("update spans set parent_span_id = 99 where span_id = 5")
    text = '{ resource.service.name = "orders" } >> { resource.service.name = "inventory" }'

    own = search(con, text, 0, 2**63 - 1, 20, 3)
    con.execute("rollback")

    assert {trace["traceID"] for trace in own["traces"]} == {GOOD_ID, PUBLIC_ID}


def test_an_answer_has_only_the_fields_that_strict_decoders_know(api: Api) -> None:
    reply = api.get(
        "/api/search", {"q": '{ span.bindtrace.road = "public" }', "limit": "1", "spss": "2", **WINDOW}
    )

    assert set(reply.json()) == {"traces", "metrics"}
    (trace,) = reply.json()["traces"]
    assert set(trace) == {
        "traceID", "rootServiceName", "rootTraceName", "startTimeUnixNano", "durationMs", "spanSets", "serviceStats",
    }  # fmt: skip
    (spans,) = trace["spanSets"]
    assert spans["matched"] == 4
    assert len(spans["spans"]) == 2
    for one in spans["spans"]:
        assert set(one) == {"spanID", "name", "startTimeUnixNano", "durationNanos", "attributes"}
        assert one["attributes"] == [{"key": "bindtrace.road", "value": {"stringValue": "public"}}]
    assert isinstance(trace["durationMs"], int)
    assert isinstance(trace["startTimeUnixNano"], str)


def test_the_latest_traces_come_first_and_the_limit_holds(api: Api) -> None:
    reply = api.get("/api/search", {"q": "{}", "limit": "2", **WINDOW})

    assert [trace["traceID"] for trace in reply.json()["traces"]] == [PROBE_ID, PUBLIC_ID]


def test_the_window_holds(api: Api) -> None:
    reply = api.get("/api/search", {"q": "{}", "start": str(SECONDS + 2), "end": str(SECONDS + 3)})

    assert {trace["traceID"] for trace in reply.json()["traces"]} == {PUBLIC_ID}


@pytest.mark.parametrize(
    ("path", "parameters", "said"),
    [
        ("/api/search", {"q": "{ foo"}, "TraceQL, line 1, column 6"),
        ("/api/search", {"q": '{ name =~ "[" }'}, "pattern cannot be read"),
        ("/api/search", {"q": "{} | rate()"}, "metrics query"),
        ("/api/search", {"limit": "many"}, "`limit`: `many` is not a number"),
        ("/api/search", {"start": "soon"}, "`start`"),
        ("/api/search", {"start": "20", "end": "10"}, "`start` is after `end`"),
        ("/api/metrics/query_range", {"q": "{}"}, "ends in a function"),
        ("/api/metrics/query_range", {"q": "{} | rate()", "step": "x"}, "`step`"),
        (
            "/api/metrics/query_range",
            {"q": "{} | rate()", "start": "1", "end": "1700000000", "step": "1s"},
            "longer step",
        ),
        ("/api/v2/search/tag/}{/values", {}, "TraceQL"),
        ("/api/v2/traces/xyz", {}, "is not a trace id"),
    ],
)  # fmt: skip
def test_a_mistake_is_a_400_that_says_what(
    api: Api, path: str, parameters: dict[str, str], said: str
) -> None:
    reply = api.get(path, parameters)

    assert reply.status_code == 400
    assert said in reply.text


def test_tags_have_scopes_and_our_judgements_are_among_them(api: Api) -> None:
    scopes = {
        scope["name"]: scope["tags"] for scope in api.get("/api/v2/search/tags", WINDOW).json()["scopes"]
    }

    assert {"service.name", "zone"} <= set(scopes["resource"])
    assert {"bindtrace.finding", "bindtrace.road", "x.list"} <= set(scopes["span"])
    assert {"name", "status", "duration"} <= set(scopes["intrinsic"])
    only = api.get("/api/v2/search/tags", {"scope": "resource", **WINDOW}).json()["scopes"]
    assert [scope["name"] for scope in only] == ["resource"]
    assert "zone" in api.get("/api/search/tags", WINDOW).json()["tagNames"]


def values(api: Api, tag: str, **more: str) -> list[dict[str, Any]]:
    reply = api.get(f"/api/v2/search/tag/{tag}/values", {**WINDOW, **more})
    assert reply.status_code == 200, reply.text
    listed: list[dict[str, Any]] = reply.json()["tagValues"]
    return listed


def test_values_are_typed_and_narrowed_by_a_query(api: Api) -> None:
    assert {"type": "string", "value": "inventory"} in values(api, "resource.service.name")
    assert values(api, "status", q='{ resource.service.name = "inventory" }') == [
        {"type": "keyword", "value": "error"},
        {"type": "keyword", "value": "unset"},
    ]
    assert values(api, "span.n") == [{"type": "int", "value": "7"}]
    assert values(api, ".yes") == [{"type": "bool", "value": "true"}]
    assert values(api, "event:name") == [{"type": "string", "value": "boom"}]
    assert {one["value"] for one in values(api, "span.bindtrace.finding")} == {
        "public-route",
        "undeclared-call",
    }
    assert values(api, "span.slash/key") == [{"type": "string", "value": "s"}]
    assert (
        api.get("/api/search/tag/zone/values", WINDOW).status_code == 400
    )  # v1 tags have a dot or are intrinsic
    assert api.get("/api/search/tag/service.name/values", WINDOW).json()["tagValues"]


def series(api: Api, text: str, **more: str) -> dict[tuple[str, ...], list[float]]:
    reply = api.get("/api/metrics/query_range", {"q": text, "step": "5", **WINDOW, **more})
    assert reply.status_code == 200, reply.text
    return {
        tuple(str(next(iter(label["value"].values()))) for label in one["labels"]): [
            sample["value"] for sample in one["samples"]
        ]
        for one in reply.json()["series"]
    }


def test_counts_over_time_are_exact_and_filled_with_zeros(api: Api) -> None:
    counted = series(api, "{} | count_over_time()")

    assert sum(counted["count_over_time",]) == 16
    assert len(counted["count_over_time",]) == 13
    assert sum(series(api, "{} | rate()")["rate",]) == pytest.approx(16 / 5)
    assert series(api, '{ name = "nothing" } | rate()') == {("rate",): [0.0] * 13}


def test_series_are_grouped_and_measured(api: Api) -> None:
    assert set(series(api, "{} | rate() by (resource.service.name)")) >= {("orders",), ("inventory",)}
    assert series(api, "{ kind = server } | max_over_time(duration) by (kind)") == {("server",): [0.12]}
    quantiles = series(api, "{ status = error } | quantile_over_time(duration, 0.5, 1)")
    assert quantiles == {("0.5",): [0.03], ("1.0",): [0.03]}
    buckets = series(api, "{ status = error } | histogram_over_time(duration)")
    assert {key: sum(counts) for key, counts in buckets.items()} == {("0.03125",): 1}
    findings = series(
        api, "{ span.bindtrace.finding != nil } | count_over_time() by (span.bindtrace.finding)"
    )
    assert {key: sum(counts) for key, counts in findings.items()} == {
        ("public-route",): 4,
        ("undeclared-call",): 2,
    }


def test_an_instant_query_is_one_value_a_series(api: Api) -> None:
    reply = api.get("/api/metrics/query", {"q": "{} | count_over_time()", **WINDOW})

    assert reply.json() == {
        "series": [
            {"labels": [{"key": "__name__", "value": {"stringValue": "count_over_time"}}], "value": 16.0}
        ],
        "metrics": {},
    }


def test_exemplars_lead_to_a_trace(api: Api) -> None:
    reply = api.get(
        "/api/metrics/query_range", {"q": "{ status = error } | rate()", "exemplars": "1", **WINDOW}
    )

    (example,) = reply.json()["series"][0]["exemplars"]
    assert example["labels"] == [{"key": "trace:id", "value": {"stringValue": GOOD_ID}}]


def test_the_health_check_of_save_and_test_answers(api: Api) -> None:
    assert api.get("/api/echo").text == "echo"
    assert api.get("/ready").status_code == 200
