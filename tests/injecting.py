"""Asks a collector by hostile texts at every place that takes one, and watches the statements that reach the database.

Whatever a text says, it must find just what is literally so called, by statements that an innocent text causes too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb
from answering import Api, asked_of
from loading import load, otlp

from bindtrace.collector.store.traces import trace_bytes, trace_json
from bindtrace.propagation.manifest import DeclaredService, Exposure, Grant, Host, Manifest, Match
from bindtrace.queries.analyse import rebuild
from bindtrace.queries.api.app import build
from bindtrace.queries.api.jaeger import build_jaeger
from bindtrace.queries.api.prometheus import build_prometheus
from bindtrace.queries.api.tempo import build_tempo
from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import cursor, open_database
from bindtrace.queries.policy import install_policy
from bindtrace.queries.query import Query

NOON: Final = 1_790_000_000
INNOCENT: Final = ("innocent", 'say "innocent"')
"""Of the second, the JSON form differs from the text."""
FIRST_TRACE: Final = 0x1000


def called(payload: str) -> str:
    """The service that the one called `payload` calls."""
    return f"{payload}+"


def spans_named(payload: str, number: int) -> list[dict[str, Any]]:
    """A trace of two services in which every name, key, value, message and link is the payload."""
    attributes = {payload: payload, "k": payload, "http.request.method": payload, "url.path": payload}
    common = {
        "traceId": f"{FIRST_TRACE + number:032x}",
        "name": payload,
        "startTimeUnixNano": str(NOON * 10**9),
        "endTimeUnixNano": str(NOON * 10**9 + 5_000_000),
        "traceState": payload,
        "status": {"code": 2, "message": payload},
        "resource": {"deployment.environment.name": payload, payload: payload},
    }
    return [
        common | {"service": payload, "spanId": f"{1:016x}", "kind": 2, "attributes": attributes, "events": [
            {"timeUnixNano": "1", "name": payload, "attributes": [{"key": payload, "value": {"stringValue": payload}}]}
        ]},
        common | {"service": payload, "spanId": f"{2:016x}", "parentSpanId": f"{1:016x}", "kind": 3, "attributes": {
            **attributes, "server.address": payload, "bindtrace.binding.name": payload, "url.full": payload,
        }},
        common | {"service": called(payload), "resource": {"deployment.environment.name": payload},
                  "spanId": f"{3:016x}", "parentSpanId": f"{2:016x}", "kind": 2, "links": [
            {"traceId": "f" * 32, "spanId": "f" * 16, "traceState": payload,
             "attributes": [{"key": payload, "value": {"stringValue": payload}}]}
        ]},
    ]  # fmt: skip


def policy_named(payloads: Sequence[str]) -> Manifest:
    """A manifest whose services, bindings, hosts, routes and files are called by the payloads; it grants each call."""
    origin = ("bindtrace", "")
    lines = list(enumerate(payloads, 1))
    return Manifest(
        "hostile.toml",
        *origin,
        revision="1",
        services=tuple(DeclaredService(*origin, one, None, one, line) for line, one in lines),
        grants=tuple(Grant(*origin, None, one, called(one), one, one, line) for line, one in lines),
        exposures=tuple(Exposure(*origin, one, one, "^/x$", one, line) for line, one in lines),
        hosts=tuple(Host(one, called(one), "private") for one in payloads),
        matches=tuple(Match(one, "service", one, one) for one in payloads),
    )


def database(
    payloads: Sequence[str], *, declared: bool = False, path: Path | None = None
) -> duckdb.DuckDBPyConnection:
    """In memory or a file, stored and analysed as a collector does it; `declared`: with the policy above."""
    con = open_database(path)
    if declared:
        install_policy(con, [policy_named(payloads)])
    named = [*payloads, *INNOCENT]
    outcome = load(con, otlp(span for number, one in enumerate(named) for span in spans_named(one, number)))
    assert (outcome.spans, outcome.rejected) == (3 * len(named), 0)
    rebuild(con)
    return con


class Asked:
    """Every API over one database."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con
        asked = asked_of(con)
        gauges = [("bindtrace_findings", {"rule": "x", "severity": "low", "environment": ""}, 1.0)]
        below = {
            "/tempo": build_tempo(asked, trace_bytes),
            "/jaeger": build_jaeger(asked, trace_json),
            "/prometheus": build_prometheus(asked, lambda: gauges),
        }

        def run(name: str, query: Query) -> list[dict[str, Any]]:
            return run_report(cursor(con), name, query)

        self.app = build(run, dict, lambda position, timeout: True, below)
        self.api = Api(self.app)

    def get(self, path: str, allowed: Iterable[int] = (200,), **parameters: str) -> Any:
        reply = self.api.get(path, parameters)
        assert reply.status_code in allowed, (path, parameters, reply.status_code, reply.text[:500])
        is_json = reply.headers.get("content-type", "").startswith("application/json")
        return reply.json() if is_json else reply.text

    @contextmanager
    def statements(self) -> Iterator[set[str]]:
        """The texts of the statements that DuckDB ran in the block."""
        seen: set[str] = set()
        self.con.execute("call truncate_duckdb_logs()")
        self.con.execute("call enable_logging('QueryLog')")
        try:
            yield seen
        finally:
            self.con.execute("call disable_logging()")
            rows = self.con.execute(
                "select distinct message from duckdb_logs where type = 'QueryLog'"
            ).fetchall()
            seen |= {row[0] for row in rows} - {"call disable_logging()"}


def quoted(text: str) -> str:
    """As TraceQL and PromQL write a string; both read Go's escapes, of which JSON's are a part but for surrogates."""
    return json.dumps(text, ensure_ascii=False)


def found_by(asked: Asked, payload: str) -> dict[str, object]:
    """What each place finds by the payload; all of it must be what is literally so called."""
    window = {"start": str(NOON - 5), "end": str(NOON + 60)}
    text = quoted(payload)

    def search(query: str) -> list[str]:
        answer = asked.get("/tempo/api/search", q=query, limit="500", **window)
        return sorted(trace["traceID"] for trace in answer["traces"])

    def jaeger(**parameters: str) -> list[str]:
        times = {"start": f"{NOON - 5}000000", "end": f"{NOON + 60}000000", "limit": "500"}
        return sorted(
            one["traceID"] for one in asked.get("/jaeger/api/traces", **times, **parameters)["data"]
        )

    def counted(selector: str) -> list[str]:
        answer = asked.get("/prometheus/api/v1/query", query=f"sum({selector})", time=str(NOON + 60))
        return [one["value"][1] for one in answer["data"]["result"]]

    return {
        "TraceQL, service": search(f"{{ resource.service.name = {text} }}"),
        "TraceQL, name": search(f"{{ name = {text} }}"),
        "TraceQL, key and value": search(f"{{ span.{text} = {text} }}"),
        "TraceQL, resource's key": search(f"{{ resource.{text} = {text} }}"),
        "TraceQL, value": search(f"{{ span.k = {text} }}"),
        "TraceQL, event": search(f"{{ event.{text} = {text} }}"),
        "TraceQL, promoted": search(f"{{ span.http.request.method = {text} }}"),
        "Jaeger": jaeger(
            service=payload, operation=payload, tags=json.dumps({payload: payload, "k": payload})
        ),
        "PromQL": counted(f"traces_service_graph_request_total{{client={text}}}"),
        "PromQL, environment": counted(f"bindtrace_calls_total{{caller={text},environment={text}}}"),
        "report": [row["trace_id"] for row in asked.get("/api/reports/hops", caller=payload, env=payload)],
    }


def expected_of(payload: str, number: int) -> dict[str, object]:
    """What `found_by` must be."""
    trace = f"{FIRST_TRACE + number:032x}"
    found: dict[str, object] = {
        key: [trace]
        for key in (
            "TraceQL, service", "TraceQL, name", "TraceQL, key and value", "TraceQL, resource's key", "TraceQL, value",
            "TraceQL, event", "TraceQL, promoted", "Jaeger", "report",
        )
    }  # fmt: skip
    return found | {"PromQL": ["1"], "PromQL, environment": ["1"]}


def asked_raw(asked: Asked, payload: str) -> None:
    """The payload where a query, a name or a number is expected: answered or refused, never failed."""
    refused = (200, 303, 400, 404, 422)
    window = {"start": str(NOON - 5), "end": str(NOON + 60)}
    for path, parameters in (
        ("/tempo/api/search", {"q": payload, **window}),
        ("/tempo/api/search", {"q": "{}", "limit": payload, "start": payload}),
        ("/tempo/api/metrics/query_range", {"q": f"{{}} | rate() by ({payload})", **window}),
        ("/tempo/api/v2/search/tag/name/values", {"q": payload}),
        ("/prometheus/api/v1/query", {"query": payload}),
        ("/prometheus/api/v1/query", {"query": f"sum by ({payload}) (bindtrace_calls_total)"}),
        ("/prometheus/api/v1/series", {"match[]": payload}),
        ("/jaeger/api/traces", {"tags": payload, "minDuration": payload}),
        ("/jaeger/api/dependencies", {"endTs": payload, "lookback": payload}),
        ("/jaeger/analytics/v1/dependencies", {"service": payload, "operation": payload}),
        ("/api/reports/hops", {payload: payload}),
        ("/api/reports/hops", {"limit": payload, "format": payload}),
        ("/api/reports/chain", {"trace_id": payload}),
        ("/chains", {"through": payload, "env": payload, "since": payload}),
        ("/findings", {"rule": payload}),
        ("/search", {"q": payload}),
    ):
        asked.get(path, refused, **parameters)
