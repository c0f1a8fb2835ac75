"""The process behind `bindtrace authz serve`: an endpoint on the loopback or a socket file, for the proxy beside it."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

import uvicorn

from bindtrace.propagation.addresses import host_class
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.serving.authority import listening
from bindtrace.propagation.serving.boundary import BoundaryProtocol


def beside(address: str) -> socket.socket:
    """A bound socket that only this machine reaches: `unix:PATH`, or a loopback address and port. Raises Refusal."""
    host = address.rpartition(":")[0].strip("[]")
    if not address.startswith("unix:") and host_class(host) != "loopback":
        raise Refusal(
            f"`{address}` can be reached by other machines, and who asks here is believed",
            fix="listen on 127.0.0.1:PORT or unix:PATH, and run it beside the proxy.",
        )
    return listening(address)


class Endpoint:
    """An application served on `bound`: on the main thread until a signal, or on a thread of its own."""

    def __init__(self, app: Any, bound: socket.socket) -> None:
        config = uvicorn.Config(
            app, http=BoundaryProtocol, log_config=None, lifespan="off", access_log=False, backlog=2048
        )
        self._bound, self._server = bound, uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        # uvicorn ends on these and then raises them again for whoever was there before: nobody.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        self._bound.listen(2048)
        ready()
        self._server.run(sockets=[self._bound])

    def start(self) -> None:
        self._bound.listen(2048)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._bound]}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(10)
