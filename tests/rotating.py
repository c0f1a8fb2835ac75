"""Rotation under load (T6): an authority, a guarded service over mTLS and callers, with all lives scaled down."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from guarding import App, serving

from bindtrace.propagation import clock
from bindtrace.propagation.authority.issuing import Authority, initialise
from bindtrace.propagation.authority.rotation import Lives
from bindtrace.propagation.guard.asgi import ASGIGuard
from bindtrace.propagation.identity.policy import Binding
from bindtrace.propagation.identity.spiffe import Workload
from bindtrace.propagation.serving import authority as authority_process
from bindtrace.propagation.workload import joining
from bindtrace.propagation.workload.httpx_transport import BindingTransport
from bindtrace.propagation.workload.identity import Identity
from bindtrace.propagation.workload.outgoing import Target

SCALED = Lives(ca_s=120, token_key_s=120, leaf_s=10, token_s=8, skew_s=2, refresh_s=2, publish_s=6)
ORDERS = Workload("shop.example", "p1", "production", "orders", "d1")
INVENTORY = Workload("shop.example", "p1", "production", "inventory", "d7")


def now_s() -> int:
    return clock.now_unix_nano() // 10**9


class Scaled:
    """The authority of a test; `running` is its process, as a thread that can be stopped and started again."""

    def __init__(self, folder: Path, lives: Lives = SCALED) -> None:
        self.directory, self.lives = folder / "ca", lives
        self.address = f"unix:{self.directory / 'a.sock'}"
        self.authority = initialise(self.directory, "shop.example", lives, now_s())
        for workload in (ORDERS, INVENTORY):
            self.authority.register(workload, now_s())
        self.authority.bind(Binding("b1", ORDERS.of_service, INVENTORY.of_service, 1))

    def start(self) -> Callable[[], None]:
        ended, ready = threading.Event(), threading.Event()
        thread = threading.Thread(
            target=authority_process.serve,
            args=(self.directory, self.address),
            kwargs={"ready": ready.set, "stop": ended},
            daemon=True,
        )
        thread.start()
        assert ready.wait(10)

        def stop() -> None:
            ended.set()
            thread.join(20)
            assert not thread.is_alive()

        return stop

    @contextmanager
    def running(self) -> Iterator[None]:
        stop = self.start()
        try:
            yield
        finally:
            stop()

    def join(self, workload: Workload) -> Identity:
        return Identity.join(self.invite(workload))

    def invite(self, workload: Workload) -> Path:
        """The file that a workload joins with."""
        opened = Authority(self.directory)
        path = self.directory / f"{workload.service}-{time.monotonic_ns()}.join"
        secret = opened.invite(workload, now_s())
        joining.write(path, joining.Invitation(self.address, workload, secret, opened.bundle()))
        opened.store.close()
        return path

    def cas(self) -> int:
        return self.authority.store.keys("ca")[-1].key.number


class Callers:
    """Threads that call without rest, half of them on kept connections; what came of it, by answer or error."""

    def __init__(self, identity: Identity, port: int, count: int, proof: Any = "mtls") -> None:
        self.outcomes: Counter[str] = Counter()
        self.last: dict[str, float] = {}
        self._ended = threading.Event()
        self._identity, self._url = identity, f"https://127.0.0.1:{port}"
        self._target = Target(INVENTORY.of_service, proof)
        self._threads = [
            threading.Thread(target=self._call, args=(place % 2 == 0,), daemon=True) for place in range(count)
        ]

    def _call(self, kept: bool) -> None:
        limits = httpx.Limits(max_keepalive_connections=None if kept else 0)
        transport = BindingTransport(self._identity, {self._url: self._target}, limits=limits)
        with httpx.Client(transport=transport) as client:
            while not self._ended.is_set():
                try:
                    answer = client.get(f"{self._url}/stock/7", timeout=10)
                    outcome = (
                        str(answer.status_code) if answer.is_success else str(answer.json().get("reason"))
                    )
                except Exception as error:
                    outcome = f"{type(error).__name__}: {error}"[:120]
                self.outcomes[outcome] += 1
                self.last[outcome] = time.monotonic()
                if outcome != "200":
                    time.sleep(0.05)

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(20)


@contextmanager
def called(identity: Identity, app: App | None = None) -> Iterator[int]:
    """The port of a guarded inventory that takes its leaf and trust of each handshake from `identity`."""
    guard = ASGIGuard(
        app or App(), mode="enforce", receiver=identity.receiver(), trust=identity, explain=True
    )
    with serving(guard, identity.server_context(), limit_concurrency=None) as port:
        yield port
