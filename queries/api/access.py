"""Who may ask, and how often: bearer tokens with read scope, a bucket of questions for each. Logs no token."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

Named = Callable[[str | None], str | None]
"""Whose `Authorization` header it is; None for nobody's."""

OPEN: Final = frozenset({"/livez", "/readyz"})
"""Health has no secrets, and whoever asks for it seldom has a token."""
PER_SECOND: Final = 100.0
BURST: Final = 400.0
MOST_ASKERS: Final = 10_000


class Guarded:
    """Lets questions through that show a token, where `named` is given, and that do not come too often."""

    def __init__(
        self,
        app: ASGIApp,
        named: Named | None,
        per_second: float = PER_SECOND,
        burst: float = BURST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._named = named
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        asker = (scope.get("client") or ("",))[0]
        if self._named is not None:
            name = self._named(_authorization(scope))
            if name is None:
                await _answer(send, 401, "a token is needed", [(b"www-authenticate", b"Bearer")])
                return
            asker = f"token {name}"
        wait_s = self._take(asker)
        if wait_s > 0:
            headers = [(b"retry-after", str(max(1, round(wait_s))).encode())]
            await _answer(send, 429, f"more than {self._per_second:g} questions a second", headers)
            return
        await self._app(scope, receive, send)

    def _take(self, asker: str) -> float:
        """0 where the asker may ask, else how many seconds it should wait."""
        now = self._clock()
        left, since = self._buckets.pop(asker, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_second)
        allowed = left >= 1
        self._buckets[asker] = (left - 1 if allowed else left, now)
        if len(self._buckets) > MOST_ASKERS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self._per_second


def _authorization(scope: Scope) -> str | None:
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    return given[0].decode("latin-1") if len(given) == 1 else None


async def _answer(send: Send, status: int, message: str, headers: list[tuple[bytes, bytes]]) -> None:
    fix = {401: "send `Authorization: Bearer TOKEN`", 429: "ask again after Retry-After"}[status]
    body = orjson.dumps({"error": {"message": message, "fix": fix}})
    own = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": own + headers})
    await send({"type": "http.response.body", "body": body})
