"""Rotation under load (T6): an authority, a guarded service over mTLS and callers, with all lives scaled down."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
from guarding import App, serving

from bindtrace.propagation import clock
from bindtrace.propagation.authority.issuing import Authority, initialise
from bindtrace.propagation.authority.rotation import Lives
from bindtrace.propagation.guard.asgi import ASGIGuard
from bindtrace.propagation.identity.policy import Binding
from bindtrace.propagation.identity.spiffe import Workload
from bindtrace.propagation.serving import authority as authority_process
from bindtrace.propagation.serving.grpc_guard import GuardInterceptor, server_credentials
from bindtrace.propagation.workload import joining
from bindtrace.propagation.workload.grpc_channel import BindingChannel
from bindtrace.propagation.workload.httpx_transport import BindingTransport
from bindtrace.propagation.workload.identity import Identity
from bindtrace.propagation.workload.outgoing import Target

SCALED = Lives(ca_s=120, token_key_s=120, leaf_s=10, token_s=8, skew_s=2, refresh_s=2, publish_s=6)
ORDERS = Workload("shop.example", "p1", "production", "orders", "d1")
DNS_NAME = "inventory.internal"
INVENTORY = Workload("shop.example", "p1", "production", "inventory", "d7")


def now_s() -> int:
    return clock.now_unix_nano() // 10**9


class Scaled:
    """The authority of a test; `running` is its process, as a thread that can be stopped and started again."""

    def __init__(self, folder: Path, lives: Lives = SCALED) -> None:
        self.directory, self.lives = folder / "ca", lives
        self.address = f"unix:{self.directory / 'a.sock'}"
        self.authority = initialise(self.directory, "shop.example", lives, now_s())
        self.authority.register(ORDERS, now_s())
        self.authority.register(INVENTORY, now_s(), dns_names=[DNS_NAME])
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


Call = Callable[[], str]
Road = Callable[[bool], AbstractContextManager[Call]]
"""Gives a way to call, on kept connections or on a new one a call; a call says `200` or what went wrong."""


class Callers:
    """Threads that call without rest, half of them on kept connections; what came of it, by answer or error."""

    def __init__(self, road: Road, count: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self.last: dict[str, float] = {}
        self._ended = threading.Event()
        self._road = road
        self._threads = [
            threading.Thread(target=self._call, args=(place % 2 == 0,), daemon=True) for place in range(count)
        ]

    def _call(self, kept: bool) -> None:
        with self._road(kept) as call:
            while not self._ended.is_set():
                try:
                    outcome = call()
                except Exception as error:
                    outcome = f"{type(error).__name__}: {error}"[:300]
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


def by_httpx(identity: Identity, port: int, proof: Any = "mtls") -> Road:
    """Over a transport of ours to the guarded service itself."""
    url = f"https://127.0.0.1:{port}"

    @contextmanager
    def road(kept: bool) -> Iterator[Call]:
        limits = httpx.Limits(max_keepalive_connections=None if kept else 0)
        targets = {url: Target(INVENTORY.of_service, proof)}
        with httpx.Client(transport=BindingTransport(identity, targets, limits=limits)) as client:
            yield lambda: _said(client.get(f"{url}/stock/7", timeout=10))

    return road


def by_sidecar(port: int) -> Road:
    """In plain text to a proxy beside the caller, which does the rest."""

    @contextmanager
    def road(kept: bool) -> Iterator[Call]:
        limits = httpx.Limits(max_keepalive_connections=None if kept else 0)
        with httpx.Client(limits=limits) as client:
            yield lambda: _said(client.get(f"http://127.0.0.1:{port}/stock/7", timeout=10))

    return road


def by_grpc(identity: Identity, port: int, proof: Any = "mtls") -> Road:
    """Over a channel of ours to a guarded gRPC server."""
    options = (("grpc.ssl_target_name_override", DNS_NAME),)

    def opened() -> BindingChannel:
        target = Target(INVENTORY.of_service, proof)
        return BindingChannel(identity, f"127.0.0.1:{port}", target, options)

    def asked(channel: BindingChannel) -> str:
        channel.unary_unary("/shop.Stock/Get")(b"7", timeout=10)
        return "200"

    @contextmanager
    def road(kept: bool) -> Iterator[Call]:
        if kept:
            with opened() as channel:
                yield lambda: asked(channel)
            return

        def once() -> str:
            with opened() as channel:
                return asked(channel)

        yield once

    return road


def _said(answer: httpx.Response) -> str:
    if answer.is_success:
        return str(answer.status_code)
    try:
        return str(answer.json()["reason"])
    except (ValueError, KeyError):
        return f"{answer.status_code}: {answer.text[:300]}"


@contextmanager
def called(identity: Identity, app: App | None = None) -> Iterator[int]:
    """The port of a guarded inventory that takes its leaf and trust of each handshake from `identity`."""
    guard = ASGIGuard(
        app or App(), mode="enforce", receiver=identity.receiver(), trust=identity, explain=True
    )
    with serving(guard, identity.server_context(), limit_concurrency=None) as port:
        yield port


class _Stock(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    def service(self, details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(lambda message, context: message)


@contextmanager
def called_by_grpc(identity: Identity) -> Iterator[int]:
    """The same for gRPC."""
    guard = GuardInterceptor(mode="enforce", receiver=identity.receiver(), trust=identity, explain=True)
    server = grpc.server(ThreadPoolExecutor(8), interceptors=[guard], handlers=[_Stock()])
    port = server.add_secure_port("127.0.0.1:0", server_credentials(identity))
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait()
