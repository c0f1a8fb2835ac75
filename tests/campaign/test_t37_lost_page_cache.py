"""T37: what was written and never synced is gone after the kill; what was acknowledged is stored all the same.

A preloaded library notes every sync; after the kill, journal and log are cut back to what was synced. Left out one at a
time, the file's sync and the directory's, the same judgement fails: the test can see what it is about. DuckDB's main
file is not cut back: its pages are written in place.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from campaigning import quantity
from killing import everything, judge
from preloading import shim
from receiving import Load
from serving import collecting, stored
from support import wait_for

from bindtrace.collector.store.drain import drain


def lose_page_cache(db: Path, notes: Path, without: str = "") -> None:
    """Cuts the journal's segments and DuckDB's log to their last sync; `without` F or D: as if those were not made."""
    lines = [line.split(" ") for line in notes.read_text().splitlines()]
    kept = [(number, line) for number, line in enumerate(lines) if line[0] != without]
    sizes = {line[2]: int(line[1]) for _, line in kept if line[0] == "F"}
    first = {line[2]: number for number, line in reversed(kept) if line[0] == "F"}
    entries = {line[1]: number for number, line in kept if line[0] == "D"}
    for segment in db.parent.glob("t.duckdb.journal/*/*.seg"):
        folder = str(segment.parent)
        if entries.get(folder, -1) < first.get(str(segment), len(lines)) and str(segment) in first:
            segment.unlink()
        elif folder not in entries or str(segment.parent.parent) not in entries:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            os.truncate(segment, min(segment.stat().st_size, sizes.get(str(segment), 0)))
    log = db.with_name("t.duckdb.wal")
    if log.exists():
        os.truncate(log, min(log.stat().st_size, sizes.get(str(log), 0)))


def restart(db: Path) -> None:
    """The next collector loads what is left."""
    with collecting(db) as collector:
        assert collector.stop() == 0


def cycle(
    folder: Path,
    library: Path,
    monkeypatch: pytest.MonkeyPatch,
    without: str = "",
    again: Callable[[Path], None] = restart,
) -> None:
    folder.mkdir()
    db, notes = folder / "t.duckdb", folder / "notes"
    with monkeypatch.context() as patched:
        patched.setenv("LD_PRELOAD", str(library))
        patched.setenv("FAULT_PATH", "t.duckdb")
        patched.setenv("FAULT_NOTES", str(notes))
        with collecting(db) as collector, Load(collector.endpoints["http"], senders=4) as load:
            wait_for(lambda: len(load.acknowledged) > 100, seconds=30)
            (storage,) = collector.children()["store"]
            storage.send_signal(signal.SIGSTOP)  # from here on only the journal has what is acknowledged
            sent = len(load.acknowledged)
            wait_for(lambda: len(load.acknowledged) > sent + 100, seconds=30)
            everything(collector)
            acknowledged = load.stop()
            wait_for(lambda: not collector.left_behind(), seconds=15, what="every process to be gone")
    lose_page_cache(db, notes, without)
    again(db)
    judge(acknowledged, stored(db))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shim(tmp_path_factory.mktemp("shim"))


def test_what_was_acknowledged_was_synced(
    tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(quantity(200, 2)):
        # A command on a stopped collector's file loads its journal as the next collector would, in a tenth of the time.
        folder = tmp_path / str(number)
        cycle(folder, library, monkeypatch, again=restart if number % 10 == 0 else drain)
        shutil.rmtree(folder)


@pytest.mark.parametrize("sync", ["F", "D"], ids=["of the file", "of the directory"])
def test_without_the_sync_it_would_be_lost(
    tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch, sync: str
) -> None:
    with pytest.raises(AssertionError, match="acknowledged spans are lost"):
        cycle(tmp_path / "cycle", library, monkeypatch, without=sync)
