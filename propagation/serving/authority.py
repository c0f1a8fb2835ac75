"""The authority's process: listens with TLS on a socket file or a port, and rotates what is due."""

from __future__ import annotations

import logging
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import uvicorn

from bindtrace.propagation import clock
from bindtrace.propagation.authority.api import AuthorityApp
from bindtrace.propagation.authority.issuing import Authority
from bindtrace.propagation.authority.key_files import check_private
from bindtrace.propagation.authority.telling import DeploymentTeller
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.identity import keys
from bindtrace.propagation.identity.tls import following, server_context
from bindtrace.propagation.serving.boundary import BoundaryProtocol
from bindtrace.propagation.serving.telemetry import trace_as

log = logging.getLogger("bindtrace.authority")


class OwnIdentity:
    """The authority's own TLS context, new at half its life and whenever the bundle changes."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._lock = threading.Lock()
        self._sequence, self._renew_s = -1, 0
        self._context: ssl.SSLContext | None = None

    def current(self) -> ssl.SSLContext:
        now_s = clock.now_unix_nano() // 10**9
        with self._lock:
            bundle = self._authority.bundle()
            if self._context is None or bundle.sequence != self._sequence or now_s >= self._renew_s:
                key = keys.generate()
                leaf = self._authority.own_credentials(keys.public_of(key), now_s)
                self._context = server_context(key, leaf, bundle.authorities, client="optional")
                self._sequence = bundle.sequence
                self._renew_s = now_s + self._authority.lives.leaf_s // 2
            return self._context


def listening(address: str) -> socket.socket:
    """A bound socket: `unix:PATH` (its directory is private) or `HOST:PORT`. Raises Refusal."""
    if address.startswith("unix:"):
        path = Path(address.removeprefix("unix:"))
        check_private(path.parent)
        path.unlink(missing_ok=True)
        bound = socket.socket(socket.AF_UNIX)
        bound.bind(str(path))
        os.chmod(path, 0o600)
        bound.listen()  # who comes before the server is up waits, and is not turned away
        return bound
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise Refusal(f"`{address}` is not an address", fix="give `unix:PATH` or `HOST:PORT`.")
    try:
        return socket.create_server((host, int(port)), reuse_port=False)
    except OSError as error:
        raise Refusal(f"`{address}` cannot be bound: {error.strerror}", fix="choose another.") from error


def serve(
    directory: Path,
    address: str,
    *,
    ready: Callable[[], None] = lambda: None,
    stop: threading.Event | None = None,
) -> None:
    """Until a signal ends it, or `stop` is set. Raises Refusal where it cannot start."""
    bound = listening(address)
    authority = Authority(directory)
    authority.rotate(clock.now_unix_nano() // 10**9)
    own = OwnIdentity(Authority(directory))
    config = uvicorn.Config(
        AuthorityApp(authority), http=BoundaryProtocol, log_config=None, lifespan="off", access_log=False
    )
    config.load()
    config.ssl = following(own.current)
    server = uvicorn.Server(config)
    provider = trace_as(authority.own)
    ended = stop or threading.Event()
    ticking = threading.Thread(target=_tick, args=(directory, ended, server), daemon=True)
    ticking.start()
    ready()
    if threading.current_thread() is threading.main_thread():
        # uvicorn ends on these and then raises them again for whoever was there before: nobody.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
    try:
        server.run(sockets=[bound])
    finally:
        ended.set()
        ticking.join(10)
        if provider is not None:
            provider.shutdown()
        if address.startswith("unix:"):
            Path(address.removeprefix("unix:")).unlink(missing_ok=True)


def _tick(directory: Path, ended: threading.Event, server: uvicorn.Server) -> None:
    """Its own connection to the store: rotation does not wait for a request, nor the other way round."""
    authority = Authority(directory)
    teller = DeploymentTeller()
    every_s = max(0.5, authority.lives.refresh_s / 4)
    due = True
    while due:
        try:
            for step in authority.rotate(clock.now_unix_nano() // 10**9):
                log.info("event=%s key=%s number=%d", step.action, step.kind, step.number)
            teller.tell(authority.store.deployments(authority.trust_domain), clock.now_unix_nano() // 10**9)
        except Exception:
            log.exception("event=rotation_failed")
        due = not ended.wait(every_s)
    authority.store.close()
    server.should_exit = True
