"""Deletes the oldest telemetry, in small steps, by age and by size. Never the newest row, never a manifest.

Space that a step frees is used again from the next checkpoint on; the file then no longer grows.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import duckdb

from bindtrace.collector.store.gate import Gate
from bindtrace.collector.store.lives import Life
from bindtrace.collector.store.writer import REMEMBERED, REMEMBERED_NANO
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.queries.database import ROW_GROUP_SIZE
from bindtrace.queries.transaction import transaction

CHECKPOINT_BYTES: Final = 64 * 1024 * 1024  # reference: a stall of 0.37 s; 16 MB would checkpoint every group
STEP_ROWS: Final = 4 * ROW_GROUP_SIZE
"""Only whole row groups are freed, and analysis waits for one step only."""
FULL: Final = 0.85
"""Of `max_bytes`: from here on the oldest go, so that the log between two checkpoints has room."""
REWRITTEN: Final = 3
"""Row groups that may be in the file twice: a checkpoint writes those not full anew before it frees the old ones."""
DIGESTS: Final = 4 * REMEMBERED
PAUSE_S: Final = 2.0
log = logging.getLogger("bindtrace.store")


@dataclass(frozen=True, slots=True)
class Limits:
    """What may stay: `keep_nano` after receipt, `max_bytes` of the database file; None is without end."""

    keep_nano: int | None = None
    max_bytes: int | None = None


def checkpoint_bytes(limits: Limits) -> int:
    """At which size of the write-ahead log it is folded in: a small database cannot wait for the usual one."""
    return CHECKPOINT_BYTES if limits.max_bytes is None else min(CHECKPOINT_BYTES, limits.max_bytes // 8)


class Retention:
    """Deletes through a connection of its own, while holding `gate`, which keeps analysis and checkpoints away."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        limits: Limits,
        gate: Gate,
        checkpoints: Callable[[], int],
        life: Life | None = None,
    ) -> None:
        """`checkpoints` counts those that were finished: sizes are true only after one. `life` is noted meanwhile."""
        self.deleted_spans = 0
        self._con = con
        self._limits = limits
        self._gate = gate
        self._checkpoints = checkpoints
        self._measured_at = -1
        self._life = life

    def run(self, stop: threading.Event) -> None:
        """Until `stop`. Raises `duckdb.Error`."""
        while not stop.wait(PAUSE_S):
            self.once(stop)

    def once(self, stop: threading.Event) -> int:
        """All that is due now, in steps. Returns how many spans went."""
        before = self.deleted_spans
        now = now_unix_nano()
        if self._limits.keep_nano is not None:
            while not stop.is_set() and self._step(STEP_ROWS, now - self._limits.keep_nano):
                pass
        excess = self._excess_rows()
        while excess > 0 and not stop.is_set() and (gone := self._step(min(excess, STEP_ROWS), now)):
            excess -= gone
        self._prune_digests(now)
        if self._life is not None:
            with self._gate:
                self._life.note(self._con, now)
        return self.deleted_spans - before

    def _excess_rows(self) -> int:
        if self._limits.max_bytes is None or self._checkpoints() == self._measured_at:
            return 0
        self._measured_at = self._checkpoints()
        used = used_bytes(self._con)
        row = self._con.execute("select count(*) from spans").fetchone()
        rows = int(row[0]) if row else 0
        excess = used - _full(self._limits.max_bytes, used / max(1, rows))
        return int(rows * excess / used) + STEP_ROWS // 4 if excess > 0 else 0

    def _step(self, rows: int, before_unix_nano: int) -> int:
        began_s = time.monotonic()
        with self._gate, transaction(self._con):
            gone = 0 if self._gate.in_doubt else self._delete(rows, before_unix_nano)
        if gone:
            self.deleted_spans += gone
            log.info("event=retention spans=%d took_ms=%d", gone, (time.monotonic() - began_s) * 1000)
        return gone

    def _delete(self, rows: int, before_unix_nano: int) -> int:
        """Rows are in the order of their arrival, so the first ones are the oldest."""
        self._con.execute(
            """
            create or replace temp table oldest as
            select rowid as place, trace_id
            from spans
            where received_unix_nano < $before and rowid < (select max(rowid) from spans)
            limit $rows
            """,
            {"before": before_unix_nano, "rows": rows},
        )
        row = self._con.execute("select count(*), max(place) from oldest").fetchone()
        if not row or not row[0]:
            return 0
        self._con.execute("delete from spans where rowid in (select place from oldest)")
        for table in ("hops", "trace_links", "traces", "span_conflicts"):
            self._con.execute(f"delete from {table} where trace_id in (select trace_id from oldest)")
        return int(row[0])

    def _prune_digests(self, now_nano: int) -> None:
        """Exporters send again within minutes; older digests answer nobody."""
        with self._gate:
            self._con.execute(
                """
                delete from requests
                where received_unix_nano < greatest(
                    $oldest,
                    coalesce((
                        select received_unix_nano from requests
                        order by received_unix_nano desc limit 1 offset $most
                    ), 0)
                )
                """,
                {"oldest": max(0, now_nano - REMEMBERED_NANO), "most": DIGESTS},
            )


def _full(max_bytes: int, bytes_per_row: float) -> float:
    """How much of the file may be used; half of it where a few row groups are more than the rest."""
    rewritten = REWRITTEN * ROW_GROUP_SIZE * bytes_per_row
    return max(max_bytes / 2, min(FULL * max_bytes, max_bytes - rewritten))


def used_bytes(con: duckdb.DuckDBPyConnection) -> int:
    """Of the database's blocks those that hold something, as of the last checkpoint."""
    row = con.execute(
        "select used_blocks * block_size from pragma_database_size() where database_name = current_database()"
    ).fetchone()
    return int(row[0]) if row else 0
