"""Call graphs into the tables, many at once, and what the stored hops make of them held against the truth."""

from __future__ import annotations

import hashlib
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import duckdb
import pyarrow as pa
from call_graphs import CLIENT, CONSUMER, EDGE, SERVER, Graph, Span

from bindtrace.propagation.manifest import Manifest, Match
from bindtrace.queries.policy import install_policy

Con = duckdb.DuckDBPyConnection
Row = dict[str, Any]
TEXTS = (
    "server_host",
    "proxy_cluster",
    "claimed_caller",
    "claimed_callee",
    "claimed_chain",
    "messaging_system",
    "links",
)
NUMBERS = ("claimed_hop", "resend_count", "http_status")
PARENT_PAIRINGS = {"parent", "shared-id", "remote-ancestor"}
KEY_PAIRINGS = {"binding-header", "link", "request-id"}


def declare_edge(con: Con) -> None:
    """The one proxy that calls are looked through."""
    install_policy(
        con,
        [Manifest("edges.toml", "bindtrace", "", "1", matches=(Match(EDGE, "edge", "service.name", EDGE),))],
    )


def store(con: Con, spans: Sequence[Span], load_id: int) -> None:
    """One load of spans, in the order given."""
    _resources(con, {(span.service, span.proxy) for span in spans}, load_id)
    con.register("drawn_rows", pa.Table.from_pylist([_row(span, load_id) for span in spans], _SCHEMA))
    con.execute(
        "insert into spans by name select * replace (trace_id::uuid as trace_id, resource_id::uuid as resource_id, "
        "instrumentation_scope_id::uuid as instrumentation_scope_id) from drawn_rows"
    )
    links = {
        (str(span.columns["claimed_chain"]), f"{span.trace:032x}")
        for span in spans
        if span.columns.get("claimed_chain", f"{span.trace:032x}") != f"{span.trace:032x}"
    }
    if links:
        con.executemany(
            "insert into trace_links values (?::uuid, ?::uuid, ?)", [[*link, load_id] for link in links]
        )


_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("trace_id", "resource_id", "instrumentation_scope_id")),
        *((name, pa.string()) for name in ("name", "component", *TEXTS)),
        *((name, pa.uint64()) for name in ("span_id", "parent_span_id", "received_unix_nano", "load_id")),
        *((name, pa.uint64()) for name in ("start_time_unix_nano", "end_time_unix_nano")),
        *((f"dropped_{name}_count", pa.int32()) for name in ("attributes", "events", "links")),
        *((name, pa.int32()) for name in ("flags", "kind", "status_code", *NUMBERS)),
    ]
)
HOP = (
    "trace_id", "caller", "callee", "kind", "pairing", "grade", "attempts", "leaf", "path",
    "claimed_caller", "claimed_callee", "marks", "evidence",
)  # fmt: skip


def _row(span: Span, load_id: int) -> Row:
    return {
        "trace_id": f"{span.trace:032x}",
        "span_id": span.id,
        "parent_span_id": span.parent,
        "name": span.service,
        "kind": span.kind,
        "flags": 768 if span.kind in (SERVER, CONSUMER) and span.parent else 256,
        "start_time_unix_nano": span.start,
        "end_time_unix_nano": max(span.end, span.start),
        "received_unix_nano": 0,
        "load_id": load_id,
        "status_code": 0,
        "dropped_attributes_count": 0,
        "dropped_events_count": 0,
        "dropped_links_count": 0,
        "resource_id": str(_resource_id(span.service, span.proxy)),
        "instrumentation_scope_id": str(uuid.UUID(int=0)),
        "component": "proxy" if span.proxy else None,
        **span.columns,
    }


def _resource_id(service: str, proxy: bool) -> uuid.UUID:
    return uuid.UUID(bytes=hashlib.sha256(f"{service} {proxy}".encode()).digest()[:16])


def _resources(con: Con, wanted: Iterable[tuple[str, bool]], load_id: int) -> None:
    for service, proxy in sorted(wanted):
        con.execute(
            "insert into resources by name select $id::uuid as resource_id, $attributes as attributes, 0 as "
            "dropped_attributes_count, $load as load_id, $service as service "
            "where not exists (from resources where resource_id = $id::uuid)",
            {
                "id": str(_resource_id(service, proxy)),
                "attributes": f'{{"service.name": "{service}", "proxy": {str(proxy).lower()}}}',
                "load": load_id,
                "service": service,
            },
        )


def hops_by_graph(con: Con) -> dict[int, list[Row]]:
    """The stored hops of every graph, by its number."""
    found: dict[int, list[Row]] = defaultdict(list)
    for row in con.execute(f"select {', '.join(HOP)} from hops").fetchall():
        hop = dict(zip(HOP, row, strict=True))
        found[(hop["trace_id"].int >> 32) - 1].append(hop)
    return found


def differences(graph: Graph, hops: Sequence[Row]) -> list[str]:
    """What the hops say otherwise than the truth, one sentence each; empty where they are right."""
    return [
        *_false_or_missing(graph, hops),
        *_badly_marked(graph, hops),
        *_wrong_paths(graph, hops),
        *_vanished(graph, hops),
    ]


def _names(graph: Graph) -> set[str]:
    return {name for pair in graph.calls for name in pair} | {span.service for span in graph.spans}


def _false_or_missing(graph: Graph, hops: Sequence[Row]) -> list[str]:
    names, wrong = _names(graph), list[str]()
    seen = Counter((hop["caller"], hop["callee"]) for hop in hops if {hop["caller"], hop["callee"]} <= names)
    for pair, count in seen.items():
        bounds = graph.calls.get(pair)
        if bounds is None or not bounds.may:
            wrong.append(
                f"false edge {pair}: {[hop for hop in hops if (hop['caller'], hop['callee']) == pair][:1]}"
            )
        elif count > bounds.may:
            wrong.append(f"{pair} was seen {count} times, at most {bounds.may} calls were made and told of")
    for pair, bounds in graph.calls.items():
        if seen[pair] < bounds.must:
            wrong.append(f"{pair} was seen {seen[pair]} times, {bounds.must} calls were told of whole")
        if graph.whole and len(bounds.attempts) == 1 == bounds.must:
            tries = [hop["attempts"] for hop in hops if (hop["caller"], hop["callee"]) == pair]
            if len(tries) == 1 and tries != bounds.attempts:
                wrong.append(f"{pair} took {bounds.attempts} attempts, hops say {tries}")
    return wrong


def _badly_marked(graph: Graph, hops: Sequence[Row]) -> list[str]:
    """A half says that it is one, and a join over a key that it is inferred."""
    names, wrong = _names(graph), list[str]()
    for hop in hops:
        both = hop["caller"] in names and hop["callee"] in names
        pairing, said = (
            hop["pairing"],
            f"{hop['caller']} → {hop['callee']} ({hop['pairing']}, {hop['grade']})",
        )
        if (
            both
            and pairing == "none"
            and not (hop["claimed_caller"] == hop["caller"] or hop["claimed_callee"] == hop["callee"])
        ):
            wrong.append(f"{said}: joined by nothing")
        if not both and pairing in PARENT_PAIRINGS | KEY_PAIRINGS:
            wrong.append(f"{said}: half a call, but paired")
        if pairing == "binding-header" and hop["grade"] != "inferred":
            wrong.append(f"{said}: joined by a key, but not inferred")
        if (
            hop["callee"]
            and hop["callee"] not in names
            and not hop["callee"].endswith((".internal", "kafka"))
        ):
            wrong.append(f"{said}: a callee that nobody named")
    return wrong


def _wrong_paths(graph: Graph, hops: Sequence[Row]) -> list[str]:
    names, wrong = _names(graph), list[str]()
    reported = {tuple(hop["path"]) for hop in hops if hop["leaf"]}
    whole = {
        path[start:end]
        for path in graph.paths
        for start in range(len(path))
        for end in range(start + 1, len(path) + 1)
    }
    for path in reported:
        services = path if path[-1] in names else path[:-1]
        pairs = pairwise(services)
        if (
            services
            and services not in whole
            and not (graph.shortened and all(pair in graph.calls for pair in pairs))
        ):
            wrong.append(f"false chain {path}")
    if graph.whole and not graph.folded and reported != graph.leaves:
        wrong.append(f"chains {sorted(reported - graph.leaves)} instead of {sorted(graph.leaves - reported)}")
    return wrong


def _vanished(graph: Graph, hops: Sequence[Row]) -> list[str]:
    """Every span of an application that served or called somebody is evidence of some hop."""
    evidence = {(hop["trace_id"].int, span) for hop in hops for span in hop["evidence"]} | {
        (trace, span)
        for hop in hops
        # of several tries the one that stands for all may be the only one with a parent
        if hop["pairing"] in KEY_PAIRINGS or hop["attempts"] > 1
        for trace in range(((graph.number + 1) << 32), ((graph.number + 1) << 32) + 40)
        for span in hop["evidence"]
    }
    return [
        f"{span.service}'s span {span.id} of kind {span.kind} is in no hop"
        for span in graph.spans
        if not span.proxy
        and span.kind in (SERVER, CLIENT, CONSUMER)
        and (span.trace, span.id) not in evidence
    ]


def shuffled_loads(spans: Sequence[Span], seed: int, loads: int) -> list[list[Span]]:
    """The spans in random order, in so many loads of random size."""
    order = random.Random(seed).sample(list(spans), len(spans))
    cuts = sorted(random.Random(seed + 1).sample(range(1, len(order)), loads - 1))
    return [order[start:end] for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True)]
