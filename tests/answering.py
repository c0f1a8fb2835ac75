"""A collector's API over a database file: in the test's own process, or on a free port for as long as it is needed."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import httpx
import uvicorn
from starlette.types import ASGIApp
from support import free_port, wait_for

from bindtrace.queries.api.app import build
from bindtrace.queries.api.asking import Asked
from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import cursor, open_database
from bindtrace.queries.query import Query


class Api:
    """Asks an application without a socket between."""

    def __init__(self, app: ASGIApp) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def get(self, path: str, params: dict[str, str] | None = None) -> httpx.Response:
        return self.request("GET", path, params)

    def request(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://api") as client:
                return await client.request(method, path, params=params, headers=headers)

        return asyncio.run(ask())


def asked_of(con: duckdb.DuckDBPyConnection) -> Asked:
    """Opens a connection for each question, as storage does."""

    @contextlib.contextmanager
    def asked() -> Iterator[duckdb.DuckDBPyConnection]:
        own = cursor(con)
        try:
            yield own
        finally:
            own.close()

    return asked


@contextlib.contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The address at which `app` answers until the block ends."""
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_for(lambda: server.started, what="the API")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@contextlib.contextmanager
def answering(path: Path) -> Iterator[str]:
    """The address of an API that answers reports about the database at `path`."""
    con = open_database(path)
    try:
        with answering_on(con) as url:
            yield url
    finally:
        con.close()


@contextlib.contextmanager
def answering_on(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """The same of an open database, which may go on growing."""

    def run(name: str, query: Query) -> list[dict[str, Any]]:
        return run_report(cursor(con), name, query)

    with served(build(run, lambda: {"pid": 1, "endpoints": {}}, lambda position, timeout: True)) as url:
        yield url
