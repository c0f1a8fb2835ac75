"""The salt of redaction: one for each database, so that a secret is recognised again and its hash says nothing else."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from bindtrace.propagation.durable import write_durably

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
    write_durably(made, secrets.token_bytes(SIZE), os.O_EXCL)
    with contextlib.suppress(FileExistsError):
        os.link(made, path)
    made.unlink()
    return _read(path)


def _read(path: Path) -> bytes:
    salt = path.read_bytes()
    if len(salt) != SIZE:
        raise OSError(f"{path} is not a salt of {SIZE} bytes")
    return salt
