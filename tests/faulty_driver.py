"""Run under the shim: appends, loads and checkpoints like a collector, and prints each acknowledged span's number.

After a failed load the database is closed and opened anew once, as the supervisor does by a new process. Prints `end`.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import duckdb
from otlp_requests import as_request, one_span

from bindtrace.collector.journal.segment import JournalError, JournalWriter
from bindtrace.collector.store.loader import Loader
from bindtrace.collector.store.opening import journal_of, open_sound
from bindtrace.propagation.errors import Refusal

ROUNDS = 24


def main(db: Path, name: str) -> None:
    try:
        writer = JournalWriter(journal_of(db) / name, segment_bytes=4096)
    except OSError as error:
        print(f"no journal: {error}", flush=True)
        return
    held: list[duckdb.DuckDBPyConnection] = []

    def opened() -> Loader | None:
        while held:
            with contextlib.suppress(duckdb.Error):
                held.pop().close()
        try:
            return open_sound(db, lambda con: held.append(con) or Loader(con, journal_of(db)))
        except (duckdb.Error, Refusal, OSError) as error:
            print(f"away: {str(error)[:80]!r}", flush=True)
            return None

    loader = opened()
    for number in range(1, ROUNDS + 1):
        with contextlib.suppress(JournalError):
            writer.append([as_request(one_span(number), received=2**62)])
            print(f"acked {number}", flush=True)
        if loader is None:
            continue
        try:
            loader.step()
            if number % 6 == 0:
                loader.checkpoint()
        except (duckdb.Error, OSError) as error:
            print(f"fatal: {str(error)[:80]!r}", flush=True)
            loader = opened()
    print("end", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
