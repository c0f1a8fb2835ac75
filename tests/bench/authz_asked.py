"""What a proxy waits for `bindtrace authz serve`: 200 questions a second, each with a fresh proof and a span sent."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1])]

import grpc  # noqa: E402  the path above comes first
import psutil  # noqa: E402
from rotating import INVENTORY, ORDERS, Scaled  # noqa: E402
from support import free_port, listening, wait_for  # noqa: E402

from bindtrace.propagation import clock  # noqa: E402
from bindtrace.propagation.authority.rotation import Lives  # noqa: E402
from bindtrace.propagation.workload.outgoing import Target, sign  # noqa: E402

RATE, SECONDS, CONNECTIONS = 200, 10, 8
BUDGET_MS = 20


class Sink(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Takes spans and keeps nothing."""

    def service(self, details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(lambda body, context: b"")


def authz_asked() -> Iterator[str]:
    """Median, p99 and the most, from when a question was due until its answer was there."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        scaled = Scaled(folder, Lives())
        stack.enter_context(scaled.running())
        sink = grpc.server(ThreadPoolExecutor(1), handlers=[Sink()])
        told = sink.add_insecure_port("127.0.0.1:0")
        sink.start()
        stack.callback(lambda: sink.stop(0).wait())
        orders = scaled.join(ORDERS)
        stack.callback(orders.close)
        port = free_port()
        command = [Path(sys.executable).parent / "bindtrace", "authz", "serve", "--join", scaled.invite(INVENTORY),
                   "--mode", "enforce", "--listen", f"127.0.0.1:{port}", "--files", folder / "files"]  # fmt: skip
        environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{told}"}
        served = subprocess.Popen(list(map(str, command)), env=environment, stderr=subprocess.DEVNULL)
        stack.callback(served.wait)
        stack.callback(served.terminate)
        wait_for(lambda: listening(port), seconds=30, what="authz serve")
        questions = [_question(orders) for _ in range(RATE * SECONDS)]
        before = sum(psutil.Process(served.pid).cpu_times()[:2])
        took = _asked(port, questions)
        burnt_ms = (sum(psutil.Process(served.pid).cpu_times()[:2]) - before) * 1000 / len(took)
    took.sort()
    p50, p99, most = (took[place] * 1000 for place in (len(took) // 2, len(took) * 99 // 100, -1))
    yield (
        f"{RATE} a second for {SECONDS} s over {CONNECTIONS} connections: p50 {p50:.1f} ms, p99 {p99:.1f} ms, "
        f"at most {most:.1f} ms, {burnt_ms:.2f} ms of CPU a question, "
        f"{'within' if p99 <= BUDGET_MS else 'OVER'} {BUDGET_MS} ms"
    )


def _question(orders: Any) -> bytes:
    """As Envoy asks; all are made before, so that signing is not in what is measured."""
    added = sign(
        orders.generation, Target(INVENTORY.of_service, "wpt"), method="GET", url="https://inventory/stock/7",
        other_headers={}, now_s=clock.now_unix_nano() / 1e9,
    )  # fmt: skip
    trace = f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"
    lines = ["GET /same/stock/7 HTTP/1.1", "host: inventory", f"traceparent: {trace}"]
    return (
        "\r\n".join([*lines, *(f"{name}: {value}" for name, value in added.headers)]).encode() + b"\r\n\r\n"
    )


def _asked(port: int, questions: list[bytes]) -> list[float]:
    """Seconds of each. Every connection has its turn at its own times, whether the one before was answered or not."""
    took: list[float] = []
    began = time.perf_counter() + 0.5

    def ask(place: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for number in range(place, len(questions), CONNECTIONS):
                due = began + number / RATE
                time.sleep(max(0.0, due - time.perf_counter()))
                connection.sendall(questions[number])
                answer = connection.recv(65536)
                took.append(time.perf_counter() - due)
                assert answer.startswith(b"HTTP/1.1 200"), answer[:300]

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(took) == len(questions)
    return took
