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
from bindtrace.collector.store.gate import Gate
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.durable import sync_path
from bindtrace.queries.database import ROW_GROUP_SIZE, attach_lake
from bindtrace.queries.lake.loss import check_place, newest_seal
from bindtrace.queries.lake.naming import LakeRefusal
from bindtrace.queries.lake.place import lake_of
from bindtrace.queries.lake.refusals import LakeAwayError
from bindtrace.queries.lake.sealing import due, forget, newest_load, reconcile, seal
from bindtrace.queries.lake.upkeep import STEPS, Step, Upkeep, alone, newest_files

SEAL_SPANS: Final = 2 * ROW_GROUP_SIZE
"""Of one seal, about: 82,000 are sorted in 384 MiB; 160,000 went by way of the disk, for 16 us a span more."""
SEAL_AFTER_S: Final = 3600
LONGEST_PAUSE_S: Final = 60.0
REMEMBERED_NANO: Final = 2 * 86_400 * 10**9
"""So long a sealed trace is known by its id to the file; a span that comes later is told by its own start."""
RETRY_S: Final = 5.0
LONGEST_REST_S: Final = 5.0
_BY_ANOTHER: Final = "Transaction conflict"
"""Two collectors changed one table at once: one of them does it again."""
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
    """Seals through a connection of its own, of a database that has its lake beside it.

    `away` says why the lake is not attached yet: it is tried again. Until it is there, and while nobody knows whether
    it has what was just written, the gate is in doubt.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        plan: SealingPlan,
        gate: Gate,
        away: LakeAwayError | None = None,
    ) -> None:
        lake = lake_of(con)
        assert lake is not None, "only a database with a lake has a sealer"
        self.sealed_spans = 0
        self.failure = _told(away) if away else ""
        self.away = away is not None
        self._con = con
        self._plan = plan
        self._gate = gate
        self._lake = lake
        self._newest = newest_load(con)
        self._kept_up_s = time.monotonic()
        if away:
            gate.in_doubt = f"waits for the lake {lake.catalog}"

    def run(self, stop: threading.Event) -> None:
        """Until `stop`. Raises `duckdb.Error` where the database itself fails."""
        priority.lower(priority.SEALING)
        pause_s = min(LONGEST_PAUSE_S, self._plan.after_nano / 4e9)
        while not stop.wait(RETRY_S if self._gate.in_doubt else pause_s):
            self.once(stop)

    def once(self, stop: threading.Event) -> int:
        """All that is due now, in steps. Returns how many spans went into the lake."""
        before = self.sealed_spans
        if self._gate.in_doubt and not self._settle():
            return 0
        began_s = time.monotonic()
        while not stop.is_set() and self._step():
            # as long as it took: others wait for the gate, and a lock has no order among those who do
            stop.wait(min(LONGEST_REST_S, time.monotonic() - began_s))
            began_s = time.monotonic()
        if self._gate.in_doubt or stop.is_set():
            return self.sealed_spans - before
        if time.monotonic() - self._kept_up_s >= self._plan.upkeep_s:
            self._kept_up_s = time.monotonic()
            self.keep_up(stop)
        return self.sealed_spans - before

    def keep_up(self, stop: threading.Event) -> None:
        """Drops what is too old, merges small files, removes those that nobody reads; of a shared lake, one at a time.

        Faults of the lake are logged.
        """
        now = now_unix_nano()
        with self._gate:
            forget(self._con, now - REMEMBERED_NANO)
        try:
            with alone(self._con) as free:
                for step in STEPS if free else ():
                    if not stop.is_set():
                        self._do(step, now)
        except duckdb.Error as error:
            log.warning("event=lake_upkeep_failed reason=%r", one_line(error))

    def _do(self, step: Step, now_unix_nano: int) -> None:
        try:
            step(self._con, now_unix_nano, self._plan.upkeep)
        except duckdb.Error as error:
            log.warning("event=lake_upkeep_failed step=%s reason=%r", step.__name__, one_line(error))

    def _step(self) -> int:
        began_s = time.monotonic()
        now = now_unix_nano()
        closed = now - self._plan.after_nano
        with self._gate:
            upto = due(self._con, max(0, closed), max(0, closed - self._plan.after_nano), SEAL_SPANS)
            if upto is None or not self._reachable():
                return 0
            try:
                moved = seal(self._con, upto, now, self._sync).spans
                self.failure = ""
            except duckdb.Error as error:
                self._report(error)
                self._gate.in_doubt = f"waits for the lake {self._lake.catalog}: does it have the last seal?"
        if self._gate.in_doubt:
            return self._settle()
        if moved:
            self.sealed_spans += moved
            log.info(
                "event=sealed spans=%d upto=%d took_ms=%d", moved, upto, (time.monotonic() - began_s) * 1000
            )
        return moved

    def _reachable(self) -> bool:
        """Whether the lake answers: where its catalog is away, nothing is begun, and nothing is in doubt."""
        try:
            check_place(self._lake, newest_seal(self._con))
            self._con.execute("select 1 from lake.main.sealed limit 1").fetchall()
        except (duckdb.Error, LakeRefusal) as error:
            self._report(error)
            return False
        return True

    def _settle(self) -> int:
        """Asks the lake what it has. Returns the spans that turn out to be sealed; the doubt goes where it answers."""
        try:
            if self.away:
                attach_lake(self._con)
                self.away = False
            with self._gate:
                moved = reconcile(self._con, self._newest).spans
                self._gate.in_doubt = self.failure = ""
        except (duckdb.Error, LakeRefusal) as error:
            self._report(error)
            return 0
        self.sealed_spans += moved
        return moved

    def _report(self, error: duckdb.Error | LakeRefusal) -> None:
        if _BY_ANOTHER in str(error):
            log.info("event=seal_put_off reason=%r", one_line(error))
        elif not self.failure:
            log.error("event=seal_failed reason=%r", one_line(error))
        self.failure = _told(error)

    def _sync(self) -> None:
        """The lake's new files are on the disk before the rows leave the database: DuckDB syncs its own files only."""
        for name in newest_files(self._con, self._lake):
            with contextlib.suppress(FileNotFoundError):
                for path in (Path(name), Path(name).parent):
                    sync_path(path)


def _told(error: duckdb.Error | LakeRefusal) -> str:
    """With the way out, where one is known."""
    return f"{error.message} (fix: {error.fix})" if isinstance(error, LakeRefusal) else one_line(error)
