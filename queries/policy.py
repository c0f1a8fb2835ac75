"""Puts what manifests declare into the database's tables; never reads a manifest itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Final

import duckdb

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.manifest import (
    Accepted,
    AddressRange,
    DeclaredService,
    Default,
    Exposure,
    Grant,
    Host,
    Manifest,
    Match,
    Probe,
)

_PARTS: Final[Mapping[str, tuple[str, type, bool]]] = {
    "services": ("services", DeclaredService, True),
    "grants": ("grants", Grant, True),
    "defaults": ("defaults", Default, True),
    "exposures": ("exposures", Exposure, True),
    "hosts": ("hosts", Host, False),
    "address_ranges": ("ranges", AddressRange, False),
    "probes": ("probes", Probe, False),
    "service_matches": ("matches", Match, False),
    "exceptions": ("accepted", Accepted, False),
}
"""Table: the part of a manifest it holds, whose fields are its columns, and whether each row has the revision."""

_TABLES: Final = ("manifests", *_PARTS)


def install_policy(con: duckdb.DuckDBPyConnection, manifests: Sequence[Manifest]) -> None:
    """Makes these manifests the policy in force, in place of the former ones, in one transaction."""
    con.execute("begin")
    try:
        for table in _TABLES:
            con.execute(f"delete from {table}")
        con.execute("delete from meta where key = 'scope'")
        scopes = {manifest.scope for manifest in manifests if manifest.scope}
        if len(scopes) == 1:
            # Telemetry that does not say its scope is of the only one there is; of several it may be of any.
            con.execute("insert into meta values ('scope', ?)", [*scopes])
        for manifest in manifests:
            _install(con, manifest)
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise


def policy_digest(con: duckdb.DuckDBPyConnection) -> str:
    """Digest of the policy in force: hops judged under another one are judged anew."""
    # The time of loading is left out: the same files read again are the same policy.
    contents = [
        con.execute(f"select columns(c -> c <> 'loaded_unix_nano') from {table} order by all").fetchall()
        for table in _TABLES
    ]
    return hashlib.sha256(json.dumps(contents, default=str).encode()).hexdigest()[:32]


def _install(con: duckdb.DuckDBPyConnection, manifest: Manifest) -> None:
    m = manifest
    read = (m.revision, m.platform, m.scope, m.file, now_unix_nano(), m.deployment, m.max_hops)
    insert_rows(con, "manifests", [read])
    for table, (part, kind, revised) in _PARTS.items():
        names = [field.name for field in fields(kind)]
        own = (manifest.revision,) if revised else ()
        rows = [(*own, *(getattr(row, name) for name in names)) for row in getattr(manifest, part)]
        columns = ", ".join([*(["revision"] if revised else []), *names])
        insert_rows(con, f"{table} ({columns})", rows)


def insert_rows(con: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Sequence[object]]) -> None:
    """Inserts a few rows of plain values; one statement, since `executemany` pays for each row."""
    if columns := [list(column) for column in zip(*rows, strict=True)]:
        marks = ", ".join("unnest(?)" for _ in columns)
        con.execute(f"insert into {table} select {marks}", columns)
