"""Bytes that are on the disk when the call returns. All files are their owner's alone."""

from __future__ import annotations

import os
from pathlib import Path


def write_durably(path: Path, data: bytes, flags: int) -> None:
    """Writes all of `data`. `flags`: os.O_APPEND, os.O_TRUNC, or os.O_EXCL for a new file. Raises `OSError`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_path(path: Path) -> None:
    """Makes durable what others wrote into a file, or a directory's entries. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
