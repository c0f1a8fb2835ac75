"""Traces that real Envoy proxies and real services sent: who called whom, and which spans say so."""

from __future__ import annotations

import duckdb
from loading import Row, edges, hops, load, otlp, paths, read_json
from support import fixture

Con = duckdb.DuckDBPyConnection


def _hop(rows: list[Row], caller: str | None, callee: str) -> Row:
    (row,) = [row for row in rows if (row["caller"], row["callee"]) == (caller, callee)]
    return row


def test_the_four_envoy_spans_of_one_call_are_one_hop_behind_the_entry(con: Con) -> None:
    load(con, fixture("captured/envoy-span.json"))

    rows = hops(con)
    assert len(rows) == 2
    assert _hop(rows, "edge", "orders")["evidence"] == [
        "01bd06b250a22bf3",
        "db3bc90bafbc3a0d",
        "9a719c34a76459b3",
        "b586027b0c4689bb",
    ]
    assert _hop(rows, None, "edge")["evidence"] == ["01bd06b250a22bf3"]
    assert not any(row["error"] for row in rows)


def test_each_denied_call_is_a_hop_with_the_status_that_denied_it(con: Con) -> None:
    """No token, a role without the right, and a certificate of nobody: the last never passed the edge."""
    load(con, fixture("captured/envoy-denied-spans.json"))

    rows = hops(con)
    assert edges(rows) == {("edge", "orders"): 2}
    assert [row["callee"] for row in rows if row["caller"] is None] == ["orders", "edge", "edge"]
    statuses = con.execute("select http_status from hops where callee = 'orders' order by all").fetchall()
    assert statuses == [(401,), (403,), (403,)]
    outcomes = {row["outcome"] for row in rows if row["callee"] == "orders"}
    assert "passed" not in outcomes


def test_a_node_gateway_without_its_callees_is_an_entry_and_a_half_seen_call(con: Con) -> None:
    load(con, fixture("captured/node-gateway-span.json"))

    rows = hops(con)
    assert _hop(rows, None, "node-gw")["evidence"] == ["37b72afedc36c530"]
    assert _hop(rows, "node-gw", "localhost:9443")["pairing"] == "none"
    assert len(rows) == 2


def test_two_calls_of_one_python_service_are_two_hops_and_its_send_spans_none(con: Con) -> None:
    load(con, fixture("captured/python-asgi-span.json"))

    assert edges(hops(con)) == {("orders", "127.0.0.1:9001"): 2}


def test_node_gateway_and_python_service_of_one_trace_are_siblings_not_a_call_that_never_was(
    con: Con,
) -> None:
    """Both have the same parent, which nobody saw. The gateway's own call went to localhost:9443, the service was
    called at another time: nothing says that one called the other.
    """
    load(con, fixture("captured/node-gateway-span.json"), fixture("captured/python-asgi-span.json"))

    assert ("node-gw", "orders") not in edges(hops(con))


def test_five_workloads_through_eight_sidecars_are_four_hops(con: Con) -> None:
    load(con, fixture("kiali-istio-trace/otlp/responseTrace.otlp.json"))

    wanted = read_json(fixture("kiali-istio-trace/observed-chain.json"))["edges"]
    rows = hops(con)
    assert edges(rows) == {tuple(edge): 1 for edge in wanted}
    assert len(rows) == len(wanted)
    assert {row["pairing"] for row in rows} == {"parent"}
    assert paths(con) == {
        ("istio-ingressgateway.istio-system", "productpage.bookinfo", "details.bookinfo"),
        (
            "istio-ingressgateway.istio-system",
            "productpage.bookinfo",
            "reviews.bookinfo",
            "ratings.bookinfo",
        ),
    }


def test_sidecars_with_no_service_name_are_named_by_the_workload_of_their_node(con: Con) -> None:
    """The same trace as an older Envoy sends it: no `service.name`, the pod only in `node_id`."""
    document = read_json(fixture("kiali-istio-trace/otlp/responseTrace.otlp.json"))
    for resource_spans in document["resourceSpans"]:
        resource = resource_spans["resource"]
        resource["attributes"] = [one for one in resource["attributes"] if one["key"] != "service.name"]
    load(con, document)

    assert edges(hops(con)) == {
        ("istio-ingressgateway.istio-system", "productpage-v1.bookinfo"): 1,
        ("productpage-v1.bookinfo", "details-v1.bookinfo"): 1,
        ("productpage-v1.bookinfo", "reviews-v2.bookinfo"): 1,
        ("reviews-v2.bookinfo", "ratings-v1.bookinfo"): 1,
    }


def test_the_ids_of_services_that_share_nothing_but_a_missing_parent_stay_unrelated(con: Con) -> None:
    trace = {"traceId": f"{1:032x}", "parentSpanId": f"{9:016x}", "kind": 2}
    load(
        con,
        otlp(
            [
                {"service": "a", "spanId": f"{1:016x}", **trace},
                {"service": "b", "spanId": f"{2:016x}", **trace},
            ]
        ),
    )

    assert not edges(hops(con))
