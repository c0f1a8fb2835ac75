"""Service pairs of real traces, as their authors or their users counted them."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest
from loading import edges, hops, load, otlp, paths, read_json
from support import fixture

Con = duckdb.DuckDBPyConnection


def _counted(name: str, key: str) -> Counter[tuple[str, str]]:
    return Counter({(one["caller"], one["callee"]): one["calls"] for one in read_json(fixture(name))[key]})


def test_deathstarbench_has_every_service_pair_of_its_authors_and_no_other(con: Con) -> None:
    load(con, fixture("deathstarbench/otlp/two-traces.otlp.json"))

    assert edges(hops(con)) == _counted("deathstarbench/expected-edges.json", "serviceEdges")


def test_deathstarbench_pairs_are_those_of_the_second_export_span_by_span(con: Con) -> None:
    load(con, fixture("deathstarbench/otlp/two-traces.otlp.json"))
    with fixture("deathstarbench/two-traces.csv").open() as rows:
        theirs = {
            (row["parentMS"], row["childMS"], row["childId"])
            for row in csv.DictReader(rows)
            if row["parentMS"] != row["childMS"]
        }

    assert {
        (row["caller"], row["callee"], row["callee_span_id"]) for row in hops(con) if row["caller"]
    } == theirs


def test_hotrods_virtual_services_are_called_and_call_nobody(con: Con) -> None:
    """`mysql` and `redis` are client spans of services of their own: the old idiom for a callee without telemetry."""
    load(con, fixture("hotrod-jaeger-es/otlp/jaeger-span-2023-01-24.otlp.json"))

    assert edges(hops(con)) == _counted("hotrod-jaeger-es/observed-edges.json", "observed")
    assert paths(con) == {
        ("frontend",),
        ("frontend", "customer", "mysql"),
        ("frontend", "driver", "redis"),
        ("frontend", "route"),
    }


def test_hotrods_redis_timeouts_are_where_its_errors_come_from(con: Con) -> None:
    load(con, fixture("hotrod-jaeger-es/otlp/jaeger-span-2023-01-24.otlp.json"))

    failing = edges(row for row in hops(con) if row["error"])
    assert failing == {("driver", "redis"): 18}


def test_train_ticket_has_the_service_pairs_of_its_parent_ids(con: Con) -> None:
    """Counted here from the csv, pod names cut to service names: no kinds, so every change of service is a call."""
    load(con, fixture("nezha/otlp/trainticket-2023-01-29-10_20_trace.otlp.json"))
    with fixture("nezha/trainticket-2023-01-29-10_20_trace.csv").open() as rows:
        spans = list(csv.DictReader(rows))
    service = {
        (row["TraceID"], row["SpanID"]): re.sub(r"-[0-9a-f]+-[0-9a-z]{5}$", "", row["PodName"])
        for row in spans
    }
    theirs: Counter[tuple[str, str]] = Counter()
    for row in spans:
        caller = service.get((row["TraceID"], row["ParentID"]))
        callee = service[row["TraceID"], row["SpanID"]]
        if caller and caller != callee:
            theirs[caller, callee] += 1

    assert sum(theirs.values()) > 50
    assert edges(hops(con)) == theirs


def test_the_collectors_service_graph_has_the_same_edge(con: Con) -> None:
    (case,) = read_json(fixture("otel-servicegraph/expected.json"))["cases"]
    document = _yaml_spans(fixture("otel-servicegraph") / case["file"])
    load(con, document)

    theirs = {(edge["client"], edge["server"]): edge["requests"] for edge in case["edges"]}
    assert edges(hops(con)) == theirs


def _yaml_spans(path: Path) -> dict[str, Any]:
    """The one shape of that file: per resource a name and one span, every value on its own line."""
    blocks = path.read_text().split("  - resource:")[1:]
    records = []
    for block in blocks:
        fields = dict(re.findall(r'^\s+(?:- )?(\w+): *"?([^"\n]*)"?$', block, re.M))
        records.append(
            {
                "service": fields["stringValue"],
                **{key: fields[key] for key in ("traceId", "spanId", "parentSpanId")},
                "kind": int(fields["kind"]),
                "startTimeUnixNano": fields["startTimeUnixNano"],
                "endTimeUnixNano": fields["endTimeUnixNano"],
            }
        )
    return otlp(records)


@pytest.mark.parametrize("name", ["transforms single short trace", "transforms multiple traces"])
def test_call_paths_are_those_of_the_jaeger_interface(con: Con, name: str) -> None:
    """Meant difference: a path here is one of services, where Jaeger's carries operations too."""
    (case,) = [
        one for one in read_json(fixture("jaeger-ui/call-path-cases.json"))["cases"] if one["name"] == name
    ]
    records = [
        {
            "service": span["service"],
            "traceId": f"{number:032x}",
            "spanId": span["span"].encode().hex()[:16].ljust(16, "0"),
            "parentSpanId": (span["parent"] or "").encode().hex()[:16].ljust(16, "0")
            if span["parent"]
            else "",
            "kind": 2,
        }
        for number, trace in enumerate(case["traces"].values(), 1)
        for span in trace
    ]
    load(con, otlp(records))

    assert paths(con) == {tuple(step["service"] for step in one["path"]) for one in case["expectedPaths"]}


def test_a_recorded_trace_of_the_jaeger_interface_is_one_call(con: Con) -> None:
    load(con, fixture("jaeger-ui/otlp/flamegraph-testTrace.otlp.json"))

    assert edges(hops(con)) == {("load-generator", "ride-sharing-app"): 1}


def test_a_drawn_dependency_graph_comes_back_as_its_edges(con: Con) -> None:
    """The file has no spans: one call is drawn for every thousand of its edges."""
    links = read_json(fixture("jaeger-ui/dependency-graph-small.json"))
    wanted = Counter({(one["parent"], one["child"]): one["callCount"] // 1000 for one in links})
    records = []
    for number, (caller, callee) in enumerate(wanted.elements(), 1):
        trace = {"traceId": f"{number:032x}"}
        records += [
            {"service": caller, **trace, "spanId": f"{1:016x}", "kind": 3},
            {"service": callee, **trace, "spanId": f"{2:016x}", "parentSpanId": f"{1:016x}", "kind": 2},
        ]
    load(con, otlp(records))

    assert edges(hops(con)) == wanted
