"""Checks an audit offline: every file against its digest, the digests against their signature. Changes nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, NamedTuple

from bindtrace.propagation.errors import Refusal
from bindtrace.queries.audit.bundle import DIGESTS, FORMAT, PUBLIC_KEY, SIGNATURE, UNLISTED, digest_of
from bindtrace.queries.audit.signing import Key, is_signed, open_public_key

MAX_BYTES: Final = 16 * 1024 * 1024
_SHA256: Final = re.compile(r"[0-9a-f]{64}")

State = Literal["ok", "changed", "missing", "extra", "not a file"]


class Line(NamedTuple):
    """What became of one file. `expected` and `found` are SHA-256 digests, where there are any."""

    file: str
    state: State
    expected: str | None
    found: str | None


class Verified(NamedTuple):
    """`thumbprint` (RFC 7638) is the key's that signed; `pinned`: the key was given, and not taken from the folder."""

    lines: tuple[Line, ...]
    signed: bool
    thumbprint: str
    pinned: bool

    @property
    def good(self) -> bool:
        return self.signed and all(line.state == "ok" for line in self.lines)


def verify(folder: Path, public_key: Path | None = None) -> Verified:
    """Every file of the folder, listed or not. Raises `Refusal` where the folder is no audit at all."""
    if not folder.is_dir():
        raise Refusal(f"{folder} is not a folder", fix="name the folder that `bindtrace audit -o` wrote")
    digests = _bytes(folder, DIGESTS)
    listed = _listed(folder, digests)
    key: Key = open_public_key(public_key or folder / PUBLIC_KEY)
    signature = _bytes(folder, SIGNATURE).decode("ascii", "replace").strip()
    lines = [_checked(folder, name, expected) for name, expected in sorted(listed.items())]
    extra = sorted(
        str(PurePosixPath(path.relative_to(folder)))
        for path in folder.rglob("*")
        if not path.is_dir() or path.is_symlink()
    )
    lines += [
        Line(name, "extra", None, None) for name in extra if name not in listed and name not in UNLISTED
    ]
    return Verified(
        tuple(lines), is_signed(digests, signature, key), key.thumbprint(), public_key is not None
    )


def _checked(folder: Path, name: str, expected: str) -> Line:
    path = folder / name
    if path.resolve() != folder.resolve() / name or (path.exists() and not path.is_file()):
        return Line(name, "not a file", expected, None)  # itself or a folder above it is a link
    try:
        found = digest_of(path)["sha256"]
    except OSError:
        return Line(name, "missing", expected, None)
    return Line(name, "ok" if found == expected else "changed", expected, found)


def _listed(folder: Path, content: bytes) -> dict[str, str]:
    """Names and digests; a name that leads out of the folder makes it no audit of ours."""
    try:
        document: Any = json.loads(content)
        if document["format"] != FORMAT:
            raise ValueError
        listed = {str(name): str(entry["sha256"]) for name, entry in document["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _stranger(folder, f"{DIGESTS} is none of an audit") from None
    for name, digest in listed.items():
        parts = PurePosixPath(name).parts
        if (
            not parts
            or name.startswith("/")
            or ".." in parts
            or "\0" in name
            or not _SHA256.fullmatch(digest)
        ):
            raise _stranger(folder, f"{DIGESTS} lists what cannot be a file of it")
    return listed


def _bytes(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        if path.is_symlink():
            raise _stranger(folder, f"{name} is a link")
        if path.stat().st_size > MAX_BYTES:
            raise _stranger(folder, f"{name} is too large")
        return path.read_bytes()
    except OSError as error:
        raise _stranger(folder, f"{name} cannot be read: {error.strerror}") from None


def _stranger(folder: Path, why: str) -> Refusal:
    return Refusal(
        f"{folder} is not an audit: {why}", fix="name a folder that `bindtrace audit -o` wrote, complete"
    )
