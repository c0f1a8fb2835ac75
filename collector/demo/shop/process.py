"""One process of the shop: serves one of its applications on a socket that the demo has bound already.

    python -m bindtrace.collector.demo.shop.process catalog --socket-fd 5 --supervisor-fd 6

Nothing of the service itself is here. It goes when the demo is gone, however that ends.
"""

from __future__ import annotations

import asyncio
import socket
from importlib import import_module

import click
import uvicorn
from starlette.types import ASGIApp

from bindtrace.collector.child import announce_ready, watch_supervisor
from bindtrace.collector.demo.shop import shim
from bindtrace.propagation.serving.boundary import BoundaryProtocol


@click.command()
@click.argument("service")
@click.option("--socket-fd", type=int, required=True, help="A bound and listening socket.")
@click.option("--supervisor-fd", type=int, required=True, help="A pipe that closes when the demo is gone.")
def main(service: str, socket_fd: int, supervisor_fd: int) -> None:
    """Serve one application of the shop."""
    app = import_module(f"bindtrace.collector.demo.shop.{service}").app
    asyncio.run(_serve(app, socket.socket(fileno=socket_fd), supervisor_fd))


async def _serve(app: ASGIApp, listener: socket.socket, supervisor_fd: int) -> None:
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
    if shim.identity is not None:
        config.http, config.proxy_headers = BoundaryProtocol, False
    config.load()
    config.ssl = shim.listening()
    server = uvicorn.Server(config)
    watch_supervisor(supervisor_fd, lambda: setattr(server, "should_exit", True))
    announce_ready({"ready": True})
    await server.serve(sockets=[listener])


if __name__ == "__main__":
    main()
