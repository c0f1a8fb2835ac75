"""One sender process: keeps some clients busy for a time and says what was acknowledged. Knows no collector's code.

`python ingest_sender.py '{"protocol": "http", "address": "127.0.0.1:4318", …}'`; see `Job`. Prints `ready`, begins
when a line comes on standard input, and prints one JSON line at the end.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import grpc
import uvloop
from ingest_bodies import SPANS_PREPARED, Stamped, prepared

RETRY_S = 0.1
Send = Callable[[bytes], Awaitable[bool]]


@dataclass(slots=True)
class Job:
    """`rate` is requests/s in an open loop: each is timed from when it was due; 0 is a closed loop."""

    protocol: str
    address: str
    clients: int
    spans: int
    seconds: float
    seed: int
    rate: float = 0.0
    warm_up_s: float = 1.0


@dataclass(slots=True)
class Seen:
    acked: int = 0
    refused: int = 0
    bytes: int = 0
    ms: list[float] = field(default_factory=list)


class HttpClient(asyncio.Protocol):
    """One keep-alive connection, one request at a time, answers read just enough to tell them apart."""

    def __init__(self, address: str) -> None:
        self._head = (
            f"POST /v1/traces HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/x-protobuf\r\ncontent-length: "
        ).encode()
        self._answer: asyncio.Future[bool] | None = None
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if end and len(body) >= _length(head):
            self._data = b""
            if self._answer and not self._answer.done():
                self._answer.set_result(head[9:12] == b"200")

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("closed"))

    async def send(self, body: bytes) -> bool:
        """Whether it was acknowledged; False: try again later."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.writelines((self._head, b"%d\r\n\r\n" % len(body), body))
        return await self._answer


def _length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def _http(job: Job) -> list[Send]:
    host, _, port = job.address.rpartition(":")
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(job.clients):
        _, client = await loop.create_connection(lambda: HttpClient(job.address), host, int(port))
        clients.append(client.send)
    return clients


async def _grpc(job: Job) -> list[Send]:
    options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(job.address, options) for _ in range(min(4, job.clients))]
    calls = [
        channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        for channel in channels
    ]

    def sending(call: Callable[[bytes], Awaitable[bytes]]) -> Send:
        async def send(body: bytes) -> bool:
            try:
                await call(body)
            except grpc.aio.AioRpcError:
                return False
            return True

        return send

    return [sending(calls[place % len(calls)]) for place in range(job.clients)]


async def _closed(
    job: Job, send: Send, bodies: Iterator[bytes], seen: Seen, begin: float, end: float
) -> None:
    while (started := time.perf_counter()) < end:
        body = next(bodies)
        while not await send(body):
            seen.refused += 1
            if time.perf_counter() > end:
                return
            await asyncio.sleep(RETRY_S)
        now = time.perf_counter()
        if begin <= now <= end:
            seen.acked += job.spans
            seen.bytes += len(body)
            seen.ms.append((now - started) * 1000)


async def _open(
    job: Job, sends: list[Send], bodies: Iterator[bytes], seen: Seen, begin: float, end: float
) -> None:
    idle = deque(sends)
    due: deque[float] = deque()
    tasks: set[asyncio.Task[None]] = set()

    async def one(send: Send, planned: float) -> None:
        body = next(bodies)
        while not await send(body):
            seen.refused += 1
            await asyncio.sleep(RETRY_S)
        now = time.perf_counter()
        if planned >= begin:
            seen.acked += job.spans
            seen.bytes += len(body)
            seen.ms.append((now - planned) * 1000)
        idle.append(send)

    planned = time.perf_counter()
    while planned < end:
        now = time.perf_counter()
        while planned <= now:
            due.append(planned)
            planned += 1 / job.rate
        while due and idle:
            task = asyncio.create_task(one(idle.popleft(), due.popleft()))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.sleep(min(0.001, max(0.0, planned - now)))
    await asyncio.wait_for(asyncio.gather(*tasks), 30)


async def run(job: Job) -> None:
    spans = SPANS_PREPARED if job.spans > 1 else 8_000
    bodies = iter(Stamped(prepared(job.seed, job.spans, spans), job.seed % 256))
    sends = await {"http": _http, "grpc": _grpc}[job.protocol](job)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    seen = Seen()
    begin = time.perf_counter() + job.warm_up_s
    end = begin + job.seconds
    if job.rate:
        await _open(job, sends, bodies, seen, begin, end)
    else:
        await asyncio.gather(*(_closed(job, send, bodies, seen, begin, end) for send in sends))
    seen.ms.sort()
    print(
        json.dumps({"acked": seen.acked, "refused": seen.refused, "bytes": seen.bytes, "ms": seen.ms}),
        flush=True,
    )


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(Job(**json.loads(sys.argv[1]))))
