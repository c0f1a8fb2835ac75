"""Recorded telemetry into a database that this process opens itself: no journal, no collector, same rows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from bindtrace.collector.reading import Piece, grouped
from bindtrace.collector.redact.salt import salt_path
from bindtrace.collector.redact.walk import use_salt
from bindtrace.collector.store.drain import drain
from bindtrace.collector.store.loader import GROUP_SPANS
from bindtrace.collector.store.writer import Writer
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.manifest import Manifest
from bindtrace.queries.analyse import analyse, cores
from bindtrace.queries.database import join_lake, open_database
from bindtrace.queries.lock import acquire
from bindtrace.queries.policy import install_policy


@dataclass(slots=True)
class Outcome:
    """What became of the spans of some files; `reasons` are why spans were rejected."""

    spans: int = 0
    duplicates: int = 0
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)

    def rejects(self, piece: Piece) -> None:
        self.rejected += piece.rejected
        if piece.message and piece.message not in self.reasons:
            self.reasons.append(piece.message)


@contextlib.contextmanager
def held_database(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The database of a stopped collector, or a new one, held for the block, with its journal stored first.

    Raises `Refusal` where a running collector has it.
    """
    drain(path)
    lock = acquire(path)
    try:
        use_salt(salt_path(path))
        con = open_database(path)
        try:
            join_lake(con)
            yield con
        finally:
            con.close()
    finally:
        lock.release()


def store(
    con: duckdb.DuckDBPyConnection, pieces: Iterable[Piece], manifests: Sequence[Manifest] | None = None
) -> Outcome:
    """Writes what was not stored before, and analyses. `manifests` become the policy in force; None leaves it.

    Raises `Refusal`; groups that were written before stay, and storing them again is a no-op.
    """
    outcome = Outcome()
    if manifests is not None:
        install_policy(con, manifests)
    writer = Writer(con)
    for group in grouped(pieces, GROUP_SPANS):
        known = writer.loaded_before([piece.request.digest for piece in group])
        fresh = [piece.request for piece in group if piece.request.digest not in known]
        written = writer.write(fresh)
        if written.refused:
            raise Refusal(f"a request cannot be stored: {written.refused[0].reason}", fix="report this file")
        outcome.spans += written.spans
        outcome.duplicates += sum(piece.request.spans for piece in group) - written.spans
        for piece in group:
            outcome.rejects(piece)
    analyse(con, shares=cores(con))
    return outcome
