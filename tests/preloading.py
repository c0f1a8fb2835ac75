"""Compiles the preload shim of `shim/faults.c`; skips, with the reason, where that cannot be done."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_SOURCE = Path(__file__).parent / "shim" / "faults.c"


def shim(folder: Path) -> Path:
    """The shared object, in `folder`."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("faults are injected by a preloaded library: needs Linux and a C compiler (cc)")
    target = folder / "faults.so"
    done = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(target), str(_SOURCE), "-ldl"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"the shim does not compile here: {done.stderr.strip()[:200]}")
    return target
