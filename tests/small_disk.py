"""A disk of a few megabytes for tests that fill it; skips, with the reason, where none can be mounted."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """`folder` as a file system of its own."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a small disk needs root on Linux: `mount -t tmpfs`")
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(ballast: Path, *, leave: int) -> None:
    """Takes all of the disk but `leave` bytes."""
    with ballast.open("wb") as file, contextlib.suppress(OSError):
        while (free := shutil.disk_usage(ballast.parent).free) > leave:
            file.write(bytes(min(1 << 16, free - leave)))
            file.flush()
