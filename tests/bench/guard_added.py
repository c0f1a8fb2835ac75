"""What a guard adds to a request, warm: the same application with and without it, over the same TLS, interleaved."""

from __future__ import annotations

import socket
import ssl
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]

from cryptography import x509  # noqa: E402  the path above comes first
from guarding import App, as_bytes, guard, serving  # noqa: E402
from identities import INVENTORY, ORDERS, Domain, Scene  # noqa: E402

from bindtrace.propagation import clock  # noqa: E402
from bindtrace.propagation.identity import keys  # noqa: E402
from bindtrace.propagation.identity.tls import client_context, server_context  # noqa: E402

CALLS = 2000
BUDGET_US = {"mtls": 150, "wpt": 400}


class Bare(App):
    """Keeps nothing, so that it is as fast at the end as at the beginning."""

    async def __call__(self, scope, receive, send):  # type: ignore[no-untyped-def]
        await super().__call__(scope, receive, send)
        self.scopes.clear()


def asked(connection: ssl.SSLSocket, raw: bytes) -> tuple[float, float]:
    """Microseconds until the answer is there, and of CPU in this process, caller and server together."""
    began, burnt = time.perf_counter(), time.process_time()
    connection.sendall(raw)
    answer = connection.recv(65536)
    took = (time.perf_counter() - began) * 1e6, (time.process_time() - burnt) * 1e6
    assert answer.startswith(b"HTTP/1.1 200"), answer[:300]
    return took


def guard_added() -> Iterator[str]:
    """Lines with the median of both, and what the guard adds."""
    now_s = clock.now_unix_nano() // 10**9
    scene, own = Scene(Domain(now_s=now_s)), keys.generate()
    leaves = [
        x509.load_der_x509_certificate(scene.domain.leaf(key, who))
        for key, who in ((own, INVENTORY), (scene.key, ORDERS))
    ]
    client = client_context(scene.key, leaves[1], [scene.domain.ca], expects=lambda _: True)
    guarded = guard(scene, Bare(), now_unix_nano=clock.now_unix_nano)
    token = scene.domain.token(scene.key)
    with ExitStack() as stack:
        connections = []
        for application in (Bare(), guarded):
            server = server_context(own, leaves[0], [scene.domain.ca])
            port = stack.enter_context(serving(application, server))
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connections.append(stack.enter_context(client.wrap_socket(plain)))
        for proof, budget in BUDGET_US.items():
            took: tuple[list[tuple[float, float]], ...] = ([], [])
            for number in range(CALLS):
                text = "" if proof == "mtls" else scene.proof(token, now_s=now_s)
                raw = as_bytes(scene.request(token, text, peer=b""), close=False)
                for place, connection in enumerate(connections):
                    spent = asked(connection, raw)
                    if number >= CALLS // 10:
                        took[place].append(spent)
            (bare, bare_cpu), (guarded_us, guarded_cpu) = (
                [statistics.median(column) for column in zip(*times, strict=True)] for times in took
            )
            added = guarded_us - bare
            yield (
                f"{proof}: bare p50 {bare:.0f} us, guarded {guarded_us:.0f} us, added {added:.0f} us "
                f"({guarded_cpu - bare_cpu:.0f} us of CPU), {'within' if added <= budget else 'OVER'} {budget} us"
            )
