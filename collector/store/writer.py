"""Puts requests into the database, each once, with all that must be stored in the same transaction. Never analyses.

The only code that inserts telemetry: the loader, `bindtrace import` and `bindtrace check` all write by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final
from uuid import UUID

import duckdb
import pyarrow as pa

from bindtrace.collector.journal.record import Request
from bindtrace.collector.otlp.columnar import to_tables
from bindtrace.collector.otlp.tables import REQUESTS, Refused, Tables, table, with_load
from bindtrace.collector.store import accounting
from bindtrace.collector.store.ahead import Decoded, unique
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.queries.transaction import transaction

REMEMBERED: Final = 500_000
"""Digests held in memory, about 70 MB when full; exporters send again within minutes."""
REMEMBERED_NANO: Final = 24 * 3600 * 10**9


@dataclass(frozen=True, slots=True)
class Written:
    """What became of some requests; `refused` ones could not be decoded and are nowhere."""

    spans: int
    duplicate_spans: int
    duplicate_requests: int
    refused: tuple[Refused, ...]


class Writer:
    """Writes through one connection, which nobody else uses meanwhile. `load_id` is the last load's."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        self.load_id = self._newest_load()
        self._resources = self._ids("resources", "resource_id")
        self._scopes = self._ids("instrumentation_scopes", "instrumentation_scope_id")
        self._digests: dict[bytes, None] = {}
        self._remember(self._recent_digests())

    def write(
        self,
        requests: Sequence[Request],
        positions: Mapping[UUID, int] | None = None,
        before_commit: Callable[[Sequence[Refused]], None] | None = None,
        decoded: Decoded | None = None,
    ) -> Written:
        """One transaction: rows, digests, and how far each journal segment is loaded with them.

        A request that was loaded before, or comes twice, changes nothing. `before_commit` is given the requests
        that cannot be decoded. `decoded` saves the decoding, and the bodies; all of its requests must be new
        (`are_new`). Raises `duckdb.Error`, and what `before_commit` raises, with nothing written.
        """
        requests, records = accounting.split(requests)
        fresh = self._fresh(requests)
        tables = self._tables(fresh, decoded)
        refused = {id(entry.request) for entry in tables.refused}
        loaded = [request for request in fresh if id(request) not in refused]
        resources = _without(tables.resources, "resource_id", self._resources)
        scopes = _without(tables.instrumentation_scopes, "instrumentation_scope_id", self._scopes)
        with transaction(self._con):
            self._insert("resources", resources)
            self._insert("instrumentation_scopes", scopes)
            self._insert("spans", tables.spans)
            self._insert("trace_links", tables.trace_links)
            self._insert("requests", _digest_rows(loaded))
            accounting.store(self._con, records)
            accounting.store_again(self._con, _not_in(requests, fresh))
            self._store_positions(positions or {})
            if before_commit is not None:
                before_commit(tables.refused)
        self._settle(tables, loaded, resources, scopes)
        again = sum(request.spans for request in requests) - sum(request.spans for request in fresh)
        return Written(tables.spans.num_rows, again, len(requests) - len(fresh), tables.refused)

    def are_new(self, requests: Sequence[Request]) -> bool:
        """Whether none of them was loaded, as far as is remembered."""
        return not any(request.digest in self._digests for request in requests)

    def loaded_before(self, digests: Sequence[bytes]) -> set[bytes]:
        """Those of the digests that were ever loaded; asks the whole table, not only what is remembered."""
        known = self._con.execute(
            "select distinct digest from requests where digest in (select unnest($1::uuid[]))",
            [[UUID(bytes=digest) for digest in digests]],
        ).fetchall()
        return {digest.bytes for (digest,) in known}

    def forget_positions(self, keep: Iterable[UUID]) -> None:
        """Removes the positions of segments that are no more; `keep` are those that are."""
        with transaction(self._con):
            self._con.execute(
                "delete from journal_positions where segment_id not in (select unnest($1::uuid[]))",
                [list(keep)],
            )

    def forget_orphans(self) -> int:
        """Removes resources and scopes that no span names any more; returns how many. One that comes again is stored.

        Call it where this writer writes, in between: what it remembers and what is stored then stay the same.
        """
        before = len(self._resources) + len(self._scopes)
        with transaction(self._con):
            for table, column in (
                ("resources", "resource_id"),
                ("instrumentation_scopes", "instrumentation_scope_id"),
            ):
                self._con.execute(
                    f"delete from {table} where {column} not in (select distinct {column} from spans)"
                )
        self._resources = self._ids("resources", "resource_id")
        self._scopes = self._ids("instrumentation_scopes", "instrumentation_scope_id")
        return before - len(self._resources) - len(self._scopes)

    def positions(self) -> dict[UUID, int]:
        """How far each journal segment is loaded."""
        return dict(self._con.execute("select segment_id, position from journal_positions").fetchall())

    def _tables(self, fresh: Sequence[Request], decoded: Decoded | None) -> Tables:
        if decoded is None:
            return to_tables(fresh, self.load_id + 1)
        if list(decoded.requests) != fresh:
            raise ValueError("what was decoded is not what is to be written")
        return with_load(decoded.tables, self.load_id + 1)

    def _fresh(self, requests: Sequence[Request]) -> list[Request]:
        return [request for request in unique(requests) if request.digest not in self._digests]

    def _settle(
        self, tables: Tables, loaded: Sequence[Request], resources: pa.Table, scopes: pa.Table
    ) -> None:
        """What is committed is known from now on."""
        self._resources.update(_bytes_of(resources, "resource_id"))
        self._scopes.update(_bytes_of(scopes, "instrumentation_scope_id"))
        self._remember(request.digest for request in loaded)
        if tables.spans.num_rows or resources.num_rows:
            self.load_id += 1

    def _remember(self, digests: Iterable[bytes]) -> None:
        self._digests.update(dict.fromkeys(digests))
        for oldest in list(islice(self._digests, max(0, len(self._digests) - REMEMBERED))):
            del self._digests[oldest]

    def _insert(self, name: str, rows: pa.Table) -> None:
        if rows.num_rows:
            # Of several chunks several threads would each make row groups of their own: 176 B/span against 118.
            chunks = max(column.num_chunks for column in rows.columns)
            self._con.register(
                "rows_to_insert", rows.combine_chunks() if chunks > 1 and self._threads() > 1 else rows
            )
            try:
                self._con.execute(f"insert into {name} by name select * from rows_to_insert")
            finally:
                self._con.unregister("rows_to_insert")

    def _threads(self) -> int:
        """A setting of the whole database, which may change."""
        (threads,) = self._con.execute("select current_setting('threads')").fetchone() or (1,)
        return int(threads)

    def _store_positions(self, positions: Mapping[UUID, int]) -> None:
        if positions:
            segments, offsets = list(positions), list(positions.values())
            self._con.execute(
                "delete from journal_positions where segment_id in (select unnest($1::uuid[]))", [segments]
            )
            self._con.execute(
                "insert into journal_positions select unnest($1::uuid[]), unnest($2::ubigint[])",
                [segments, offsets],
            )

    def _newest_load(self) -> int:
        found = self._con.execute(
            """
            select greatest(
                (select coalesce(max(load_id), 0) from spans),
                (select coalesce(max(load_id), 0) from resources),
                (select coalesce(max(load_id), 0) from trace_links),
                (select coalesce(max(load_id), 0) from analysis)
            )
            """
        ).fetchone()
        return int(found[0]) if found else 0

    def _ids(self, name: str, column: str) -> set[bytes]:
        return {row[0].bytes for row in self._con.execute(f"select {column} from {name}").fetchall()}

    def _recent_digests(self) -> list[bytes]:
        """Oldest first, so that the oldest are forgotten first."""
        rows = self._con.execute(
            "select digest from requests where received_unix_nano >= ? order by received_unix_nano desc limit ?",
            [max(0, now_unix_nano() - REMEMBERED_NANO), REMEMBERED],
        ).fetchall()
        return [row[0].bytes for row in reversed(rows)]


def _not_in(requests: Sequence[Request], fresh: Sequence[Request]) -> list[Request]:
    """By identity: a request that comes twice in one load is once among the fresh."""
    kept = {id(request) for request in fresh}
    return [request for request in requests if id(request) not in kept]


def _without(rows: pa.Table, column: str, known: set[bytes]) -> pa.Table:
    return rows.filter(pa.array([value not in known for value in _bytes_of(rows, column)], pa.bool_()))


def _bytes_of(rows: pa.Table, column: str) -> list[bytes]:
    return [value for chunk in rows[column].chunks for value in chunk.storage.to_pylist()]


def _digest_rows(requests: Sequence[Request]) -> pa.Table:
    return table(REQUESTS, [(request.digest, request.received_unix_nano) for request in requests])
