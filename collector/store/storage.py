"""Storage as one value: the database, the threads that fill it, what may be asked of it, and what becomes of faults.

After a fatal error it asks its process to end: the next one opens the files anew. After a second one within ten
minutes, and while the disk is full, it stays and says that it is away, and the receivers go on into the journal.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from bindtrace.collector.journal import loaded
from bindtrace.collector.receive.room import JOURNAL_BYTES, RESERVE_BYTES, Room
from bindtrace.collector.store.balance import Balance
from bindtrace.collector.store.bounds import MEMORY_BYTES
from bindtrace.collector.store.faults import (
    AGAIN_NANO,
    Fault,
    failed_lately,
    fault_of,
    one_line,
    record,
    recorded,
)
from bindtrace.collector.store.lives import Life
from bindtrace.collector.store.loader import Loader
from bindtrace.collector.store.metrics import Facts, exposition, gauges
from bindtrace.collector.store.open_findings import OpenFindings
from bindtrace.collector.store.opening import journal_of, open_sound, set_aside
from bindtrace.collector.store.retention import Limits, Retention, checkpoint_bytes
from bindtrace.collector.store.sealing import SEAL_AFTER_S, Sealer, SealingPlan
from bindtrace.collector.store.work import Work
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.platforms import read_manifests
from bindtrace.queries.api.asking import within
from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import bound_memory, cursor, join_lake, reader
from bindtrace.queries.lake.naming import Lake
from bindtrace.queries.lake.refusals import LakeAwayError
from bindtrace.queries.lake.sealing import moved_spans
from bindtrace.queries.lock import holder
from bindtrace.queries.policy import install_policy
from bindtrace.queries.query import Query

NO_LIMITS = Limits()
SEALING = SealingPlan(SEAL_AFTER_S * 10**9)
log = logging.getLogger("bindtrace.store")


class Storage:
    """The database, the threads that fill it, and the questions that may be asked of it."""

    def __init__(
        self,
        db: Path,
        manifests: tuple[Path, ...],
        stop: threading.Event,
        limits: Limits = NO_LIMITS,
        reserve_bytes: int = RESERVE_BYTES,
        journal_bytes: int = JOURNAL_BYTES,
        memory_bytes: int = MEMORY_BYTES,
        lake: Lake | None = None,
        sealing: SealingPlan = SEALING,
    ) -> None:
        """`lake`: where closed traces are sealed; without one, where the database says it is, if it does.

        Raises `Refusal` for a database or manifest that cannot be used. `stop` is set when storage fails."""
        self.failure = ""
        self.damage = ""
        self.secured: list[str] = []
        self.room = Room(journal_of(db), journal_bytes=journal_bytes, reserve_bytes=reserve_bytes)
        self._db = db
        self._stop = stop
        self._limits = limits
        self._reserve_bytes = reserve_bytes
        self._journal_bytes = journal_bytes
        self._memory_bytes = memory_bytes
        self._lake = lake
        self._sealing = sealing
        self._started_unix_nano = now_unix_nano()
        self._policy = read_manifests(manifests)
        self._cursors = threading.Lock()
        self._failing = threading.Lock()
        self._spans = self._sealed = 0
        self._open = OpenFindings(lambda: self.run("findings", Query()))
        open_sound(db, self._use)

    def _use(self, con: duckdb.DuckDBPyConnection) -> None:
        """Reads all that loading needs, so that damage is met before anything is loaded."""
        self._con = con
        bound_memory(con, self._db, self._memory_bytes)
        sealed, away = self._joined(con)
        # Started without a manifest, a collector goes on judging by those that its database holds.
        if self._policy:
            install_policy(con, self._policy)
        self._files = [
            row[0]
            for row in con.execute(
                "select file from manifests where in_force_until_unix_nano is null"
            ).fetchall()
        ]
        self._life = Life(con, self._started_unix_nano)
        own = [self._cursor() for _ in range(4)]
        try:
            self._loader = Loader(own[0], journal_of(self._db))
            self.balance = Balance(own[0])
            self.work = Work(
                self._loader,
                own[1],
                self._failed,
                lambda gate: Retention(
                    own[2], self._limits, gate, lambda: self._loader.counts.checkpoints, self._life
                ),
                checkpoint_bytes(self._limits),
                self._journal_bytes,
                (lambda gate: Sealer(own[3], self._sealing, gate, away)) if sealed else None,
                bounded=self._limits.max_bytes is not None,
            )
        except BaseException:
            for each in own:
                each.close()
            raise

    def _joined(self, con: duckdb.DuckDBPyConnection) -> tuple[bool, LakeAwayError | None]:
        """Whether the database has a lake, and why it is away: then what comes is stored, and the sealer joins it."""
        try:
            return join_lake(con, self._lake), None
        except LakeAwayError as away:
            log.error("event=lake_away reason=%r fix=%r", away.message, away.fix)
            return True, away

    @property
    def db(self) -> Path:
        """The database file."""
        return self._db

    def run(self, report: str, query: Query) -> list[dict[str, Any]]:
        """Rows of one report, on a connection of its own. Raises as `run_report` does, and `TookTooLongError`."""
        with self.asked() as own, within(own):
            return run_report(own, report, query)

    def metrics(self) -> bytes:
        """What `/metrics` says: only what storage knows of itself while it, or its lake, is away."""
        facts = self._facts()
        try:
            with self.asked() as own:
                difference = self.balance.difference(own, facts.counts, self._retired)
                return exposition(own, facts, self._open.rows(), difference)
        except Refusal:
            return exposition(None, facts)

    def gauges(self) -> list[tuple[str, dict[str, str], float]]:
        """What of `/metrics` is true now and not counted. Raises `Refusal` while storage is away."""
        facts = self._facts()
        with self.asked() as own:
            difference = self.balance.difference(own, facts.counts, self._retired)
            return gauges(own, facts, self._open.rows(), difference)

    def _facts(self) -> Facts:
        return Facts(
            self._loader.counts,
            self._loader.waiting_bytes(),
            self._loader.wal_bytes(),
            not self.failure,
            len(recorded(self._db, "fatal")),
            len(recorded(self._db, "set-aside")),
            retired=self._retired(),
            lake_ready=None if self.work.sealer is None else not self.work.sealer.failure,
        )

    def status(self) -> dict[str, Any]:
        """What `/api/status` says; `pid` and `endpoints` are the collector's as its lock publishes them."""
        held = holder(self._db)
        progress, counts = self.work.progress, self._loader.counts
        return {
            "pid": held.pid if held else os.getpid(),
            "storage_pid": os.getpid(),
            "database": str(self._db),
            "started_unix_nano": str(self._started_unix_nano),
            "endpoints": dict(held.endpoints) if held else {},
            "secured": self.secured,
            "ready": not self.failure,
            "failure": self.failure or None,
            "analysis_failure": self.work.analysis_failure or None,
            "manifests": self._files,
            "load_id": progress.load_id,
            "analysed_load_id": progress.analysed,
            "positions": [f"{segment.hex}:{at}" for segment, at in progress.positions.items()],
            "journal_waiting_bytes": self._loader.waiting_bytes(),
            "spans": self._stored_spans(),
            "spans_loaded": counts.spans,
            "spans_deduplicated": counts.deduplicated,
            "spans_quarantined": counts.quarantined,
            "spans_retired": self._retired(),
            "spans_sealed": self._sealed,
            "sealing_failure": (self.work.sealer.failure if self.work.sealer else "") or None,
            "set_aside": recorded(self._db, "set-aside")[-5:],
            "faults": recorded(self._db, "fatal")[-5:],
        }

    def wait(self, position: str, timeout_s: float) -> bool:
        """Whether the position became visible in time."""
        return self.work.progress.wait(position, timeout_s)

    def abandon(self) -> None:
        """Ends without loading what is left: the journal keeps it for the next start."""
        self.work.stop(hurry=True)
        self._stop.set()

    def close(self) -> None:
        """After the threads have ended. What is damaged is moved aside, so that the next start finds it gone."""
        loaded.forget(journal_of(self._db))
        with contextlib.suppress(duckdb.Error):
            self._life.note(self._con, now_unix_nano(), at_once=True)
        with contextlib.suppress(duckdb.Error):
            self._con.close()
        if self.damage:
            set_aside(self._db, self.damage)

    @contextlib.contextmanager
    def asked(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one question. Damage that it meets ends storage, as damage that loading meets."""
        if self.failure:
            raise Refusal(
                f"storage is away: {self.failure}", fix="see `bindtrace doctor`; senders are still answered"
            )
        if self.work.sealer and self.work.sealer.away:
            raise _lake_away(self.work.sealer.failure)
        own = self._cursor(reads=True)
        try:
            yield own
        except duckdb.Error as error:
            fault = fault_of(error)
            if fault is Fault.DAMAGE:
                self._failed(one_line(error))
            if fault is Fault.LAKE:
                raise _lake_away(one_line(error)) from None
            raise
        finally:
            own.close()

    def _stored_spans(self) -> int:
        """As far as is known where storage is away."""
        with contextlib.suppress(duckdb.Error, Refusal), self.asked() as own:
            row = own.execute("select count(*) from bindtrace.main.spans").fetchone()
            self._sealed = moved_spans(own)
            self._spans = (int(row[0]) if row else 0) + self._sealed
        return self._spans

    def _retired(self) -> int:
        return self.work.retention.deleted_spans if self.work.retention else 0

    def _cursor(self, *, reads: bool = False) -> duckdb.DuckDBPyConnection:
        with self._cursors:
            return (reader if reads else cursor)(self._con)

    def _failed(self, line: str) -> None:
        """Once: the first failure decides. Ends the process, unless that would begin a loop."""
        with self._failing:
            if self.failure:
                return
            self.failure = line
        fault = fault_of(line)
        again = failed_lately(self._db)
        known = record(self._db, "fatal", kind=fault.value, reason=line)
        log.error("event=storage_fatal kind=%s again=%s reason=%r", fault.value, again, line)
        if fault is Fault.DAMAGE:
            self.damage = line
        if fault is Fault.DAMAGE or not (fault is Fault.NO_ROOM or again or not known):
            self._stop.set()
        else:
            threading.Thread(target=self._rest, args=(fault,), name="rest", daemon=True).start()

    def _rest(self, fault: Fault) -> None:
        """Not ready until the disk has room again, or the ten minutes are over; then a new start."""
        self.work.stop(hurry=True)
        limit_s = time.monotonic() + AGAIN_NANO / 1e9
        while not self._stop.wait(1.0):
            free = shutil.disk_usage(self._db.parent).free
            if (fault is Fault.NO_ROOM and free >= self._reserve_bytes) or time.monotonic() > limit_s:
                self._stop.set()


def _lake_away(reason: str) -> Refusal:
    return Refusal(
        f"the lake is away, and answers are of both: {reason}",
        fix="see that its catalog and its data can be reached; what is sent is stored meanwhile",
    )
