"""An aiohttp connector that signs calls to declared targets and carries them over mTLS, a pool a generation.

    session = aiohttp.ClientSession(connector=BindingConnector(identity, {"https://inventory:8443": "inventory"}))

Each attempt asks the connector for a connection, behind all middleware: aiohttp's own retries and redirects are signed
anew, or not at all where they lead elsewhere.
"""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from bindtrace.propagation import clock
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.guard.headers import canonical
from bindtrace.propagation.identity.bundle import Bundle
from bindtrace.propagation.vocabulary import WIT_HEADER, WPT_HEADER
from bindtrace.propagation.workload.generation import Generation
from bindtrace.propagation.workload.identity import Identity
from bindtrace.propagation.workload.outgoing import Target, sign, stamp
from bindtrace.propagation.workload.pools import Pool, Pools, Targets

_OURS = frozenset((WIT_HEADER.encode(), WPT_HEADER.encode()))


class BindingConnector(aiohttp.TCPConnector):
    """`settings` go to `aiohttp.TCPConnector`. Calls without a credential raise Refusal.

    So does a declared call by a proxy or with `ssl` of its own: the connection is the binding's.
    """

    def __init__(self, identity: Identity, targets: Targets, **settings: Any) -> None:
        super().__init__(**settings)

        def make(generation: Generation, bundle: Bundle, target: Target) -> aiohttp.TCPConnector:
            context = generation.client_context(bundle, target.callee)
            return aiohttp.TCPConnector(**{**settings, "ssl": context})

        self._pools = Pools(identity, targets, make)
        self._closing: set[asyncio.Task[None]] = set()

    async def connect(self, req: aiohttp.ClientRequest, traces: Any, timeout: Any) -> Any:
        """The connection of one attempt; signs the request, whose headers are written behind it."""
        target = self._pools.target(req.url.scheme, req.url.host or "", req.url.port)
        for name in [name for name in req.headers if canonical(name.encode("latin-1", "replace")) in _OURS]:
            del req.headers[name]
        if target is None:
            return await super().connect(req, traces, timeout)
        if req.proxy is not None or req.ssl is not True:
            what = "by a proxy" if req.proxy is not None else "with `ssl` of its own"
            raise Refusal(
                f"the call to {target.callee.service} is made {what}, and a binding has connections of its own",
                fix="leave `proxy`, `trust_env` and `ssl` out of this call.",
            )
        pool = self._pools.enter(target)
        try:
            _sign(req, pool.generation, target)
            connection = await pool.connections.connect(req, traces, timeout)
        except BaseException:
            self._leave(pool)
            raise
        connection.add_callback(lambda: self._leave(pool))
        return connection

    def _leave(self, pool: Pool[aiohttp.TCPConnector]) -> None:
        for idle in self._pools.leave(pool):
            task = asyncio.get_running_loop().create_task(idle.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self, **settings: Any) -> None:
        """Every connection, of every generation."""
        for connector in self._pools.all():
            await connector.close(**settings)
        await asyncio.gather(*self._closing)
        await super().close(**settings)


def _sign(request: aiohttp.ClientRequest, generation: Generation, target: Target) -> None:
    added = sign(
        generation,
        target,
        method=request.method,
        url=str(request.url),
        other_headers={name.lower(): value for name, value in request.headers.items()},
        now_s=clock.now_unix_nano() / 1e9,
    )
    stamp(added.receipt)
    request.headers.update(added.headers)
