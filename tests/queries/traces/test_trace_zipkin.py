"""Zipkin's own linker cases: the same links, or a difference that is meant and named here.

Meant differences, each by the rules of this project:
- a broker is no service: a message goes from its producer to its consumer;
- a parent id that joins producer and consumer is evidence, so the hop is there without a broker too;
- a resource without a name stays `unknown_service`: it is never given the name of the span around it;
- `peer.service` on a SERVER span is what the callee believes, and names no caller.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import pytest
from loading import Edge, Row, edges, hops, load, merged, otlp, paths, read_json
from support import fixture

from bindtrace.queries.database import open_database

Con = duckdb.DuckDBPyConnection
Linked = Mapping[str, tuple[list[Row], dict[str, Any]]]
CASES = (
    "linksSpans",
    "messagingWithBroker_both_sides_same",
    "messagingWithoutBroker_noLinks",
    "linksSpansDirectedByKind_0",
    "linksSpansDirectedByKind_1",
    "callsAgainstTheSameLinkIncreasesCallCount_trace",
    "singleHostSpansResultInASingleCallCount",
    "errorsOnInstrumentedLinks",
    "doesntLinkUnrelatedSpansWhenMissingRootSpan",
    "linksRelatedSpansWhenMissingRootSpan",
    "missingSpan",
)
UNNAMED = "unknown_service"
MEANT: dict[str, Counter[Edge]] = {
    "messagingWithBroker_both_sides_same": Counter({("producer", "consumer"): 1}),
    "messagingWithoutBroker_noLinks": Counter({("producer", "consumer"): 1}),
    "linksSpansDirectedByKind_0": Counter(),
    "callsAgainstTheSameLinkIncreasesCallCount_trace": Counter(
        {("client", UNNAMED): 2, (UNNAMED, "server"): 2}
    ),
    "errorsOnInstrumentedLinks": Counter({("foo", UNNAMED): 1, (UNNAMED, "bar"): 2, ("bar", "baz"): 2}),
}
KINDS = {None: 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}


def _document(traces: Iterable[Iterable[Mapping[str, Any]]], first: int = 1) -> dict[str, Any]:
    """Zipkin v2 JSON as OTLP; each trace of a case is one of its own, whatever the ids."""
    return otlp(_record(span, number) for number, trace in enumerate(traces, first) for span in trace)


@pytest.fixture(scope="module")
def linked() -> Linked:
    """What became of every linker case, and the case: all of them in one load."""
    wanted = {
        one["name"]: one
        for one in read_json(fixture("zipkin/dependency-linker-cases.json"))["cases"]
        if one["name"] in CASES
    }
    con = open_database(None)
    documents = (_document(case["traces"], 100 * place) for place, case in enumerate(wanted.values(), 1))
    load(con, merged(documents))
    rows = hops(con)
    con.close()
    return {
        name: ([row for row in rows if _case_of(row["trace_id"]) == place], case)
        for place, (name, case) in enumerate(wanted.items(), 1)
    }


def _case_of(trace_id: str) -> int:
    return int(trace_id[:16], 16) // 100


def _record(span: Mapping[str, Any], trace: int) -> dict[str, Any]:
    remote = span.get("remoteEndpoint", {}).get("serviceName")
    failed = "error" in span.get("tags", {})
    start = int(span.get("timestamp", 0)) * 1000
    return {
        "service": span.get("localEndpoint", {}).get("serviceName"),
        "traceId": f"{trace:016x}{span['traceId']}",
        "spanId": span["id"],
        "parentSpanId": span.get("parentId", ""),
        "kind": KINDS[span.get("kind")],
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + int(span.get("duration", 0)) * 1000),
        "status": {"code": 2} if failed else {},
        "attributes": {"peer.service": remote} if remote else {},
    }


@pytest.mark.parametrize("name", CASES)
def test_the_linkers_cases_give_its_links(linked: Linked, name: str) -> None:
    rows, case = linked[name]

    theirs = Counter({(one["parent"], one["child"]): one["callCount"] for one in case["expectedLinks"]})
    assert edges(rows) == MEANT.get(name, theirs)


@pytest.mark.parametrize("name", ["linksSpans", "errorsOnInstrumentedLinks"])
def test_a_failed_call_is_an_error_of_its_own_link_only(linked: Linked, name: str) -> None:
    rows, case = linked[name]

    theirs = {(one["parent"], one["child"]): one.get("errorCount", 0) for one in case["expectedLinks"]}
    assert edges(row for row in rows if row["error"]) == Counter(
        {link: errors for link, errors in theirs.items() if errors}
    )


def test_a_real_trace_of_shared_ids_has_the_two_nodes_that_each_id_means(con: Con) -> None:
    load(con, fixture("zipkin/otlp/ascend.otlp.json"))

    assert edges(hops(con), "call") == {
        ("mobile-gateway", "content-service"): 1,
        ("mobile-gateway", "auth-service"): 1,
    }
    assert {row["pairing"] for row in hops(con) if row["callee"] == "auth-service"} == {"shared-id"}


def test_a_real_message_through_a_broker_is_one_hop(con: Con) -> None:
    load(con, fixture("zipkin/otlp/messaging.otlp.json"))

    assert edges(hops(con)) == {("frontend", "backend"): 1}
    assert [row["kind"] for row in hops(con) if row["callee"] == "backend"] == ["message"]


def test_a_span_that_began_an_hour_before_its_parent_is_still_its_child(con: Con) -> None:
    load(con, fixture("zipkin/otlp/skew.otlp.json"))

    assert paths(con) == {("servicea", "serviceb")}


def test_a_proxy_without_a_name_serves_an_unnamed_service(con: Con) -> None:
    load(con, fixture("zipkin/otlp/envoy.otlp.json"))

    assert [(row["caller"], row["callee"]) for row in hops(con)] == [(None, UNNAMED)]


@pytest.mark.parametrize("name", ["only across different hosts", "only when the client is behind the server"])
def test_zipkins_unskewed_pairs_are_left_alone(con: Con, name: str) -> None:
    """Not meant by Zipkin but by us: a pair whose server lies outside its client's span and on another host is skewed.

    Zipkin leaves a server alone that began after its client, even where it ended after it; Jaeger's rule moves it
    (clock-skew-cases.json), and one rule is enough.
    """
    (case,) = [
        one for one in read_json(fixture("zipkin/clock-skew-cases.json"))["cases"] if one["name"] == name
    ]
    load(con, _document([case["spans"]]))

    assert con.execute("select skew_nano from hops where caller is not null").fetchall() in ([], [(0,)])
