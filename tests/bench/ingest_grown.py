"""Whether storing is as fast beside much as beside little: two databases, new spans in turn. Measures only."""

from __future__ import annotations

import resource
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import duckdb
from ingest_bodies import Stamped, prepared

from bindtrace.collector.journal.record import Request
from bindtrace.collector.journal.segment import JournalWriter
from bindtrace.collector.store.loader import Loader
from bindtrace.collector.store.opening import journal_of
from bindtrace.collector.store.writer import Writer
from bindtrace.queries.analyse import analyse
from bindtrace.queries.database import cursor, open_database

SPANS = 512
GROUP = 158
"""Requests of one load that fills two row groups."""
STEP = GROUP * SPANS
"""Spans of one turn."""
_TABLES = ("spans", "hops", "traces", "requests")


class Turn(NamedTuple):
    """CPU seconds: clocks tell more of the neighbours than of us."""

    storing: float
    analysis: float


class Grown:
    """A database of about so many spans with their hops; `turn` stores `STEP` more and says what it cost."""

    def __init__(self, db: Path, spans: int, sender: int) -> None:
        self._db = db
        self._bodies = iter(Stamped(prepared(sender, SPANS), sender))
        self._con = open_database(db)
        self._con.execute("set threads = 1")
        base = min(spans, 500_000)
        writer = Writer(cursor(self._con))
        for _ in range(max(1, base // (GROUP * SPANS))):
            writer.write([stored_request(next(self._bodies)) for _ in range(GROUP)])
        analyse(cursor(self._con))
        self._multiply(spans)
        self._con.execute("checkpoint")
        self._loader = Loader(cursor(self._con), journal_of(db))
        self._analysis = cursor(self._con)

    @property
    def spans(self) -> int:
        """How many are stored."""
        return int(self._con.execute("select count(*) from spans").fetchall()[0][0])

    def turn(self) -> Turn:
        """From the journal to rows and a checkpoint, and from there to hops."""
        journal = JournalWriter(journal_of(self._db) / uuid.uuid4().hex)
        for _ in range(0, STEP, GROUP * SPANS):
            journal.append([stored_request(next(self._bodies)) for _ in range(GROUP)])
        journal.close()
        began = _cpu_s()
        while self._loader.step():
            pass
        self._loader.checkpoint()
        stored = _cpu_s()
        analyse(self._analysis)
        return Turn(stored - began, _cpu_s() - stored)

    def close(self) -> None:
        self._con.close()

    def _multiply(self, spans: int) -> None:
        """Copies all that is there under other trace ids and earlier loads, until there is enough."""
        have, newest = self.spans, self._newest()
        for number in range(1, max(1, round(spans / have))):
            self._con.execute("begin")
            for table in _TABLES:
                self._con.execute(_copy(self._con, table), {"number": number, "newest": newest})
            self._con.execute("update analysis set load_id = load_id + $1", [newest])
            self._con.execute("commit")
            if number % 4 == 0:
                self._con.execute("checkpoint")

    def _newest(self) -> int:
        return int(self._con.execute("select max(load_id) from spans").fetchall()[0][0])


def _copy(con: duckdb.DuckDBPyConnection, table: str) -> str:
    """Inserts what the first loads brought once more; every id that names a trace or a request is another one."""
    columns = [row[0] for row in con.execute(f"describe {table}").fetchall()]
    others = {
        "trace_id": "md5(trace_id::varchar || $number::varchar)::uuid",
        "digest": "md5(digest::varchar || $number::varchar)::uuid",
        **{
            name: f"({name} + $number * $newest)::ubigint"
            for name in ("load_id", "first_load_id", "last_load_id")
        },
    }
    taken = ", ".join(f"{others[name]} as {name}" if name in others else name for name in columns)
    first = {"spans": "load_id <= $newest", "traces": "last_load_id <= $newest"}.get(table, "rowid < $first")
    if "$first" in first:
        con.execute(f"create temp table if not exists first_{table} as select count(*) as rows from {table}")
        first = f"rowid < (select rows from first_{table})"
    # every parameter must stand in the statement
    return (
        f"insert into {table} by name select {taken} from {table} "
        f"where {first} and $number > 0 and $newest > 0"
    )


@contextmanager
def grown(folder: Path, spans: int, sender: int) -> Iterator[Grown]:
    """Made in the folder, and closed at the end."""
    made = Grown(folder / f"{sender}.duckdb", spans, sender)
    try:
        yield made
    finally:
        made.close()


def stored_request(body: bytes) -> Request:
    """One that a journal or a writer takes, under a digest of its own."""
    return Request("bench/sdk", "http", "protobuf", 1, uuid.uuid4().bytes, SPANS, body)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
