"""A PostgreSQL of the test's own, on loopback and a free port, for catalogs of lakes. Asks and judges nothing."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import free_port

USER = "traces"
NOBODY = 65534
"""Whom PostgreSQL runs as where a test runs as root, whom it refuses."""


@dataclass(frozen=True, slots=True)
class Postgres:
    """`password` is the user's; it goes by the environment or a file, never by a command line."""

    port: int
    password: str
    programs: Path
    folder: Path

    @property
    def catalog(self) -> str:
        """For --lake."""
        return f"ducklake:postgres:dbname=postgres host=127.0.0.1 port={self.port}"

    def new_catalog(self) -> str:
        """For --lake, of a database that is made for it."""
        name = f"lake_{secrets.token_hex(4)}"
        where = ["-h", "127.0.0.1", "-p", str(self.port)]
        _run(self, "createdb", *where, name, **self.environment)
        return self.catalog.replace("dbname=postgres", f"dbname={name}")

    def rename(self, name: str, other: str) -> None:
        """A database that nobody is connected to."""
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-d", "postgres"]
        statement = f"alter database {name} rename to {other}"
        _run(self, "psql", *where, "-c", statement, **self.environment)

    @property
    def environment(self) -> dict[str, str]:
        return {"PGUSER": USER, "PGPASSWORD": self.password}

    def stop(self) -> None:
        _run(self, "pg_ctl", "stop", "-D", str(self.folder / "data"), "-m", "immediate", "-w")

    def start(self) -> None:
        """It answers when this returns."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c shared_buffers=32MB"
        log = str(self.folder / "log")
        _run(
            self,
            "pg_ctl",
            "start",
            "-D",
            str(self.folder / "data"),
            "-w",
            "-t",
            "60",
            "-l",
            log,
            "-o",
            options,
        )


def programs() -> Path | None:
    """Where PostgreSQL's programs are; Debian puts them beside no PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return places[-1].parent if places else None


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """A cluster with one user, who needs a password. Skips the test where PostgreSQL is not installed."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed (Debian package postgresql)")
    with tempfile.TemporaryDirectory(prefix="bindtrace-postgres-") as name:
        own = Postgres(free_port(), secrets.token_hex(16), found, Path(name))
        (own.folder / "password").write_text(own.password)
        if os.getuid() == 0:
            for path in (own.folder, own.folder / "password"):
                os.chown(path, NOBODY, NOBODY)
        words = ["-A", "scram-sha-256", "-U", USER, f"--pwfile={own.folder / 'password'}", "--no-sync"]
        _run(own, "initdb", "-D", str(own.folder / "data"), *words)
        own.start()
        try:
            yield own
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):
                own.stop()


def _run(own: Postgres, program: str, *words: str, **environment: str) -> None:
    command: Sequence[str] = [str(own.programs / program), *words]
    if os.getuid() == 0:  # it refuses to
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
    done = subprocess.run(
        command, cwd=own.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, timeout=90, env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"} | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
