"""Who holds a database: the file `PATH.lock`, flocked by a collector for life. Never opens the database.

The collector's children inherit the lock, so a new collector begins when the last process of the old is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.errors import Refusal

DEFAULT_API = "127.0.0.1:4319"
_PATIENCE_S = 10.0  # how long the children of a killed collector may take to go


@dataclass(frozen=True, slots=True)
class Holder:
    """Which collector holds a database. `endpoints`: grpc, http, api as HOST:PORT (https://… of an API with TLS);
    empty until it serves."""

    pid: int
    started_unix_nano: int
    endpoints: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        api = self.endpoints.get("api", DEFAULT_API)
        return api if "://" in api else f"http://{api}"


class Lock:
    """A held lock. `fd` may be inherited by children, who then hold it too."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._holder = Holder(os.getpid(), now_unix_nano())
        self.fd = fd
        self._write()

    def publish(self, endpoints: Mapping[str, str]) -> None:
        """Says where the collector listens, for those who find the database held."""
        self._holder = Holder(self._holder.pid, self._holder.started_unix_nano, dict(endpoints))
        self._write()

    def release(self) -> None:
        """Removes the file and lets go. Harmless when done twice."""
        if self.fd >= 0:
            self._path.unlink(missing_ok=True)
            fcntl.flock(self.fd, fcntl.LOCK_UN)
            os.close(self.fd)
            self.fd = -1

    def _write(self) -> None:
        text = json.dumps(
            {
                "pid": self._holder.pid,
                "started_unix_nano": str(self._holder.started_unix_nano),
                "endpoints": dict(self._holder.endpoints),
            }
        ).encode()
        os.pwrite(self.fd, text + b"\n", 0)
        os.ftruncate(self.fd, len(text) + 1)


def lock_path(db: Path) -> Path:
    """`PATH.lock`."""
    return db.with_name(db.name + ".lock")


def acquire(db: Path) -> Lock:
    """Takes the database for this process. Raises `Refusal` when a collector has it, naming pid and `--url`.

    Waits up to 10 s where the collector was killed and its children are still going.
    """
    path = lock_path(db)
    limit = time.monotonic() + _PATIENCE_S
    spurious = 5  # a reader of the lock holds it for an instant, shared
    while True:
        fd = _open(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_current(fd, path):
                return Lock(path, fd)
            os.close(fd)
            continue
        except BlockingIOError:
            found = _read(fd)
            os.close(fd)
        spurious -= 1
        if spurious <= 0 and (_lives(found) or time.monotonic() > limit):
            raise held_by(db, found or Holder(0, 0))
        time.sleep(0.02)


def holder(db: Path) -> Holder | None:
    """The collector that has the database now; None when nobody has. Creates no file."""
    try:
        fd = os.open(lock_path(db), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return _read(fd) or Holder(0, 0)
    finally:
        os.close(fd)


def held_by(db: Path, found: Holder) -> Refusal:
    """What a person is told who asks for a database that a running collector has."""
    who = f"process {found.pid}" if found.pid else "another process"
    return Refusal(f"{db} is held by {who}", fix=f"ask it with --url {found.url}, or stop it")


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Refusal(
            f"cannot write {path}: {error.strerror}", fix="name a writable place with --db"
        ) from error


def _is_current(fd: int, path: Path) -> bool:
    """False when the holder before us removed the file between our open and our lock."""
    try:
        return os.fstat(fd).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def _read(fd: int) -> Holder | None:
    for _ in range(10):  # its holder may be writing it
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            found = json.loads(os.pread(fd, 4096, 0))
            return Holder(int(found["pid"]), int(found["started_unix_nano"]), dict(found["endpoints"]))
        time.sleep(0.005)
    return None


def _lives(found: Holder | None) -> bool:
    """A killed process that its parent has not asked about yet is still listed, as a zombie; it does not live."""
    if found is None or found.pid <= 0:
        return False
    with contextlib.suppress(OSError, IndexError):
        if Path(f"/proc/{found.pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
            return False
    try:
        os.kill(found.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
