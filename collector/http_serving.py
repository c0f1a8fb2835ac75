"""How the collector's processes serve HTTP: alike, and with signals left to the process. Listens nowhere by itself."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

KEEP_ALIVE_S: Final = 75  # uvicorn's 5 s closes connections under exporters that send every 5 s


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: our processes end what they do in an order of their own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def start(
    app: ASGIApp,
    listeners: list[socket.socket],
    grace_s: int,
    tls: ssl.SSLContext | None = None,
    **protocol: Any,
) -> tuple[Server, asyncio.Task[None]]:
    """A server that serves, and its task; `should_exit` ends both within `grace_s`. `protocol`: uvicorn's `http`."""
    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=grace_s,
        **protocol,
    )
    config.load()
    config.ssl = tls
    server = Server(config)
    task = asyncio.get_running_loop().create_task(server.serve(sockets=listeners))
    while not server.started and not task.done():
        await asyncio.sleep(0.005)
    return server, task
