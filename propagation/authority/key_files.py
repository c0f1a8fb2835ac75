"""Files that hold keys: never readable by group or others at any instant, and refused where they are.

Modes are set when a file is made, not after; a symbolic link, another owner or a loose mode is a refusal.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from bindtrace.propagation.durable import sync_path, write_durably
from bindtrace.propagation.errors import Refusal

LOOSE = 0o077


def make_private_directory(path: Path) -> None:
    """Makes `path` with mode 0700; one that is there has to be private already. Raises Refusal."""
    try:
        path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        check_private(path)


def check_private(path: Path, made_by: str = "bindtrace authority init") -> None:
    """Raises Refusal unless `path` is ours alone, and no link; one that is missing is what `made_by` makes."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        raise Refusal(f"`{path}` is missing", fix=f"run `{made_by}` first.") from None
    kind = "directory" if stat.S_ISDIR(found.st_mode) else "file"
    mode = "0700" if kind == "directory" else "0600"
    if stat.S_ISLNK(found.st_mode):
        raise Refusal(f"`{path}` is a symbolic link", fix=f"put the {kind} itself there.")
    if found.st_uid != os.geteuid():
        raise Refusal(
            f"`{path}` belongs to user {found.st_uid}, not to {os.geteuid()}", fix="run as its owner."
        )
    if found.st_mode & LOOSE:
        raise Refusal(
            f"`{path}` has mode {stat.S_IMODE(found.st_mode):04o}: others can use its keys",
            fix=f"if nobody has, `chmod {mode} {path}`; if somebody may have, rotate with `--taint`.",
        )


def write_private(path: Path, content: bytes) -> None:
    """A new file with mode 0600 from its first instant, on disk when this returns. Raises Refusal if it exists."""
    try:
        write_durably(path, content, os.O_EXCL | os.O_NOFOLLOW)
    except FileExistsError:
        raise Refusal(
            f"`{path}` is already there", fix="keys are never overwritten; remove it by hand."
        ) from None
    sync_path(path.parent)


def read_private(path: Path, limit: int = 65536, made_by: str = "bindtrace authority init") -> bytes:
    """The content of a private file; what is checked is what is read. Raises Refusal."""
    check_private(path, made_by)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise Refusal(
            f"`{path}` cannot be read: {error.strerror}", fix="put the file itself there."
        ) from error
    opened = os.fstat(descriptor)
    if not stat.S_ISREG(opened.st_mode) or opened.st_uid != os.geteuid() or opened.st_mode & LOOSE:
        os.close(descriptor)
        raise Refusal(f"`{path}` is no private file", fix="look what is there, and who writes there.")
    with os.fdopen(descriptor, "rb") as file:
        return file.read(limit)
