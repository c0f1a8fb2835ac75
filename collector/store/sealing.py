"""Seals closed traces into the lake, a bounded number at a time; keeps the lake small and its files few.

Runs in a thread of storage. A seal holds `gate`, which keeps analysis and checkpoints away; loading goes on.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import duckdb

from bindtrace.collector.store import priority
from bindtrace.collector.store.faults import one_line
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.durable import sync_path
from bindtrace.queries.database import ROW_GROUP_SIZE
from bindtrace.queries.lake.place import lake_of
from bindtrace.queries.lake.sealing import due, forget, reconcile, seal
from bindtrace.queries.lake.upkeep import STEPS, Upkeep, newest_files

SEAL_SPANS: Final = 2 * ROW_GROUP_SIZE
"""Of one seal, about: 82,000 are sorted in 384 MiB; 160,000 went by way of the disk, for 16 us a span more."""
SEAL_AFTER_S: Final = 3600
LONGEST_PAUSE_S: Final = 60.0
REMEMBERED_NANO: Final = 2 * 86_400 * 10**9
"""So long a sealed trace is known by its id to the file; a span that comes later is told by its own start."""
RETRY_S: Final = 5.0
LONGEST_REST_S: Final = 5.0
UPKEEP_S: Final = 600.0
log = logging.getLogger("bindtrace.store")


@dataclass(frozen=True, slots=True)
class SealingPlan:
    """`after_nano`: a trace is sealed when nothing came of it for so long. `upkeep`: what stays how long."""

    after_nano: int
    upkeep: Upkeep = field(default_factory=Upkeep)

    @property
    def upkeep_s(self) -> float:
        """How often it is done."""
        return min(UPKEEP_S, self.after_nano / 1e9)


class Sealer:
    """Seals through a connection of its own, of a database that has its lake beside it."""

    def __init__(self, con: duckdb.DuckDBPyConnection, plan: SealingPlan, gate: threading.Lock) -> None:
        lake = lake_of(con)
        assert lake is not None, "only a database with a lake has a sealer"
        self.sealed_spans = 0
        self.failure = ""
        self._con = con
        self._plan = plan
        self._gate = gate
        self._lake = lake
        self._kept_up_s = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Until `stop`. Raises `duckdb.Error` where the database itself fails."""
        priority.lower(priority.ANALYSIS)
        pause_s = min(LONGEST_PAUSE_S, self._plan.after_nano / 4e9)
        while not stop.wait(pause_s):
            self.once(stop)

    def once(self, stop: threading.Event) -> int:
        """All that is due now, in steps. Returns how many spans went into the lake."""
        before = self.sealed_spans
        began_s = time.monotonic()
        while not stop.is_set() and self._step(stop):
            # as long as it took: others wait for the gate, and a lock has no order among those who do
            stop.wait(min(LONGEST_REST_S, time.monotonic() - began_s))
            began_s = time.monotonic()
        if not stop.is_set() and time.monotonic() - self._kept_up_s >= self._plan.upkeep_s:
            self._kept_up_s = time.monotonic()
            self.keep_up(stop)
        return self.sealed_spans - before

    def keep_up(self, stop: threading.Event) -> None:
        """Drops what is too old, merges small files, removes those that nobody reads. Faults of the lake are logged."""
        now = now_unix_nano()
        with self._gate:
            forget(self._con, now - REMEMBERED_NANO)
        for step in STEPS:
            if stop.is_set():
                return
            try:
                step(self._con, now, self._plan.upkeep)
            except duckdb.Error as error:
                log.warning("event=lake_upkeep_failed step=%s reason=%r", step.__name__, one_line(error))

    def _step(self, stop: threading.Event) -> int:
        began_s = time.monotonic()
        now = now_unix_nano()
        closed = now - self._plan.after_nano
        with self._gate:
            upto = due(self._con, max(0, closed), max(0, closed - self._plan.after_nano), SEAL_SPANS)
            if upto is None or not self._reachable():
                return 0
            moved = self._seal(upto, now, stop)
        if moved:
            self.sealed_spans += moved
            log.info(
                "event=sealed spans=%d upto=%d took_ms=%d", moved, upto, (time.monotonic() - began_s) * 1000
            )
        return moved

    def _reachable(self) -> bool:
        """Whether the lake answers: where its catalog is away, nothing is begun, and the gate is free."""
        try:
            self._con.execute("select 1 from lake.main.sealed limit 1").fetchall()
        except duckdb.Error as error:
            self._report(error)
            return False
        return True

    def _seal(self, upto: int, now: int, stop: threading.Event) -> int:
        """While nobody knows whether the lake has them, these traces are not to be touched: the gate stays closed."""
        try:
            moved = seal(self._con, upto, now, self._sync).spans
            self.failure = ""
            return moved
        except duckdb.Error as error:
            self._report(error)
        while True:
            try:
                return reconcile(self._con).spans
            except duckdb.Error as error:
                self._report(error)
            if stop.wait(RETRY_S):
                return 0

    def _report(self, error: duckdb.Error) -> None:
        if not self.failure:
            log.error("event=seal_failed reason=%r", one_line(error))
        self.failure = one_line(error)

    def _sync(self) -> None:
        """The lake's new files are on the disk before the rows leave the database: DuckDB syncs its own files only."""
        for name in newest_files(self._con, self._lake):
            with contextlib.suppress(FileNotFoundError):
                for path in (Path(name), Path(name).parent):
                    sync_path(path)
