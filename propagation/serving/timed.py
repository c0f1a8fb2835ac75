"""An HTTP connection that does not wait for ever: slow or endless heads and bodies are closed, never answered.

uvicorn closes nothing slow by itself. Closed without an answer, a real sender tries again; 408 would mean drop.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024


class Caps:
    """How many connections there may be, in all and of one host. Used on one event loop."""

    def __init__(self, total: int = 4096, per_host: int = 2048) -> None:
        self.total, self.per_host = total, per_host
        self._hosts: Counter[str] = Counter()

    def enter(self, host: str) -> bool:
        """Counts a connection; False where it is one too many. `leave` is due in either case."""
        self._hosts[host] += 1
        return self._hosts.total() <= self.total and self._hosts[host] <= self.per_host

    def leave(self, host: str) -> None:
        self._hosts[host] -= 1
        if self._hosts[host] <= 0:
            del self._hosts[host]


class TimedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with one timer: for the head from its first byte, then for the body."""

    head_s = 10.0
    body_s = 30.0
    caps = Caps()
    min_body_bytes_per_s = 1024  # a body older than `body_s` stays only while it comes at least this fast

    _host = ""
    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_body = False
    _body_bytes = 0
    _body_began_s = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection that says nothing is closed like one that says its head slowly."""
        super().connection_made(transport)
        self._arm(self.head_s, self._close)
        self._host = str((transport.get_extra_info("peername") or ("",))[0])
        if not self.caps.enter(self._host):
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self.caps.leave(self._host)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        in_head = not self._in_body
        super().data_received(data)
        if in_head and not self._in_body and self._head_open():
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 1
        if self._timer is None:
            self._arm(self.head_s, self._close)

    def extensions(self) -> dict[str, Any]:
        """The ASGI extensions of the request whose head is complete; for subclasses to fill."""
        return {}

    def on_headers_complete(self) -> None:
        self.scope["extensions"] = self.extensions()
        super().on_headers_complete()
        self._disarm()
        self._head_bytes = 0
        self._in_body = True
        self._body_bytes = 0
        self._body_began_s = self.loop.time()
        self._arm(self.body_s, self._judge_body)

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        self._disarm()
        super().on_message_complete()

    def _head_open(self) -> bool:
        return self._head_bytes > 0

    def _judge_body(self) -> None:
        if self._body_bytes < self.min_body_bytes_per_s * (self.loop.time() - self._body_began_s):
            self._close()
        else:
            self._arm(self.body_s / 6, self._judge_body)

    def _arm(self, seconds: float, action: Any) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, action)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        self._disarm()
        if not self.transport.is_closing():
            self.transport.abort()
