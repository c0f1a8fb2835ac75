"""Draws small traces straight into the tables, so that a test of a rule shows nothing but the trace it is about."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb

from bindtrace.propagation.vocabulary import RESOURCE_CONCEPTS

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
SECOND = 1_000_000_000
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
    for one in spans:
        _insert(con, "spans", _row(con, one, load[0]))


def trace_id(number: int) -> str:
    return f"{number:032x}"


def _row(con: duckdb.DuckDBPyConnection, one: S, load_id: int) -> dict[str, Any]:
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
        "resource_id": _resource(con, one, load_id),
        "instrumentation_scope_id": uuid.UUID(int=0),
        "received_unix_nano": start,
        "load_id": load_id,
        **one.columns,
    }


def _resource(con: duckdb.DuckDBPyConnection, one: S, load_id: int) -> uuid.UUID:
    named = {} if one.service is None else {"service.name": one.service}
    attributes = json.dumps(
        {**named, **one.resource} | ({"deployment.id": one.deployment} if one.deployment else {})
    )
    name = uuid.UUID(bytes=hashlib.sha256(attributes.encode()).digest()[:16])
    if not con.execute("select 1 from resources where resource_id = ?", [name]).fetchall():
        known = {
            "environment": "deployment.environment.name",
            "scope": "vercel.projectId",
            "sdk": "telemetry.sdk.name",
        }
        _insert(
            con,
            "resources",
            {
                "resource_id": name,
                "attributes": attributes,
                "dropped_attributes_count": 0,
                "load_id": load_id,
                "service": one.service,
                "deployment": one.deployment,
                **{column: one.resource.get(key) for column, key in known.items()},
                "hosts": next((one.resource[key] for key in HOST_KEYS if key in one.resource), None),
            },
        )
    return name


def _insert(con: duckdb.DuckDBPyConnection, table: str, row: Mapping[str, Any]) -> None:
    con.execute(
        f"insert into {table} ({', '.join(row)}) values ({', '.join('?' for _ in row)})", list(row.values())
    )
