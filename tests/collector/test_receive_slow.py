"""Slow and endless requests are closed without an answer; those that come at a fair pace are not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import uvicorn

from bindtrace.collector.ports import Address, listen
from bindtrace.propagation.serving.timed import MAX_HEAD_BYTES, TimedProtocol

HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]]


class Hasty(TimedProtocol):
    head_s = 0.2
    body_s = 0.3
    min_body_bytes_per_s = 100


class Quiet(uvicorn.Server):
    def capture_signals(self):  # type: ignore[no-untyped-def]
        return contextlib.nullcontext()


async def echo_length(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
    await send({"type": "http.response.body", "body": b"%3d" % size})


def talk(with_server: Talk, protocol: type[TimedProtocol] = Hasty) -> bytes:
    """What the server said until it closed; fails after 5 s."""

    async def run() -> bytes:
        config = uvicorn.Config(
            echo_length, http=protocol, ws="none", lifespan="off", log_config=None, timeout_keep_alive=1
        )
        server, listener = Quiet(config), listen(Address("127.0.0.1", 0))
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        port = listener.getsockname()[1]
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            return await asyncio.wait_for(with_server(reader, writer), 5)
        finally:
            server.should_exit = True
            await serving

    return asyncio.run(run())


async def rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


def test_a_silent_connection_is_closed() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        return await rest(reader)

    assert talk(say_nothing) == b""


def test_a_head_that_does_not_end_is_closed() -> None:
    async def half_a_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(HEAD[:20])
        return await rest(reader)

    assert talk(half_a_head) == b""


def test_a_head_without_measure_is_closed() -> None:
    async def long_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(HEAD[:-2] + b"x: " + b"y" * MAX_HEAD_BYTES * 4)
        return await rest(reader)

    assert talk(long_head, TimedProtocol) == b""


def test_a_body_that_stops_coming_is_closed() -> None:
    async def half_a_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(HEAD + b"x" * 10)
        return await rest(reader)

    assert talk(half_a_body) == b""


def test_a_body_at_a_fair_pace_is_answered_though_it_takes_longer() -> None:
    async def steady(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(HEAD)
        for _ in range(10):
            writer.write(b"x" * 10)
            await asyncio.sleep(0.05)
        return await reader.readuntil(b"100")

    assert talk(steady).startswith(b"HTTP/1.1 200")


def test_a_kept_connection_may_rest_longer_than_a_head_may_take() -> None:
    async def two_requests(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(HEAD + b"x" * 100)
        await reader.readuntil(b"100")
        await asyncio.sleep(0.5)
        writer.write(HEAD + b"x" * 100)
        return await reader.readuntil(b"100")

    assert talk(two_requests).startswith(b"HTTP/1.1 200")
