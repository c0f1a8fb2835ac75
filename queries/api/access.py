"""Who may ask, and how often: bearer tokens with read scope, a bucket of questions for each. Logs no token.

Where no token is asked for, the loopback keeps others out, and a page in this machine's browser could get past it: a
name of its own that it lets resolve to 127.0.0.1 (DNS rebinding) makes our answers its own. It cannot choose `Host`.
"""

from __future__ import annotations

import ipaddress
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
LOCAL: Final = ("localhost", "internal", "local")
"""Last labels that nobody can register (RFC 6761, 6762; ICANN on `internal`), as `host.docker.internal`."""
PER_SECOND: Final = 100.0
BURST: Final = 400.0
MOST_ASKERS: Final = 10_000


class Guarded:
    """Lets questions through that show a token, where `named` is given, and that do not come too often.

    `here_only`: on the loopback and without tokens, only under a name that no stranger can have.
    """

    def __init__(
        self,
        app: ASGIApp,
        named: Named | None,
        per_second: float = PER_SECOND,
        burst: float = BURST,
        clock: Callable[[], float] = time.monotonic,
        *,
        here_only: bool = False,
    ) -> None:
        self._here_only = here_only
        self._app = app
        self._named = named
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        if self._here_only and not _ours(_only(scope, b"host") or ""):
            await _answer(send, 421, "this is asked for under a name that others may own", [])
            return
        asker = (scope.get("client") or ("",))[0]
        if self._named is not None:
            name = self._named(_only(scope, b"authorization"))
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


def _only(scope: Scope, name: bytes) -> str | None:
    given = [value for header, value in scope["headers"] if header == name]
    return given[0].decode("latin-1") if len(given) == 1 else None


def _ours(host: str) -> bool:
    """Whether a `Host` is an address, a bare name, or one that cannot be registered."""
    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        labels = name.rstrip(".").lower().split(".")
        return len(labels) == 1 or labels[-1] in LOCAL


async def _answer(send: Send, status: int, message: str, headers: list[tuple[bytes, bytes]]) -> None:
    fix = {
        401: "send `Authorization: Bearer TOKEN`",
        421: "ask http://127.0.0.1 or localhost, let the proxy between send that as Host, or serve --api-token-file",
        429: "ask again after Retry-After",
    }[status]
    body = orjson.dumps({"error": {"message": message, "fix": fix}})
    own = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": own + headers})
    await send({"type": "http.response.body", "body": body})
