"""What tests of the whole collector share: `bindtrace serve` as a process, and its database once it stopped."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
from support import wait_for

from bindtrace.queries.database import join_lake, open_database
from bindtrace.queries.lake.place import read_both
from bindtrace.queries.lock import Holder, holder

SERVE = "from bindtrace.collector.serve_command import serve; serve()"


class Collector:
    """`bindtrace serve` on free ports, and every process that it ever had."""

    def __init__(self, db: Path, *options: str, receivers: int = 2) -> None:
        self.db = db
        self.errors = db.with_name("serve.log")
        arguments = [
            "--db",
            str(db),
            "--grpc",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
            "--api",
            "127.0.0.1:0",
        ]
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", SERVE, *arguments, "--receivers", str(receivers), *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        self.seen: set[psutil.Process] = {psutil.Process(self.process.pid)}
        self.held = wait_for(self._serving, seconds=30, what="the collector to serve")
        self.children()

    @property
    def endpoints(self) -> dict[str, str]:
        return dict(self.held.endpoints)

    def children(self) -> dict[str, list[psutil.Process]]:
        """Living receivers and storage."""
        found: dict[str, list[psutil.Process]] = {"receive": [], "store": []}
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.process.pid).children():
                with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                    line = " ".join(child.cmdline())
                    for kind in found:
                        if f"collector.{kind}.process" in line:
                            found[kind].append(child)
                            self.seen.add(child)
        return found

    def left_behind(self) -> list[psutil.Process]:
        """Which of its processes still run; one that nobody waited for yet has ended too."""
        self.process.poll()
        return [
            process
            for process in self.seen
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        ]

    def stop(self) -> int:
        """Its exit status after SIGTERM."""
        self.children()
        self.process.terminate()
        return self.process.wait(60)

    def kill_all(self) -> None:
        """Nothing is left, whatever the test did."""
        self.children()
        for process in self.seen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(10)

    def _serving(self) -> Holder | None:
        assert self.process.poll() is None, self.errors.read_text()
        found = holder(self.db)
        return found if found and found.pid == self.process.pid and found.endpoints else None


@contextlib.contextmanager
def collecting(db: Path, *options: str, receivers: int = 2) -> Iterator[Collector]:
    """Ends every process at the end, however the test ends."""
    collector = Collector(db, *options, receivers=receivers)
    try:
        yield collector
    finally:
        collector.kill_all()


def stored(db: Path) -> Counter[bytes]:
    """How often each span id is in the database of a stopped collector; what is only in the journal is not."""
    con = open_database(db)
    join_lake(con)
    read_both(con)
    rows = con.execute("select span_id, count(*) from spans group by span_id").fetchall()
    con.close()
    return Counter({int(span_id).to_bytes(8, "big"): count for span_id, count in rows})
