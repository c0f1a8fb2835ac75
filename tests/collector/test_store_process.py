"""The storage process as its supervisor starts it: loads, analyses, answers, and ends in order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from otlp_requests import as_request, one_span
from support import free_port, wait_for

from bindtrace.collector.journal.segment import JournalWriter, Position
from bindtrace.queries.database import open_database


class Storage:
    """A running storage process; `pipe` is the supervisor's end."""

    def __init__(self, db: Path, *arguments: str) -> None:
        read, self.pipe = os.pipe()
        self.url = f"http://127.0.0.1:{free_port()}"
        command = [sys.executable, "-P", "-m", "bindtrace.collector.store.process", "--db", str(db)]
        command += ["--api", self.url.removeprefix("http://"), "--supervisor-fd", str(read), *arguments]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=(read,), text=True
        )
        os.close(read)

    def ready(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        found: dict[str, Any] = json.loads(line)
        return found

    def get(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        if self.process.poll() is None:
            self.process.send_signal(number)
        error = self.process.communicate(timeout=30)[1]
        return self.process.returncode, error

    def close(self) -> None:
        self.end(signal.SIGKILL)
        if self.pipe >= 0:
            os.close(self.pipe)


@pytest.fixture
def journal(db: Path) -> Iterator[JournalWriter]:
    writer = JournalWriter(db.with_name(f"{db.name}.journal") / "receiver")
    yield writer
    writer.close()


@pytest.fixture
def storage(db: Path) -> Iterator[Storage]:
    running = Storage(db)
    yield running
    running.close()


def append(journal: JournalWriter, number: int) -> Position:
    return journal.append([as_request(one_span(number), received=2**62)])


def spans(db: Path) -> int:
    con = open_database(db)
    try:
        return int(con.execute("select count(*) from spans").fetchall()[0][0])
    finally:
        con.close()


def test_a_position_that_was_waited_for_is_in_the_answers(storage: Storage, journal: JournalWriter) -> None:
    assert storage.ready()["pid"] == storage.process.pid
    position = append(journal, 1)

    answer = storage.get(f"/api/wait?position={position}&timeout=20")

    assert answer["visible"] is True
    hops = storage.get("/api/reports/hops")
    assert [(hop["caller"], hop["callee"]) for hop in hops] == [(None, "orders")]
    status = storage.get("/api/status")
    assert (status["spans"], status["spans_loaded"], status["journal_waiting_bytes"]) == (1, 1, 0)
    assert status["positions"] == [str(position)]


def test_sigterm_stores_what_is_in_the_journal_and_checkpoints(
    storage: Storage, journal: JournalWriter, db: Path
) -> None:
    storage.ready()
    for number in range(1, 50):
        append(journal, number)
    journal.close()

    status, error = storage.end()

    assert (status, error) == (0, "")
    assert not db.with_name(f"{db.name}.wal").exists() or not db.with_name(f"{db.name}.wal").stat().st_size
    assert not journal.directory.exists()
    assert spans(db) == 49


def test_the_supervisors_end_ends_storage(storage: Storage, journal: JournalWriter, db: Path) -> None:
    storage.ready()
    os.close(storage.pipe)
    storage.pipe = -1

    status = storage.process.wait(timeout=20)

    assert status == 0


@pytest.mark.slow
def test_a_kill_between_loads_loses_and_doubles_nothing(db: Path, journal: JournalWriter) -> None:
    first = Storage(db)
    first.ready()
    position = append(journal, 1)
    first.get(f"/api/wait?position={position}&timeout=20")
    append(journal, 2)
    first.close()
    append(journal, 3)
    second = Storage(db)
    second.ready()

    wait_for(lambda: second.get("/api/status")["spans"] == 3, seconds=20)
    ended = second.end()
    second.close()

    assert ended == (0, "")
    assert spans(db) == 3


def test_a_manifest_is_in_force_from_the_start(db: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "bindtrace.toml"
    manifest.write_text('scope = "shop"\n[services.orders]\n[services.ledger]\n[[grants]]\n'
                        'caller = "orders"\ncallee = "ledger"\n')  # fmt: skip
    running = Storage(db, "--manifest", str(manifest))
    running.ready()

    grants = running.get("/api/reports/grants")

    running.close()
    assert [(grant["caller"], grant["callee"], grant["line"]) for grant in grants] == [
        ("orders", "ledger", 4)
    ]


def test_a_file_that_is_no_database_is_refused_in_one_line(db: Path) -> None:
    db.write_text("not a database, but long enough to be looked at" * 100)
    running = Storage(db)

    status, error = running.process.wait(timeout=20), running.process.communicate()[1]

    os.close(running.pipe)
    assert status == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert " fix: " in error
