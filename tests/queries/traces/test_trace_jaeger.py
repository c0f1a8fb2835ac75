"""Jaeger's cases for skewed clocks and shared ids, and its storage fixtures; and the traces of Perses."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import duckdb
import pytest
from loading import edges, hops, load, otlp, paths, read_json
from support import fixture

Con = duckdb.DuckDBPyConnection
NOON = 1_790_000_000_000
SKEW = (
    "parent-child on the same host",
    "do not adjust child that fits inside parent",
    "adjust child starting before parent",
)


def _skewed(case: dict[str, Any]) -> dict[str, Any]:
    """The case's two spans as a call of two services: its client span, and the server span below it."""
    return otlp(
        {
            "service": span["hostIp"] if len({one["hostIp"] for one in case["spans"]}) > 1 else "both",
            "resource": {"host.ip": [span["hostIp"]]},
            "traceId": f"{1:032x}",
            "spanId": span["spanId"],
            "parentSpanId": span["parentSpanId"],
            "kind": 2 if span["parentSpanId"] else 3,
            "startTimeUnixNano": str((NOON + span["startMs"]) * 1_000_000),
            "endTimeUnixNano": str((NOON + span["startMs"] + span["durationMs"]) * 1_000_000),
        }
        for span in case["spans"]
    )


@pytest.mark.parametrize("name", SKEW)
def test_skew_is_what_jaegers_adjuster_moves_a_callee_by(con: Con, name: str) -> None:
    (case,) = [
        one for one in read_json(fixture("jaeger/clock-skew-cases.json"))["cases"] if one["name"] == name
    ]
    load(con, _skewed(case))

    callee = case["spans"][1]
    moved = callee["expectedAdjustedStartMs"] - callee["startMs"]
    assert con.execute("select skew_nano from hops where answered").fetchall() == [(-moved * 1_000_000,)]


@pytest.mark.parametrize("name", SKEW)
def test_received_times_are_never_overwritten(con: Con, name: str) -> None:
    (case,) = [
        one for one in read_json(fixture("jaeger/clock-skew-cases.json"))["cases"] if one["name"] == name
    ]
    load(con, _skewed(case))

    stored = con.execute("select start_time_unix_nano from spans order by span_id").fetchall()
    assert stored == [((NOON + span["startMs"]) * 1_000_000,) for span in case["spans"]]


def test_spans_without_a_parent_are_several_roots_of_one_trace(con: Con) -> None:
    """Five spans, no parent ids: what served somebody is an entry, what called somebody a half-seen call."""
    load(con, fixture("jaeger/example_trace.json"))

    rows = hops(con)
    assert not [row for row in rows if row["caller"] and row["callee"]]
    assert {(row["caller"], row["callee"]) for row in rows} == {
        (None, "example-service-1"),
        ("example-service-1", None),
    }


@pytest.mark.parametrize("name", ["multi_index_trace.json", "link_attributes_trace.json"])
def test_spans_that_neither_call_nor_serve_are_no_hops(con: Con, name: str) -> None:
    load(con, fixture(f"jaeger/{name}"))

    assert hops(con) == []


def test_a_span_exported_twice_in_one_file_is_one_entry(con: Con) -> None:
    """Meant difference: `peer.service` of a server span is its own belief, so the caller stays unseen."""
    load(con, fixture("jaeger-ui/otlp2jaeger-in.json"))

    assert [(row["caller"], row["callee"]) for row in hops(con)] == [(None, "telemetrygen")]


def test_a_trace_without_its_root_is_a_half_seen_call(con: Con) -> None:
    """Perses' pushed bytes: all spans of one service, the last a client span whose callee was not seen."""
    load(con, _hex_ids(fixture("perses/pushbytes_otlp.json")))

    assert [(row["caller"], row["callee"], row["pairing"]) for row in hops(con)] == [
        ("tempo-distributor", None, "none")
    ]


def test_a_client_span_below_a_client_span_is_one_call_with_the_error_of_the_outer(con: Con) -> None:
    """Perses' example: its ids are words, so they are spelled in hex here."""
    load(con, _hex_ids(fixture("perses/example_otlp.json")))

    rows = hops(con)
    assert {(row["caller"], row["callee"]) for row in rows} == {
        (None, "shop-backend"),
        ("shop-backend", None),
    }
    assert [row["error"] for row in rows if row["caller"]] == [True]
    assert paths(con) == {("shop-backend", "(unseen)")}
    assert not [pair for pair in edges(rows) if pair[1]]


def _hex_ids(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = read_json(path)
    for resource_spans in document["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for span in scope_spans["spans"]:
                for key, size in (("traceId", 16), ("spanId", 8), ("parentSpanId", 8)):
                    if span.get(key):
                        span[key] = _hex_id(span[key], size)
    return document


def _hex_id(text: str, size: int) -> str:
    if len(text) != 2 * size:
        raw = base64.b64decode(text) if text.endswith("=") else text.encode()
        return raw[-size:].rjust(size, b"\0").hex()
    return text
