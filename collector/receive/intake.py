"""One export from inflated bytes to durable, whatever transport carried it. Never raises to a transport."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from bindtrace.collector.journal.record import Request
from bindtrace.collector.journal.segment import JournalError
from bindtrace.collector.otlp.admit import Admitted, Encoding, Undecodable, admit
from bindtrace.collector.otlp.undecodable import NotTaken
from bindtrace.collector.receive.accounting import Accounting
from bindtrace.collector.receive.budget import Budget
from bindtrace.collector.receive.doors import Doors
from bindtrace.collector.receive.group import GroupCommit
from bindtrace.collector.receive.pace import Pace
from bindtrace.collector.receive.room import Room
from bindtrace.collector.receive.status import Accepted, Cause, Refused
from bindtrace.propagation.clock import now_unix_nano

MAX_REQUEST_BYTES = 64 * 1024 * 1024  # OTLP 1.11 recommends it, also after decompression
TOO_LARGE = Refused(
    Cause.TOO_LARGE, f"the request is larger than {MAX_REQUEST_BYTES >> 20} MiB: send less at a time"
)
BUSY = Refused(Cause.BUSY, "too many requests at once: send again in a second")
NO_TOKEN = Refused(
    Cause.UNAUTHENTICATED, "send the header `authorization: Bearer TOKEN` with a token of this collector"
)
_IN_LOOP_BYTES = 512 * 1024  # larger ones are judged in a thread, so that the others are answered meanwhile
_LARGE_AT_ONCE = 2  # what a request is while it is judged is not in the budget: few at a time
_NONE: Mapping[str, int] = {}
log = logging.getLogger("bindtrace.receive")


class Intake:
    """What both servers hand their requests to."""

    def __init__(
        self,
        group: GroupCommit,
        room: Room,
        budget: Budget,
        doors: Doors | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.budget = budget
        self.doors = doors or Doors()
        self.accounting = Accounting()
        self._group = group
        self._room = room
        self._pace = pace
        self._large = ThreadPoolExecutor(_LARGE_AT_ONCE, thread_name_prefix="large")

    async def take(
        self,
        body: bytes,
        *,
        encoding: Encoding,
        protocol: str,
        identity: str = "",
        quirks: Mapping[str, int] = _NONE,
    ) -> Accepted | Refused:
        """Judges, journals, and answers when it is durable. `identity` is who the sender proved to be."""
        admitted: Admitted | None = None
        outcome: Accepted | Refused
        if shortage := self._room.shortage(time.monotonic()):
            outcome = Refused(Cause.UNAVAILABLE, shortage)
        else:
            judged = await self._judge(body, encoding, protocol, identity)
            if isinstance(judged, Refused):
                outcome = judged
            else:
                admitted, digest = judged
                outcome = await self._keep(admitted, digest, encoding, protocol)
        if isinstance(outcome, Refused):
            self.refuse(outcome, protocol, identity, admitted)
        elif admitted is not None:
            self.accounting.admitted(admitted, protocol, identity, quirks)
        return outcome

    async def hold(self, outcome: Accepted | Refused) -> None:
        """Before the answer: returns when storage is near enough. Drop the body first, it is not needed any more."""
        if self._pace is not None and isinstance(outcome, Accepted) and outcome.position is not None:
            await self._pace.hold()

    def refuse(
        self, refused: Refused, protocol: str, identity: str = "", admitted: Admitted | None = None
    ) -> Refused:
        """Counts a refusal, and returns it."""
        self.accounting.refused(refused.cause.name.lower().replace("_", "-"), protocol, identity, admitted)
        return refused

    async def _judge(
        self, body: bytes, encoding: Encoding, protocol: str, identity: str
    ) -> tuple[Admitted, bytes] | Refused:
        try:
            if len(body) <= _IN_LOOP_BYTES:
                judged = _judge(body, encoding, identity)
            else:
                loop = asyncio.get_running_loop()
                judged = await loop.run_in_executor(self._large, _judge, body, encoding, identity)
        except Exception as error:
            # Without the traceback's values: what a sender sent may stand in an error's text.
            log.error(
                "event=admission_bug protocol=%s encoding=%s error=%s", protocol, encoding, _where(error)
            )
            return Refused(Cause.BUG, "the request could not be judged; this is a fault of the collector")
        if isinstance(judged, Undecodable):
            cause = Cause.NOT_FOUND if isinstance(judged, NotTaken) else Cause.UNDECODABLE
            return Refused(cause, str(judged))
        return judged

    async def _keep(
        self, admitted: Admitted, digest: bytes, encoding: Encoding, protocol: str
    ) -> Accepted | Refused:
        if not admitted.spans:
            return Accepted(None, admitted.rejected, admitted.message)
        request = Request(
            admitted.sender, protocol, encoding, now_unix_nano(), digest, admitted.spans, admitted.body
        )
        try:
            position = await self._group.commit(request)
        except JournalError as error:
            return Refused(Cause.UNAVAILABLE, f"not stored, send again: {error}")
        return Accepted(position, admitted.rejected, admitted.message)


def _judge(body: bytes, encoding: Encoding, identity: str) -> tuple[Admitted, bytes] | Undecodable:
    admitted = admit(body, encoding, exporter=identity)
    if isinstance(admitted, Undecodable):
        return admitted
    # The authenticated sender, else service and SDK: never an address, which changes between two attempts.
    digest = hashlib.sha256((identity or admitted.sender).encode("utf-8", "replace") + b"\0")
    digest.update(body)
    return admitted, digest.digest()[:16]


def _where(error: Exception) -> str:
    """Kind and place of an error, without its message."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else "?"
    return f"{type(error).__name__}@{place}"
