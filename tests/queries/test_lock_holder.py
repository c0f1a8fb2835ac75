"""One collector holds a database; who else asks is told which process, and where to ask."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bindtrace.propagation.errors import Refusal
from bindtrace.queries.lock import acquire, holder

HOLD = """
import sys, subprocess
from pathlib import Path
from bindtrace.queries.lock import acquire
lock = acquire(Path(sys.argv[1]))
if len(sys.argv) > 2:
    child = subprocess.Popen(["sleep", sys.argv[2]], pass_fds=[lock.fd], stdout=subprocess.DEVNULL)
print("held", flush=True)
sys.stdin.read()
"""


def other_process(db: Path, *extra: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(db), *extra],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.communicate()


def test_nobody_holds_a_new_database_and_asking_makes_no_file(tmp_path: Path) -> None:
    assert holder(tmp_path / "t.duckdb") is None
    assert list(tmp_path.iterdir()) == []


def test_the_holder_and_its_endpoints_are_readable(tmp_path: Path) -> None:
    lock = acquire(tmp_path / "t.duckdb")
    lock.publish({"api": "127.0.0.1:9", "grpc": "127.0.0.1:7"})

    found = holder(tmp_path / "t.duckdb")

    assert found is not None
    assert (found.pid, found.url, found.endpoints["grpc"]) == (
        os.getpid(),
        "http://127.0.0.1:9",
        "127.0.0.1:7",
    )
    lock.release()


def test_a_held_database_is_refused_with_pid_and_url(tmp_path: Path) -> None:
    process = other_process(tmp_path / "t.duckdb")

    with pytest.raises(Refusal) as refusal:
        acquire(tmp_path / "t.duckdb")

    end(process)
    assert f"held by process {process.pid}" in str(refusal.value)
    assert "--url http://127.0.0.1:4319, or stop it" in str(refusal.value)


def test_a_released_lock_leaves_nothing_and_can_be_taken_again(tmp_path: Path) -> None:
    acquire(tmp_path / "t.duckdb").release()

    assert list(tmp_path.iterdir()) == []
    acquire(tmp_path / "t.duckdb").release()


def test_the_lock_of_a_killed_holder_is_free(tmp_path: Path) -> None:
    process = other_process(tmp_path / "t.duckdb")
    process.send_signal(signal.SIGKILL)
    process.wait()

    assert holder(tmp_path / "t.duckdb") is None
    acquire(tmp_path / "t.duckdb").release()
    end(process)


def test_the_children_of_a_killed_holder_are_waited_for(tmp_path: Path) -> None:
    process = other_process(tmp_path / "t.duckdb", "0.5")
    process.send_signal(signal.SIGKILL)
    process.wait()
    held_by_child = holder(tmp_path / "t.duckdb")

    lock = acquire(tmp_path / "t.duckdb")

    assert held_by_child is not None
    lock.release()
    end(process)


def test_a_folder_that_is_not_there_is_one_line_with_a_fix(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"cannot write .*No such file.* fix: "):
        acquire(tmp_path / "absent" / "t.duckdb")
