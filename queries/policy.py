"""Puts what manifests declare into the database's tables; never reads a manifest itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

import duckdb

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.manifest import Manifest

_TABLES = ("manifests", "services", "grants", "exposures", "hosts", "service_matches", "exceptions")


def install_policy(con: duckdb.DuckDBPyConnection, manifests: Sequence[Manifest]) -> None:
    """Makes these manifests the policy in force, in place of the former ones, in one transaction."""
    con.execute("begin")
    try:
        for table in _TABLES:
            con.execute(f"delete from {table}")
        con.execute("delete from meta where key = 'scope'")
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
    origin = (manifest.revision, manifest.platform, manifest.scope)
    if manifest.scope:
        con.execute("delete from meta where key = 'scope'")
        con.execute("insert into meta values ('scope', ?)", [manifest.scope])
    insert_rows(con, "manifests", [(*origin, manifest.file, now_unix_nano())])
    insert_rows(
        con, "services", [(*origin, s.service, s.exposure, s.file, s.line) for s in manifest.services]
    )
    insert_rows(
        con,
        "grants",
        [(*origin, g.environment, g.caller, g.callee, g.binding, g.file, g.line) for g in manifest.grants],
    )
    insert_rows(
        con,
        "exposures",
        [(*origin, x.service, x.source, x.pattern, x.file, x.line) for x in manifest.exposures],
    )
    insert_rows(con, "hosts", [(h.host, h.service, h.road) for h in manifest.hosts])
    insert_rows(con, "service_matches", [(m.service, m.role, m.attribute, m.value) for m in manifest.matches])
    insert_rows(
        con,
        "exceptions",
        [
            (a.rule, a.caller, a.callee, a.reason, a.until_unix_nano, a.file, a.line)
            for a in manifest.accepted
        ],
    )


def insert_rows(con: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Sequence[object]]) -> None:
    """Inserts a few rows of plain values; one statement, since `executemany` pays for each row."""
    if columns := [list(column) for column in zip(*rows, strict=True)]:
        marks = ", ".join("unnest(?)" for _ in columns)
        con.execute(f"insert into {table} select {marks}", columns)
