"""CRISP's cases: proxies that fold, errors that come from below, and where this project counts errors otherwise.

Meant difference: CRISP counts HTTP 404 and log lines that speak of an error as errors. Here a hop failed when its
span has status ERROR or its HTTP status is 5xx; a 4xx is an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import pytest
from loading import Row, edges, hops, load, merged, otlp, paths, read_json, retraced
from support import fixture

from bindtrace.queries.database import open_database

Con = duckdb.DuckDBPyConnection
Cases = Mapping[str, list[Row]]
CASES = ("2", "5", "10", "11", "15", "20", "24", "err_pattern1/err1", "err_pattern1/err2")


def _original(case: str) -> dict[str, Any]:
    document = read_json(fixture(f"crisp/{case}.json"))
    trace: dict[str, Any] = document["data"][0]
    return trace


@pytest.fixture(scope="module")
def cases() -> Cases:
    """The hops of every case: all of them in one load."""
    documents = [read_json(fixture(f"crisp/otlp/{case.replace('/', '-')}.otlp.json")) for case in CASES]
    con = open_database(None)
    load(con, merged(retraced(document, place) for place, document in enumerate(documents, 1)))
    rows = hops(con)
    asked = "select span_hex(callee_span_id) || trace_hex(trace_id), error_origin from hops"
    origins = dict(con.execute(asked).fetchall())
    con.close()
    return {
        case: [
            {**row, "error_origin": origins[row["callee_span_id"] + row["trace_id"]]}
            for row in rows
            if int(row["trace_id"], 16) == place
        ]
        for place, case in enumerate(CASES, 1)
    }


def _span_id(name: str) -> str:
    return name.lower().zfill(16)


@pytest.mark.parametrize("case", CASES)
def test_calls_are_the_parent_ids_between_services(cases: Cases, case: str) -> None:
    trace = _original(case)
    service = {key: value["serviceName"] for key, value in trace["processes"].items()}
    spans = {span["spanID"]: span for span in trace["spans"]}
    wanted: dict[tuple[str, str], int] = {}
    for span in spans.values():
        for reference in span["references"]:
            pair = service[spans[reference["spanID"]]["processID"]], service[span["processID"]]
            if pair[0] != pair[1]:
                wanted[pair] = wanted.get(pair, 0) + 1

    assert edges(cases[case]) == wanted


@pytest.mark.parametrize(
    ("case", "failed"),
    [
        ("2", []),
        ("10", []),
        ("11", ["B"]),
        ("15", ["B", "C"]),  # CRISP: also D, E and F, for what their logs say
        ("20", ["D"]),  # CRISP: also B, a 404
        ("24", ["E", "I"]),  # CRISP: also the four 404 of C, D, G and H, and F
        ("err_pattern1/err1", ["B"]),
        ("err_pattern1/err2", ["B"]),
    ],
)
def test_failed_hops_are_those_of_status_error_or_5xx(cases: Cases, case: str, failed: list[str]) -> None:
    hashed = {"G": "333e0a1e27815d0c", "H": "44bd7ae60f478fae", "I": "a83dd0ccbffe39d0"}

    wanted = sorted(hashed.get(name, _span_id(name)) for name in failed)
    assert sorted(row["callee_span_id"] for row in cases[case] if row["error"]) == wanted


@pytest.mark.parametrize("case", ["11", "15", "20", "24", "err_pattern1/err1"])
def test_an_error_originates_in_the_deepest_failing_hop(cases: Cases, case: str) -> None:
    """CRISP's errCounts: an operation is an origin where nothing below it failed (first number)."""
    origins = [row["error_origin"] for row in cases[case] if row["error"]]

    assert origins
    assert all(origins)


def test_a_proxy_between_two_services_is_looked_through_in_both_directions_of_an_error(con: Con) -> None:
    """CRISP filters its `proxy-relay`; here a proxy is known by `component` and its service name."""
    trace = _original("15")
    document = _with_relay(trace)
    load(con, document)

    assert edges(hops(con)) == {("S1", "S2"): 1}
    (row,) = hops(con)
    assert row["error"]
    assert len(row["evidence"]) == 3


def _with_relay(trace: dict[str, Any]) -> dict[str, Any]:
    """Case 15's first failing call, with the relay's two spans between caller and callee."""
    failing = next(span for span in trace["spans"] if span["spanID"] == "B")
    common = {"traceId": f"{1:032x}", "startTimeUnixNano": "1000", "endTimeUnixNano": "2000"}
    proxy = {"component": "proxy"}
    return otlp(
        [
            {"service": "S1", **common, "spanId": _span_id("a"), "kind": 3},
            {
                "service": "S1",
                **common,
                "spanId": _span_id("b1"),
                "parentSpanId": _span_id("a"),
                "kind": 3,
                "attributes": proxy,
                "status": {"code": 2},
            },
            {
                "service": "S2",
                **common,
                "spanId": _span_id(failing["spanID"]),
                "parentSpanId": _span_id("b1"),
                "kind": 2,
                "status": {"code": 2},
            },
        ]
    )


def test_calls_of_one_signature_are_one_path(con: Con) -> None:
    load(con, fixture("crisp/otlp/24.otlp.json"))

    assert paths(con) == {("S1", "S2", "S3")}
