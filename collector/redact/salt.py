"""The salt of redaction: one for each database, so that a secret is recognised again and its hash says nothing else."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

SIZE = 16


def salt_path(database: Path) -> Path:
    """`PATH.salt`, beside the database."""
    return database.with_name(f"{database.name}.salt")


def load_salt(path: Path) -> bytes:
    """The salt in the file, which is made where it is not there. Readable by its owner only. Raises `OSError`.

    Several receivers may begin at once: whose file is first is the one that all read.
    """
    with contextlib.suppress(FileNotFoundError):
        return _read(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    fd = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, secrets.token_bytes(SIZE))
        os.fsync(fd)
    finally:
        os.close(fd)
    with contextlib.suppress(FileExistsError):
        os.link(made, path)
    made.unlink()
    return _read(path)


def _read(path: Path) -> bytes:
    salt = path.read_bytes()
    if len(salt) != SIZE:
        raise OSError(f"{path} is not a salt of {SIZE} bytes")
    return salt
