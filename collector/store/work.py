"""The threads of the storage process: one loads and checkpoints, one analyses, others delete and seal. Answers nothing.

They share only `Progress`, their turns, and the gate: one at a time changes what is stored.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

import duckdb

from bindtrace.collector.store import priority
from bindtrace.collector.store.checkpoints import CHECKPOINT_JOURNAL_BYTES, Checkpoints
from bindtrace.collector.store.faults import Fault, fault_of, one_line
from bindtrace.collector.store.gate import Gate
from bindtrace.collector.store.loader import Loader
from bindtrace.collector.store.progress import Progress
from bindtrace.collector.store.retention import CHECKPOINT_BYTES, Retention
from bindtrace.collector.store.runs import Runs
from bindtrace.collector.store.sealing import Sealer
from bindtrace.collector.store.turns import Turns
from bindtrace.queries.analyse import analyse, analysed_load

IDLE_S: Final = 0.03
PAUSE: Final = 8.0
LONGEST_PAUSE_S: Final = 0.25
"""After a load that took all there was, in lengths of that load: the next is larger, and each costs 20 ms whatever is
in it. At 20,000 spans/s there were 33 loads a second, of 600 spans."""
CHECKPOINT_IDLE_S: Final = 5.0
LAST_CHECKPOINT_S: Final = 3.0
"""How long the last one is tried: an answer that is being read may stand in its way. Nothing is lost without it."""
MEMORY_WAIT_S: Final = 60.0
SAY_S: Final = 1.0
MEET_S: Final = 1.0
"""What analysis waits, at most, for loading to look once more."""
WITHIN_S: Final = 1.2
REST: Final = 2.0
FAILED_REST_S: Final = 5.0
REST_BEHIND: Final = 8.0
LONGEST_BEHIND_S: Final = 20.0
"""How long analysis rests after a run, in lengths of that run. A finding is late by two runs and a rest: it rests less
where that is more than `WITHIN_S`. A run costs 0.3 s and 20 us a span of the recipe, whose calls are all unlike: so it
takes a third of a core beside a few spans a second, and rests little at 20,000. While storing is behind it rests long:
what is not stored yet holds up senders, and what is not judged yet nobody."""
log = logging.getLogger("bindtrace.store")


class Work:
    """Starts the threads, and ends them in order: what is in the journal is loaded, analysed, checkpointed."""

    def __init__(
        self,
        loader: Loader,
        analysis: duckdb.DuckDBPyConnection,
        on_failure: Callable[[str], None],
        retention: Callable[[Gate], Retention] | None = None,
        checkpoint_bytes: int = CHECKPOINT_BYTES,
        journal_bytes: int = 4 * CHECKPOINT_JOURNAL_BYTES,
        sealer: Callable[[Gate], Sealer] | None = None,
        *,
        bounded: bool = False,
    ) -> None:
        """`analysis` is a connection of its own. `on_failure` is called once, from a thread, with one line.

        `retention` and `sealer` are given the gate and run in threads of their own. `journal_bytes` is where senders
        are refused: the checkpoint that lets go of journal comes long before. `bounded`: the file has a largest size.
        """
        self.progress = Progress(loader.load_id, loader.positions, loader.on_disk)
        self._loader = loader
        self._analysis = analysis
        self._on_failure = on_failure
        self._stopping = threading.Event()
        self._hurry = threading.Event()
        self._gate = Gate()
        self._turns = Turns()
        self.retention = None if retention is None else retention(self._gate)
        self.sealer = None if sealer is None else sealer(self._gate)
        self._checkpoints = Checkpoints(
            loader,
            self._gate,
            self._freed,
            log_bytes=checkpoint_bytes,
            journal_bytes=journal_bytes,
            beside=not bounded,
            orphans=self.sealer is None,
        )
        self.analysis_failure = ""
        self._runs = Runs()
        self._loaded_all = threading.Event()
        self._threads = [
            threading.Thread(target=self._guarded, args=(run,), name=run.__name__.strip("_"), daemon=True)
            for run in (
                self._load,
                self._analyse,
                *([self._retain] if self.retention else []),
                *([self._seal] if self.sealer else []),
            )
        ]

    def start(self) -> None:
        """Loading last: it waits for the others to end, and may be asked to before it began."""
        for thread in reversed(self._threads):
            thread.start()
        threading.Thread(target=self._say, name="say", daemon=True).start()

    def stop(self, *, hurry: bool = False) -> None:
        """Asks all to end; `hurry`: without loading what is left. Returns at once."""
        self._stopping.set()
        if hurry:
            self._hurry.set()
            self.progress.end()
        self._turns.end()

    def join(self) -> None:
        """Returns when all have ended."""
        for thread in self._threads:
            thread.join()

    def _guarded(self, run: Callable[[], None]) -> None:
        try:
            run()
        except Exception as error:
            log.debug("event=storage_failed", exc_info=True)
            self._on_failure(f"{type(error).__name__}: {' '.join(str(error).split())}")
            self._hurry.set()
            self._stopping.set()
            self.progress.end()
            self._turns.end()
            self._loaded_all.set()

    def _say(self) -> None:
        """A long checkpoint, or a wait for one, is no standstill: answers go on being held."""
        while not self._loaded_all.wait(SAY_S):
            self._loader.say_alive()

    def _load(self) -> None:
        idle_since = time.monotonic()
        while not self._hurry.is_set():
            began = time.monotonic()
            with self._turns.look():
                if taken := self._step():
                    self.progress.loaded(self._loader.load_id, self._loader.positions)
            took_s = time.monotonic() - began
            if taken:
                idle_since = time.monotonic()
                pause_s = 0.0 if self._loader.behind else min(took_s * PAUSE, LONGEST_PAUSE_S)
                if self._checkpoints.wanted():
                    self._checkpoint(pause_s)
                else:
                    self._turns.rest(pause_s)
            elif self._stopping.is_set():
                break
            else:
                idle = time.monotonic() - idle_since > CHECKPOINT_IDLE_S
                if self._checkpoints.due.is_set() or (
                    idle and (self._loader.wal_bytes() or self._loader.uncovered_bytes())
                ):
                    self._checkpoint()
                    idle_since = time.monotonic()
                self._turns.rest(IDLE_S)
        self.progress.end()
        self._loaded_all.set()
        for other in self._threads[1:]:
            other.join()
        limit_s = time.monotonic() + LAST_CHECKPOINT_S
        while not (self._hurry.is_set() or self._checkpoint() or time.monotonic() > limit_s):
            self._hurry.wait(LONGEST_PAUSE_S)

    def _step(self) -> int:
        """`Loader.step`; memory that others hold at this moment is waited for, and nothing was stored meanwhile."""
        limit_s = time.monotonic() + MEMORY_WAIT_S
        while True:
            try:
                return self._loader.step()
            except duckdb.OutOfMemoryException as error:
                log.warning("event=load_waits_for_memory reason=%r", one_line(error))
                if time.monotonic() > limit_s or self._hurry.wait(1.0):
                    raise

    def _analyse(self) -> None:
        priority.lower(priority.ANALYSIS)
        while not self._hurry.is_set() and (self.progress.wait_for_load(60.0) or not self.progress.ended):
            if self._checkpoints.due.is_set() and not self.progress.ended:
                self._hurry.wait(IDLE_S)
                continue
            took_s: float | None = 0.0
            if self.progress.load_id > self.progress.analysed:
                took_s = self._analyse_or_report()
                if self.analysis_failure and self.progress.ended:
                    return
            self._rest(took_s)

    def _rest(self, took_s: float | None) -> None:
        """After a run that took so long, None where there was none."""
        if took_s is None:
            self._stopping.wait(FAILED_REST_S)
            return
        if (rest_s := min(took_s * REST, WITHIN_S - 2 * took_s)) > 0:
            self._stopping.wait(rest_s)
            self._turns.ask()  # it was asked before the rest, and more has come since
        limit_s = time.monotonic() + min(took_s * REST_BEHIND, LONGEST_BEHIND_S)
        while self._loader.behind and time.monotonic() < limit_s and not self._stopping.wait(IDLE_S):
            pass

    def _retain(self) -> None:
        assert self.retention is not None
        self.retention.run(self._stopping)

    def _seal(self) -> None:
        assert self.sealer is not None
        self.sealer.run(self._stopping)

    def _analyse_or_report(self) -> float | None:
        """As `_analyse_once`. Data or SQL that analysis cannot handle must not stop storing: reported, tried again."""
        try:
            took_s = self._analyse_once()
        except duckdb.OutOfMemoryException as error:
            self._runs.had_too_little_memory()
            log.warning(
                "event=analysis_out_of_memory at_once=%d reason=%r", self._runs.at_once, one_line(error)
            )
            self.analysis_failure = one_line(error)
            return None
        except duckdb.Error as error:
            if fault_of(error) not in (Fault.DATA, Fault.SQL, Fault.LAKE):
                raise
            if not self.analysis_failure:
                log.error("event=analysis_failed reason=%r", one_line(error))
            self.analysis_failure = one_line(error)
            return None
        self.analysis_failure = "" if took_s is not None else self._gate.in_doubt
        return took_s

    def _analyse_once(self) -> float | None:
        """How long it took, in seconds; None where it must not be done now."""
        if not self._loader.behind:
            self._turns.meet(MEET_S)
        newest = self.progress.load_id
        with self._gate:
            if self._gate.in_doubt:
                return None
            began = time.monotonic()
            # One run: while loads keep coming there is always another, and a checkpoint must have its turn.
            traces = analyse(self._analysis, self._runs.at_once, runs=1, before_storing=self._turns.ask)
            load_id = analysed_load(self._analysis, newest)
        took_s = time.monotonic() - began
        self._runs.took(took_s)
        self.progress.analysed_to(load_id)
        log.info("event=analysed load=%d traces=%d took_ms=%d", load_id, traces, took_s * 1000)
        return took_s

    def _checkpoint(self, wait_s: float | None = None) -> bool:
        """Whether it was made."""
        with self._turns.away():
            made = self._checkpoints.make(wait_s)
        self.progress.loaded(self._loader.load_id, self._loader.positions)
        return made

    def _freed(self) -> int:
        """Spans that left the file."""
        deleted = self.retention.deleted_spans if self.retention else 0
        return deleted + (self.sealer.sealed_spans if self.sealer else 0)
