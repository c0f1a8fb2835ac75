"""Keeps one child process alive: starts it, hears that it serves, starts it again when it dies. Never forks."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from bindtrace.collector.allocators import with_settings
from bindtrace.propagation import environment

REFUSAL = 2
"""Exit status of a child that said on stderr why it cannot begin: starting it again would not help."""
_FIRST_DELAY_S, _LAST_DELAY_S = 0.2, 5.0
_SETTLED_S = 10.0  # a child that lived this long died of something new

Narrate = Callable[[str], None]


class Keeper:
    """One child and the thread that looks after it.

    `ready` and `refused` are about the first start, `serving` about the process that runs now.
    """

    def __init__(self, name: str, command: Sequence[str], fds: Sequence[int], narrate: Narrate) -> None:
        self.name = name
        self.ready = threading.Event()
        self.refused = threading.Event()
        self.serving = threading.Event()
        self.announced: Mapping[str, object] = {}
        self._command = list(command)
        self._fds = tuple(fds)
        self._narrate = narrate
        self._stopping = threading.Event()
        self._killed = False
        self._guard = threading.Lock()  # between a start and a stop
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._keep, name=f"keep-{name}", daemon=True)

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        self._thread.start()

    def ask_to_stop(self) -> None:
        """SIGTERM, and no new start. Returns at once."""
        with self._guard:
            self._stopping.set()
            self._signal(signal.SIGTERM)

    def wait_stopped(self, limit_s: float) -> None:
        """Waits for the end; kills what is not gone within `limit_s`."""
        self._thread.join(limit_s)
        if self._thread.is_alive():
            self._narrate(f"{self.name} did not stop within {limit_s:g} s: killed")
            self._killed = True
            self._signal(signal.SIGKILL)
            self._thread.join()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _keep(self) -> None:
        delay_s = _FIRST_DELAY_S
        while (process := self._spawn()) is not None:
            began_s = time.monotonic()
            assert process.stdout is not None
            with process.stdout as lines:
                for line in lines:
                    self._hear(line)
            status = process.wait()
            self.serving.clear()
            if self._stopping.is_set():
                if self.ready.is_set() and not self._killed and status not in (0, -signal.SIGTERM):
                    self._narrate(f"{self.name} {_ending(process.pid, status)} while it was stopping")
                return
            if status == REFUSAL and not self.ready.is_set():
                self.refused.set()
                return
            if time.monotonic() - began_s > _SETTLED_S:
                delay_s = _FIRST_DELAY_S
            self._narrate(f"{self.name} {_ending(process.pid, status)}; starts again in {delay_s:g} s")
            self._stopping.wait(delay_s)
            delay_s = min(delay_s * 2, _LAST_DELAY_S)

    def _spawn(self) -> subprocess.Popen[str] | None:
        with self._guard:
            if self._stopping.is_set():
                return None
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                pass_fds=self._fds,
                env=with_settings(environment.snapshot()),
                text=True,
                start_new_session=True,  # Ctrl-C is the supervisor's, who stops children in their order
            )
            return self._process

    def _hear(self, line: str) -> None:
        try:
            announced = json.loads(line)
        except ValueError:
            self._narrate(f"{self.name}: {line.rstrip()}")
            return
        if isinstance(announced, dict):
            self.announced = announced
            self.serving.set()
            self.ready.set()


def _ending(pid: int, status: int) -> str:
    if status >= 0:
        return f"(process {pid}) ended with status {status}"
    try:
        return f"(process {pid}) was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"(process {pid}) was ended by signal {-status}"
