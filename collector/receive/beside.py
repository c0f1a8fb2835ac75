"""Zipkin's spans on the API's address, for senders that know no other: a receiver's intake in the storage process.

Its journal directory is made with the first request: a collector that nobody sends Zipkin to has none.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from bindtrace.collector.journal.segment import JournalWriter
from bindtrace.collector.receive import http_server
from bindtrace.collector.receive.accounting import keep_writing
from bindtrace.collector.receive.auth import Tokens
from bindtrace.collector.receive.budget import Budget
from bindtrace.collector.receive.doors import Doors
from bindtrace.collector.receive.group import GroupCommit
from bindtrace.collector.receive.intake import Intake
from bindtrace.collector.receive.room import Room
from bindtrace.collector.receive.status import Cause, Refused
from bindtrace.collector.redact.salt import salt_path
from bindtrace.collector.redact.walk import use_salt

BUDGET_BYTES = 32 * 1024 * 1024
"""Much less than a receiver's: storage has work of its own."""
PATH = "/zipkin/api/v2/spans"


class ZipkinBeside:
    """An application for `PATH`; every other path of it is 404. `close` ends what the first request began."""

    def __init__(self, journal: Path, room: Room, tokens: Tokens) -> None:
        self._journal = journal
        self._room = room
        self._tokens = tokens
        self._app: ASGIApp | None = None
        self._closed = False
        self._opened = contextlib.AsyncExitStack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"].rstrip("/") != PATH:
            await http_server.answer(
                send, Refused(Cause.NOT_FOUND, f"Zipkin's spans are taken at {PATH}"), as_json=True
            )
            return
        if self._closed:
            await http_server.answer(
                send, Refused(Cause.UNAVAILABLE, "the collector is stopping"), as_json=True
            )
            return
        if self._app is None:
            try:
                self._app = await self._open()
            except OSError as error:
                await http_server.answer(send, Refused(Cause.UNAVAILABLE, f"journal: {error}"), as_json=True)
                return
        await self._app(scope, receive, send)

    async def close(self) -> None:
        """Takes nothing more. What was acknowledged is in the journal, whose segment has ended."""
        self._closed = True
        await self._opened.aclose()

    async def _open(self) -> ASGIApp:
        use_salt(salt_path(self._journal.with_suffix("")))
        writer = JournalWriter(self._journal / uuid.uuid4().hex)
        self._opened.callback(writer.close)
        group = GroupCommit(writer)
        self._opened.push_async_callback(group.close)
        intake = Intake(group, self._room, Budget(BUDGET_BYTES), Doors(tokens=self._tokens))
        counting = asyncio.get_running_loop().create_task(keep_writing(intake.accounting, group))

        async def stop_counting() -> None:
            counting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await counting

        self._opened.push_async_callback(stop_counting)
        return http_server.build(intake)
