"""Puts what manifests declare into the database's tables; never reads a manifest itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Final

import duckdb
import pyarrow as pa

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
from bindtrace.queries import stored_policies
from bindtrace.queries.transaction import transaction

_REVISED: Final[Mapping[str, tuple[str, type]]] = {
    "service_revisions": ("services", DeclaredService),
    "grant_revisions": ("grants", Grant),
    "default_revisions": ("defaults", Default),
    "exposure_revisions": ("exposures", Exposure),
}
"""Table: the part of a manifest that it keeps of every revision, whose fields are its columns."""

_CURRENT: Final[Mapping[str, tuple[str, type]]] = {
    "hosts": ("hosts", Host),
    "address_ranges": ("ranges", AddressRange),
    "probes": ("probes", Probe),
    "service_matches": ("matches", Match),
    "exceptions": ("accepted", Accepted),
}
"""The same for what only the manifests in force are asked for: names and places, and what was accepted."""

_POLICIES: Final = "policy_revisions"
_TABLES: Final = ("manifests", _POLICIES, *_REVISED, *_CURRENT)


def install_policy(
    con: duckdb.DuckDBPyConnection, manifests: Sequence[Manifest], at_unix_nano: int | None = None
) -> None:
    """Makes these manifests the policy in force from `at_unix_nano` (now) on, in one transaction.

    Revisions that are no longer given end then and stay, since calls of their time are judged by them. A file of which
    nothing older is known counts from the beginning.
    """
    at = now_unix_nano() if at_unix_nano is None else at_unix_nano
    with transaction(con):
        for table in _CURRENT:
            con.execute(f"delete from {table}")
        for table in (_POLICIES, *_REVISED):
            # The same bytes may be read better than last time.
            con.execute(
                f"delete from {table} where revision in (select unnest(?))", [[m.revision for m in manifests]]
            )
        con.execute("delete from meta where key = 'scope'")
        scopes = {manifest.scope for manifest in manifests if manifest.scope}
        if len(scopes) == 1:
            # Telemetry that does not say its scope is of the only one there is; of several it may be of any.
            con.execute("insert into meta values ('scope', ?)", [*scopes])
        _put_in_force(con, manifests, at)
        for manifest in manifests:
            _install(con, manifest)
        con.execute("delete from meta where key = 'policy'")
        con.execute("insert into meta values ('policy', ?)", [_digest(con)])


def policy_digest(con: duckdb.DuckDBPyConnection) -> str:
    """Digest of the policy, past and in force: hops judged under another one are judged anew."""
    row = con.execute("select value from meta where key = 'policy'").fetchone()
    return str(row[0]) if row else ""


def _digest(con: duckdb.DuckDBPyConnection) -> str:
    # The time of loading is left out: the same files read again are the same policy.
    contents = [
        con.execute(f"select columns(c -> c <> 'loaded_unix_nano') from {table} order by all").fetchall()
        for table in _TABLES
    ]
    return hashlib.sha256(json.dumps(contents, default=str).encode()).hexdigest()[:32]


def _put_in_force(con: duckdb.DuckDBPyConnection, manifests: Sequence[Manifest], at: int) -> None:
    """Ends the revisions that are no longer given, and begins those that are new."""
    given = {(m.file, m.platform, m.scope, m.revision): m for m in manifests}
    rows = con.execute(
        "select file, platform, scope, revision, in_force_until_unix_nano from manifests"
    ).fetchall()
    known = {(file, platform) for file, platform, *_ in rows}
    open_ = {tuple(row[:4]) for row in rows if row[4] is None}
    for key, manifest in given.items():
        if key in open_:
            continue
        moved = next((old for old in open_ if old not in given and old[1:] == key[1:]), None)
        if moved is not None:
            con.execute(
                "update manifests set file = ? where file = ? and revision = ? and in_force_until_unix_nano is null",
                [manifest.file, moved[0], manifest.revision],
            )
            open_ -= {moved}
            continue
        since = at if key[:2] in known else 0
        read = (manifest.revision, manifest.platform, manifest.scope, manifest.file, at)
        insert_rows(con, "manifests", [(*read, manifest.deployment, manifest.max_hops, since, None)])
    for file, platform, scope, revision in open_ - set(given):
        con.execute(
            """
            update manifests set in_force_until_unix_nano = ?
            where file = ? and platform = ? and scope = ? and revision = ? and in_force_until_unix_nano is null
            """,
            [at, file, platform, scope, revision],
        )


def _install(con: duckdb.DuckDBPyConnection, manifest: Manifest) -> None:
    for table, (part, kind) in {**_REVISED, **_CURRENT}.items():
        names = [field.name for field in fields(kind)]
        own = {"revision": manifest.revision} if table in _REVISED else {}
        rows = [(*own.values(), *(getattr(row, name) for name in names)) for row in getattr(manifest, part)]
        insert_rows(con, f"{table} ({', '.join([*own, *names])})", rows)
    insert_rows(con, f"{_POLICIES} ({stored_policies.COLUMNS})", stored_policies.rows_of(manifest))


def insert_rows(con: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Sequence[object]]) -> None:
    """Inserts rows of plain values; by Arrow, since bound lists take half a millisecond a row."""
    if columns := [_column(column) for column in zip(*rows, strict=True)]:
        con.register(_ROWS, pa.table(columns, names=[str(place) for place in range(len(columns))]))
        try:
            con.execute(f"insert into {table} select * from {_ROWS}")
        finally:
            con.unregister(_ROWS)


_ROWS: Final = "rows_to_insert"


def _column(values: Sequence[object]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        # an id, or values of two kinds: DuckDB casts text to what the column is, or says what is wrong
        return pa.array([None if value is None else str(value) for value in values])
