"""T18: the Nth write or sync fails, once or for ever, in the journal and in DuckDB; what was acknowledged is stored."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from campaigning import FULL
from preloading import shim
from serving import stored

from bindtrace.collector.store.drain import drain

DRIVER = Path(__file__).parents[1] / "faulty_driver.py"
FAULTS = {
    "write ENOSPC": ("write", errno.ENOSPC),
    "write EIO": ("write", errno.EIO),
    "write short": ("write", 0),
    "sync EIO": ("sync", errno.EIO),
}
PLACES = {
    "journal": ".journal/",
    "database": ".duckdb",
}  # the second matches both: DuckDB's files and the journal


def numbers() -> list[int]:
    """Every second to the 60th, in two places: 480 runs."""
    return list(range(1, 61, 2)) if FULL else [1, 4, 13]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shim(tmp_path_factory.mktemp("shim"))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("times", [1, 0], ids=["once", "for ever"])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_was_acknowledged_is_stored(
    tmp_path: Path, library: Path, fault: str, times: int, place: str
) -> None:
    call, code = FAULTS[fault]
    for nth in numbers():
        db = tmp_path / str(nth) / "t.duckdb"
        db.parent.mkdir()
        done = subprocess.run(
            [sys.executable, str(DRIVER), str(db), "receiver"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=os.environ
            | {
                "LD_PRELOAD": str(library),
                "FAULT_PATH": PLACES[place],
                "FAULT_CALL": call,
                "FAULT_NTH": str(nth),
                "FAULT_ERRNO": str(code),
                "FAULT_TIMES": str(times),
                "PYTHONPATH": str(DRIVER.parent),
            },
        )
        said = f"{fault} {nth} {place} times={times}: {done.stdout} {done.stderr}"
        assert done.returncode == 0, said
        acknowledged = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("acked")]
        drain(db)
        found = stored(db) if db.exists() else {}
        assert {number.to_bytes(8, "big") for number in acknowledged} <= set(found), said
        assert set(found.values()) <= {1}, said
        if times == 1 and call == "write":
            assert len(acknowledged) >= 22, said  # one fault costs one group, and nobody else
