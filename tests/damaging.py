"""What tests of damage share: a database and a journal as a kill leaves them, ways to damage it, and starting again."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from otlp_requests import as_request, one_span
from serving import stored

from bindtrace.collector.journal.segment import JournalWriter
from bindtrace.collector.store.drain import drain
from bindtrace.collector.store.faults import recorded
from bindtrace.collector.store.loader import Loader
from bindtrace.collector.store.opening import journal_of
from bindtrace.queries.analyse import analyse
from bindtrace.queries.database import cursor, open_database

NAME = "t.duckdb"
NOW = 2**62  # later than any clock: what a test sends is recent
Damage = Callable[[Path, random.Random], str]


@dataclass(frozen=True, slots=True)
class Left:
    """What a killed collector left: `sealed` spans are checkpointed and no longer in the journal, `journaled` are."""

    folder: Path
    sealed: set[bytes]
    journaled: set[bytes]


@dataclass(frozen=True, slots=True)
class Started:
    """What was found after the next start."""

    spans: Counter[bytes]
    set_aside: list[dict[str, object]]


def leave(folder: Path, *, spans: int = 600) -> Left:
    """Three parts: sealed by a checkpoint, loaded after it, and only journaled; killed then."""
    folder.mkdir()
    db = folder / "live" / NAME
    db.parent.mkdir()
    first, second = JournalWriter(journal_of(db) / "first"), JournalWriter(journal_of(db) / "second")
    third = spans // 3
    con = open_database(db)
    loader = Loader(cursor(con), journal_of(db))
    numbers = range(1, spans + 1)
    _append(first, numbers[:third])
    first.close()
    _load(loader)
    analyse(con)
    assert loader.checkpoint()
    _append(second, numbers[third : 2 * third])
    _load(loader)
    analyse(con)
    _append(second, numbers[2 * third :])
    killed = folder / "killed"
    shutil.copytree(db.parent, killed)
    second.close()
    con.close()
    shutil.rmtree(db.parent)
    ids = [number.to_bytes(8, "big") for number in numbers]
    return Left(killed, set(ids[:third]), set(ids[third:]))


def start_after(left: Left, into: Path, damage: Damage, seed: int) -> tuple[str, Started]:
    """What the damage did, and what the next start makes of it. Raises what a start raises."""
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(left.folder, into)
    what = damage(into, random.Random(seed))
    drain(into / NAME)
    return what, Started(stored(into / NAME), recorded(into / NAME, "set-aside"))


def cut_log(folder: Path, rnd: random.Random) -> str:
    log = folder / f"{NAME}.wal"
    size = rnd.randrange(log.stat().st_size)
    os.truncate(log, size)
    return f"log cut at {size}"


def flip_log(folder: Path, rnd: random.Random) -> str:
    return _flip(folder / f"{NAME}.wal", rnd)


def flip_file(folder: Path, rnd: random.Random) -> str:
    return _flip(folder / NAME, rnd)


def cut_file(folder: Path, rnd: random.Random) -> str:
    path = folder / NAME
    size = rnd.randrange(path.stat().st_size)
    os.truncate(path, size)
    return f"file cut at {size}"


def no_log(folder: Path, _: random.Random) -> str:
    (folder / f"{NAME}.wal").unlink()
    return "no log"


def no_file(folder: Path, _: random.Random) -> str:
    (folder / NAME).unlink()
    return "no file"


def empty_file(folder: Path, _: random.Random) -> str:
    os.truncate(folder / NAME, 0)
    return "empty file"


def _flip(path: Path, rnd: random.Random) -> str:
    at, bit = rnd.randrange(path.stat().st_size), rnd.randrange(8)
    with path.open("r+b") as file:
        file.seek(at)
        old = file.read(1)[0]
        file.seek(at)
        file.write(bytes([old ^ (1 << bit)]))
    return f"{path.name}: bit {bit} of byte {at}"


def _append(writer: JournalWriter, numbers: range) -> None:
    requests = [as_request(one_span(number, http__route=f"/{number}"), received=NOW) for number in numbers]
    for start in range(0, len(requests), 20):
        writer.append(requests[start : start + 20])


def _load(loader: Loader) -> None:
    while loader.step():
        pass
