"""Distinct calls judged by another policy: each is drawn as spans into a database in memory, and analysed there.

The analysis that judges stored spans judges these, so that a replay and a collector cannot differ. Nothing stored is
read or written. `rejudge` takes rows of the report `calls`. What they do not hold, such as the caller's address, no
policy can ask for: such a call becomes unknown, never allowed or denied.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa

from bindtrace.propagation.manifest import Manifest
from bindtrace.propagation.vocabulary import REASONS
from bindtrace.queries.analyse import analyse
from bindtrace.queries.database import open_database
from bindtrace.queries.policy import install_policy

Row = Mapping[str, Any]

CLIENT, SERVER, PRODUCER, CONSUMER = 3, 2, 4, 5
_LOCAL, _REMOTE = 0x100, 0x300
_CALLER_SPAN, _CALLEE_SPAN = 1, 2
_SOMEWHERE: Final = "8.8.8.8"
"""Any address of the internet, as the client of a call that came from outside."""
_CERTIFICATE: Final = "0" * 64
"""Any certificate, where it is known that there was one."""
_SCHEMES: Final = {"plaintext": "http", "tls": "https", "mtls": "https"}
FEW: Final = 10_000
"""Calls for which threads cost more than they bring (one call: 0.36 s of two cores, 0.26 s of one)."""
_BEYOND_POLICY: Final = frozenset(
    reason for name, reasons in REASONS.items() if name not in ("allowed", "grant") for reason in reasons
)
"""A receiver's refusal for the credential's own faults: no manifest would have changed it."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a policy says of a call, and the line that says it."""

    verdict: str
    reason: str
    file: str | None = None
    line: int | None = None


def rejudge(calls: Sequence[Row], manifests: Sequence[Manifest]) -> list[Judged]:
    """Each call as these manifests judge it, in the same order."""
    con = open_database(None)
    if len(calls) < FEW:
        con.execute("set threads = 1")
    try:
        install_policy(con, manifests)
        _draw(con, calls)
        analyse(con)
        return _judged(con, calls)
    finally:
        con.close()


def _judged(con: duckdb.DuckDBPyConnection, calls: Sequence[Row]) -> list[Judged]:
    rows = con.execute(
        "select trace_id, verdict, reason, grant_file, grant_line from hops "
        f"where answered = (anchor_span_id = {_CALLEE_SPAN})"
    ).fetchall()
    found = {row[0].int - 1: Judged(*row[1:]) for row in rows}
    return [
        Judged(call["verdict"], call["reason"])
        if call.get("reason") in _BEYOND_POLICY
        else found.get(number, Judged("unknown", "callee_unknown"))
        for number, call in enumerate(calls)
    ]


def _draw(con: duckdb.DuckDBPyConnection, calls: Sequence[Row]) -> None:
    resources: dict[str, dict[str, Any]] = {}
    spans = [span for number, call in enumerate(calls) for span in _spans(number, call, resources)]
    for table, rows in (("resources", list(resources.values())), ("spans", spans)):
        if rows:
            names = list(dict.fromkeys(name for row in rows for name in row))
            # By Arrow: bound lists took 70 us a value, 75 s for 20,000 calls.
            con.register("drawn", pa.table({name: [row.get(name) for row in rows] for name in names}))
            con.execute(f"insert into {table} by name select * from drawn")
            con.unregister("drawn")


def _spans(number: int, call: Row, resources: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The caller's span and the callee's, as far as the call has both."""
    start = int(call["last_seen"])
    message = call["kind"] == "message"
    common = {
        "trace_id": str(uuid.UUID(int=number + 1)),
        "start_time_unix_nano": start,
        "end_time_unix_nano": start + 1000,
        "received_unix_nano": start,
        "instrumentation_scope_id": str(uuid.UUID(int=0)),
        "load_id": 1,
        "status_code": 0,
        "dropped_attributes_count": 0,
        "dropped_events_count": 0,
        "dropped_links_count": 0,
        "http_method": call.get("method"),
        "url_path": call.get("path"),
        "url_scheme": _SCHEMES.get(str(call.get("protection"))),
    }
    if call["caller"] is not None:
        yield common | {
            "span_id": _CALLER_SPAN,
            "flags": _LOCAL,
            "name": "call",
            "kind": PRODUCER if message else CLIENT,
            "server_host": call.get("host"),
            "db_system": call["callee"] if call["kind"] == "database" else None,
            "messaging_system": "any" if message else None,
            "resource_id": _resource(resources, call, "caller"),
        }
    if call["kind"] == "call" or (message and call["callee"] is not None):
        yield common | {
            "span_id": _CALLEE_SPAN,
            "parent_span_id": None if call["caller"] is None else _CALLER_SPAN,
            "flags": _REMOTE,
            "name": "serve",
            "kind": CONSUMER if message else SERVER,
            "client_address": _SOMEWHERE if call.get("from_outside") else None,
            "server_host": None if call["caller"] is not None else call.get("host"),
            "peer_id": call.get("peer_caller"),
            "peer_cert_sha256": _CERTIFICATE if call.get("protection") == "mtls" else None,
            "verified_caller": call.get("verified_caller"),
            "resource_id": _resource(resources, call, "callee"),
        }


def _resource(resources: dict[str, dict[str, Any]], call: Row, side: str) -> str:
    service, environment, deployment = (call.get(f"{side}{part}") for part in ("", "_env", "_deployment"))
    scope = call.get("scope") if side == "callee" else call.get("caller_scope") or call.get("scope")
    content = json.dumps([service, scope, environment, deployment])
    name = str(uuid.UUID(bytes=hashlib.sha256(content.encode()).digest()[:16]))
    resources[name] = {
        "resource_id": name,
        "attributes": json.dumps({"service.name": service}),
        "dropped_attributes_count": 0,
        "load_id": 1,
        "service": service,
        "scope": scope,
        "environment": environment,
        "deployment": deployment,
    }
    return name
