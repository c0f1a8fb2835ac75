"""Draws small traces straight into the tables, so that a test of a rule shows nothing but the trace it is about."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from bindtrace.propagation.concepts import RESOURCE_CONCEPTS

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
SECOND = 1_000_000_000
DAY_MS = 86_400_000
NOON = 1_790_000_000 * SECOND
HOST_KEYS = next(concept.keys for concept in RESOURCE_CONCEPTS if concept.column == "hosts")


@dataclass(frozen=True, slots=True)
class S:
    """One span: `S("orders", SERVER, 2, parent=1, server_host="inventory.internal")`."""

    service: str | None
    kind: int
    id: int
    parent: int | None = None
    trace: int = 1
    at_ms: float = 0.0
    ms: float = 10.0
    error: bool = False
    remote: bool | None = None
    deployment: str | None = None
    resource: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)


def span(service: str | None, kind: int, id: int, parent: int | None = None, **more: Any) -> S:
    """A span; every keyword that is not a field of `S` is a promoted column."""
    own = {name: more.pop(name) for name in list(more) if name in S.__dataclass_fields__}
    return S(service, kind, id, parent, **own, columns=more)


def calls_over_days(
    caller: str,
    callee: str,
    *,
    days: float = 20,
    calls: int = 60,
    kept: str | None = "ot=th:0",
    first: int = 1,
    **client: Any,
) -> Iterator[S]:
    """So many calls, a trace each from number `first` on; `kept` is what the trace state says of sampling."""
    for number in range(calls):
        common = {"trace": first + number, "at_ms": number * days * DAY_MS / (calls - 1)}
        yield span(caller, CLIENT, 1, trace_state=kept, **common, **client)
        if callee:
            yield span(callee, SERVER, 2, 1, **common)


def draw(con: duckdb.DuckDBPyConnection, *spans: S) -> None:
    """Stores the spans as one load."""
    load = con.execute(
        """
        select greatest(
            (select coalesce(max(load_id), 0) from spans), (select coalesce(max(load_id), 0) from analysis)
        ) + 1
        """
    ).fetchone()
    assert load is not None
    _insert(con, "spans", [_row(one, load[0]) for one in spans])
    resources = {row["resource_id"]: row for row in (_resource(one, load[0]) for one in spans)}
    stored = {name for (name,) in con.execute("select resource_id from resources").fetchall()}
    _insert(con, "resources", [row for name, row in resources.items() if name not in stored])


def trace_id(number: int) -> str:
    return f"{number:032x}"


def _row(one: S, load_id: int) -> dict[str, Any]:
    start = NOON + int(one.at_ms * 1e6)
    return {
        "trace_id": uuid.UUID(int=one.trace),
        "span_id": one.id,
        "parent_span_id": one.parent,
        "flags": {None: 0, False: 256, True: 768}[one.remote],
        "name": f"span {one.id}",
        "kind": one.kind,
        "start_time_unix_nano": start,
        "end_time_unix_nano": start + int(one.ms * 1e6),
        "status_code": 2 if one.error else 0,
        "dropped_attributes_count": 0,
        "dropped_events_count": 0,
        "dropped_links_count": 0,
        "resource_id": _resource(one, load_id)["resource_id"],
        "instrumentation_scope_id": uuid.UUID(int=0),
        "received_unix_nano": start,
        "load_id": load_id,
        **one.columns,
    }


def _resource(one: S, load_id: int) -> dict[str, Any]:
    named = {} if one.service is None else {"service.name": one.service}
    attributes = json.dumps(
        {**named, **one.resource} | ({"deployment.id": one.deployment} if one.deployment else {})
    )
    known = {
        "environment": "deployment.environment.name",
        "scope": "vercel.projectId",
        "sdk": "telemetry.sdk.name",
    }
    return {
        "resource_id": uuid.UUID(bytes=hashlib.sha256(attributes.encode()).digest()[:16]),
        "attributes": attributes,
        "dropped_attributes_count": 0,
        "load_id": load_id,
        "service": one.service,
        "deployment": one.deployment,
        **{column: one.resource.get(key) for column, key in known.items()},
        "hosts": next((one.resource[key] for key in HOST_KEYS if key in one.resource), None),
    }


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """All of them in one Arrow table: bound values take DuckDB 2 ms a span. A column that a row has not is null."""
    columns = dict.fromkeys(column for row in rows for column in row)
    if rows:
        kinds = con.execute(f"select {', '.join(columns)} from {table} limit 0").to_arrow_table().schema
        plain = [
            {key: str(it) if isinstance(it, uuid.UUID) else it for key, it in row.items()} for row in rows
        ]
        con.register("drawn", pa.Table.from_pylist(plain, schema=kinds))
        con.execute(f"insert into {table} by name select * from drawn")
        con.unregister("drawn")
