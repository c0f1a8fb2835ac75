"""What a child process owes its supervisor: to say when it serves, and to go when the supervisor is gone.

A child is started with `--supervisor-fd N`, the read end of a pipe that nobody writes to. It closes when the
supervisor dies, however it dies, so no child is ever left behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping


def watch_supervisor(fd: int, on_gone: Callable[[], object], *, grace_s: float = 5.0) -> None:
    """Calls `on_gone` from a thread of its own when the supervisor is gone; ends the process `grace_s` later.

    `on_gone` should begin an orderly stop. What is acknowledged is durable already, so the end may be hard.
    """

    def wait() -> None:
        while True:
            try:
                if not os.read(fd, 1):
                    break
            except OSError:
                break
        on_gone()
        time.sleep(grace_s)
        os._exit(1)

    threading.Thread(target=wait, name="watch-supervisor", daemon=True).start()


def announce_ready(payload: Mapping[str, object]) -> None:
    """Tells the supervisor that this process serves: one JSON line on standard output.

    One that is gone is told nothing: `watch_supervisor` ends the process. Unbuffered: nothing is left for the exit.
    """
    with contextlib.suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), f"{json.dumps(dict(payload))}\n".encode())
