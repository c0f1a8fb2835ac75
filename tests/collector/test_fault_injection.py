"""A few of the faults of the T18 campaign: a failing write or sync loses nothing that was acknowledged."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from preloading import shim
from serving import stored

from bindtrace.collector.store.drain import drain

DRIVER = Path(__file__).parents[1] / "faulty_driver.py"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "call", "code", "nth", "times"),
    [
        (".journal/", "sync", errno.EIO, 5, 1),
        (".journal/", "write", 0, 6, 1),
        (".duckdb.wal", "write", errno.ENOSPC, 40, 0),
        (".duckdb.wal", "sync", errno.EIO, 40, 1),
    ],
)
def test_a_fault_costs_nothing_that_was_acknowledged(
    tmp_path: Path, place: str, call: str, code: int, nth: int, times: int
) -> None:
    db = tmp_path / "t.duckdb"
    faults = {"PATH": place, "CALL": call, "NTH": nth, "ERRNO": code, "TIMES": times}
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(db), "receiver"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ
        | {f"FAULT_{name}": str(value) for name, value in faults.items()}
        | {"LD_PRELOAD": str(shim(tmp_path)), "PYTHONPATH": str(DRIVER.parent)},
    )
    assert done.stdout.endswith("end\n"), done.stderr
    acknowledged = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("acked")]
    drain(db)
    found = stored(db)

    assert len(acknowledged) >= 23
    assert {number.to_bytes(8, "big") for number in acknowledged} <= set(found)
    assert set(found.values()) == {1}
