"""The intruder: somebody inside the orders, who asks the inventory with credentials that it must not take.

He has what a service has, its identity and its connection, and two tokens that he found (SHOP_FOUND).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx

from bindtrace.propagation import Identity
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.identity import keys, wpt
from bindtrace.propagation.identity.compact import Compact, take_apart
from bindtrace.propagation.identity.jose import sign
from bindtrace.propagation.vocabulary import WIT_HEADER, WPT_HEADER
from bindtrace.propagation.workload.generation import TokenProof

Headers = dict[str, str]
CALLEE: Final = "inventory"


def _own(identity: Identity, callee: str = CALLEE, proof: TokenProof = "mtls") -> str:
    return identity.generation.tokens[identity.callee(callee), proof].text


def _found(name: str) -> str:
    found: dict[str, str] = json.loads(Path(os.environ["SHOP_FOUND"]).read_text("ascii"))
    return found[name]


def _forged(identity: Identity) -> list[Headers]:
    """The same words, signed with a key of his own."""
    real = take_apart(_own(identity))
    assert isinstance(real, Compact)
    header = {name: str(value) for name, value in real.header.items() if name != "alg"}
    return [{WIT_HEADER: sign(header, real.claims, keys.generate())}]


def _replayed(identity: Identity) -> list[Headers]:
    """A good request, and the same once more."""
    token = _own(identity, proof="wpt")
    proof = wpt.issue(
        token,
        identity.generation.signing_key,
        callee=identity.callee(CALLEE),
        method="POST",
        now_s=now_unix_nano() // 10**9,
    )
    return [{WIT_HEADER: token, WPT_HEADER: proof}] * 2


TRICKS: Final[dict[str, Callable[[Identity], list[Headers]]]] = {
    "forged": _forged,
    "replayed": _replayed,
    "expired": lambda _: [{WIT_HEADER: _found("expired")}],
    "wrong-audience": lambda identity: [{WIT_HEADER: _own(identity, "billing")}],
    "wrong-certificate": lambda _: [{WIT_HEADER: _found("of-catalog")}],
    "missing": lambda _: [{}],
}
"""By name, the credentials of each request of it, in order."""


class Crooked(httpx.AsyncBaseTransport):
    """Sends these credentials over the connection that this service's own certificate opens."""

    def __init__(self, identity: Identity, credentials: list[Headers]) -> None:
        context = identity.generation.client_context(identity.bundle, identity.callee(CALLEE))
        self._inner = httpx.AsyncHTTPTransport(verify=context, trust_env=False)
        self._credentials = iter(credentials)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers.update(next(self._credentials))
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()
