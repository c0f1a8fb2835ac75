"""Starts the demo's processes side by side, waits until they serve, and sees to it that none is left behind.

Each child watches a pipe of its own, which closes when the demo asks it to go, and also when the demo dies.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bindtrace.propagation import environment
from bindtrace.propagation.errors import Refusal

START_S = 60.0
STOP_S = 12.0
_NOT_INHERITED = ("OTEL_", "BINDTRACE_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GRPC_PROXY")


@dataclass(frozen=True, slots=True)
class Child:
    """A running process."""

    name: str
    process: subprocess.Popen[bytes]


class Running:
    """A group of processes, all stopped when the `with` block ends."""

    def __init__(self) -> None:
        self._children: list[Child] = []
        self._leashes: list[int] = []
        """Our ends of the pipes that the processes watch."""

    def start(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        own: Mapping[str, str] | None = None,
        fds: Sequence[int] = (),
    ) -> None:
        """Starts `python -P -m module … --supervisor-fd N`."""
        watched, leash = os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments, "--supervisor-fd", str(watched)],
            env=_environment(own or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=(watched, *fds),
            process_group=0,  # Ctrl-C is for the demo alone, which ends its processes in order
        )
        os.close(watched)
        self._leashes.append(leash)
        self._children.append(Child(name, process))

    def wait_ready(self) -> None:
        """Returns when each process has said a line. Raises `Refusal` naming the one that ended, or says nothing."""
        limit = time.monotonic() + START_S
        for child in self._children:
            out = child.process.stdout
            assert out is not None
            readable, _, _ = select.select([out], [], [], max(0.0, limit - time.monotonic()))
            if not readable:
                raise _silent(child)
            if not out.readline():
                raise _ended(child)

    def check(self) -> None:
        """Raises `Refusal` naming a process that ended by itself."""
        for child in self._children:
            if child.process.poll() is not None:
                raise _ended(child)

    def stop(self) -> None:
        """Stops all processes and returns when they are gone; what a Ctrl-C interrupted goes on when called again."""
        while self._leashes:
            os.close(self._leashes.pop())
        limit = time.monotonic() + STOP_S
        while self._children:
            child = self._children[-1]
            try:
                child.process.wait(max(0.1, limit - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            if child.process.stdout is not None:
                child.process.stdout.close()
            self._children.pop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in environment.snapshot().items()
        if not name.upper().startswith(_NOT_INHERITED)
    }
    return inherited | dict(own)


def _ended(child: Child) -> Refusal:
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.process.wait(2)
    return Refusal(
        f"the demo's `{child.name}` ended with status {child.process.returncode}",
        fix="its own words are above; repair what they name and start `bindtrace demo` again",
    )


def _silent(child: Child) -> Refusal:
    return Refusal(
        f"the demo's `{child.name}` does not serve after {START_S:.0f} s",
        fix="start `bindtrace demo` again when this machine is less busy",
    )
