"""httpx transports that sign calls to declared targets and carry them over mTLS; each generation has its own pool.

    client = httpx.Client(transport=BindingTransport(identity, {"https://inventory:8443": "inventory"}))

Each attempt comes through here, so retries and redirects are signed anew, or not at all where they lead elsewhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from bindtrace.propagation import clock
from bindtrace.propagation.workload.generation import Generation
from bindtrace.propagation.workload.identity import Identity
from bindtrace.propagation.workload.outgoing import Origin, Target, origin_of, sign, stamp, without_ours

Targets = Mapping[str, Target | str]
"""URL of an origin to who answers there: a `Target`, or the name of a service that this workload may call."""


class _Pool:
    """The connections of one generation to one callee; closed when it is retired and its last call has ended."""

    def __init__(self, generation: Generation, sequence: int, transport: Any) -> None:
        self.generation, self.sequence, self.transport = generation, sequence, transport
        self.calls = 0
        self.retired = False


class _Pools:
    def __init__(
        self,
        identity: Identity,
        targets: Targets,
        make: Callable[..., Any],
        settings: dict[str, Any],
    ) -> None:
        self.identity, self._make, self._settings = identity, make, settings
        self.targets = {
            origin_of(url): Target(identity.callee(target)) if isinstance(target, str) else target
            for url, target in targets.items()
        }
        self._lock = threading.Lock()
        self._current: dict[Target, _Pool] = {}
        self.retired: list[_Pool] = []
        self.plain = make(trust_env=False, **settings)

    def target(self, url: httpx.URL) -> Target | None:
        port = url.port or {"http": 80, "https": 443}.get(url.scheme, 0)
        return self.targets.get(Origin(url.scheme, url.host.lower(), port))

    def enter(self, target: Target) -> _Pool:
        """The pool of the generation in force; token and connection are taken from the same one."""
        generation, bundle = self.identity.generation, self.identity.bundle
        with self._lock:
            pool = self._current.get(target)
            if pool is None or pool.generation is not generation or pool.sequence != bundle.sequence:
                if pool is not None:
                    pool.retired = True
                    self.retired.append(pool)
                context = generation.client_context(bundle, target.callee)
                transport = self._make(verify=context, trust_env=False, **self._settings)
                pool = self._current[target] = _Pool(generation, bundle.sequence, transport)
            pool.calls += 1
            return pool

    def leave(self, pool: _Pool) -> list[Any]:
        """The transports that nobody uses any more."""
        with self._lock:
            pool.calls -= 1
            idle = [old for old in self.retired if old.calls == 0]
            self.retired = [old for old in self.retired if old.calls > 0]
        return [old.transport for old in idle]

    def all(self) -> list[Any]:
        return [self.plain, *(pool.transport for pool in (*self._current.values(), *self.retired))]


def _signed(request: httpx.Request, pool: _Pool, target: Target, stamping: type[_Stamping]) -> httpx.Request:
    """A request of its own: a redirect copies the headers of the original, which must not have ours."""
    kept = without_ours(request.headers.raw)
    names = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in kept}
    added = sign(
        pool.generation,
        target,
        method=request.method,
        url=str(request.url),
        other_headers=names,
        now_s=clock.now_unix_nano() / 1e9,
    )
    ours = [(name.encode(), value.encode()) for name, value in added.headers]
    stamps = stamping(added.receipt, request.extensions.get("trace"))
    extensions = {**request.extensions, "trace": stamps}
    return httpx.Request(
        request.method, request.url, headers=[*kept, *ours], stream=request.stream, extensions=extensions
    )


class _Stamping:
    """Puts the receipt on the span that is current when the request is really sent: the call's own.

    Instrumentation of httpx opens it inside our transport, or outside of it; this is called inside of either.
    """

    def __init__(self, receipt: Mapping[str, str | int], others: Callable[..., Any] | None) -> None:
        self._receipt: Mapping[str, str | int] | None = receipt
        self._others = others

    def _stamp(self) -> None:
        if self._receipt is not None:
            stamp(self._receipt)
            self._receipt = None

    def __call__(self, name: str, info: Mapping[str, Any]) -> Any:
        self._stamp()
        if self._others is not None:
            self._others(name, info)


class _AsyncStamping(_Stamping):
    async def __call__(self, name: str, info: Mapping[str, Any]) -> None:
        self._stamp()
        if self._others is not None:
            await self._others(name, info)


def _unsigned(request: httpx.Request) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url,
        headers=without_ours(request.headers.raw),
        stream=request.stream,
        extensions=request.extensions,
    )


class _LeavingStream(httpx.SyncByteStream):
    def __init__(self, stream: Any, leave: Callable[[], None]) -> None:
        self._stream, self._leave = stream, leave

    def __iter__(self) -> Any:
        yield from self._stream

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            self._leave()


class BindingTransport(httpx.BaseTransport):
    """For `httpx.Client`. `settings` go to `httpx.HTTPTransport`. Calls without a credential raise Refusal."""

    def __init__(self, identity: Identity, targets: Targets, **settings: Any) -> None:
        self._pools = _Pools(identity, targets, httpx.HTTPTransport, settings)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        target = self._pools.target(request.url)
        if target is None:
            plain: httpx.HTTPTransport = self._pools.plain
            return plain.handle_request(_unsigned(request))
        pool = self._pools.enter(target)
        try:
            response: httpx.Response = pool.transport.handle_request(
                _signed(request, pool, target, _Stamping)
            )
        except BaseException:
            self._leave(pool)
            raise
        response.stream = _LeavingStream(response.stream, lambda: self._leave(pool))
        return response

    def _leave(self, pool: _Pool) -> None:
        for transport in self._pools.leave(pool):
            transport.close()

    def close(self) -> None:
        for transport in self._pools.all():
            transport.close()


class _AsyncLeavingStream(httpx.AsyncByteStream):
    def __init__(self, stream: Any, leave: Callable[[], Any]) -> None:
        self._stream, self._leave = stream, leave

    async def __aiter__(self) -> Any:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            await self._leave()


class AsyncBindingTransport(httpx.AsyncBaseTransport):
    """For `httpx.AsyncClient`, as `BindingTransport`."""

    def __init__(self, identity: Identity, targets: Targets, **settings: Any) -> None:
        self._pools = _Pools(identity, targets, httpx.AsyncHTTPTransport, settings)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        target = self._pools.target(request.url)
        if target is None:
            plain: httpx.AsyncHTTPTransport = self._pools.plain
            return await plain.handle_async_request(_unsigned(request))
        pool = self._pools.enter(target)
        try:
            response: httpx.Response = await pool.transport.handle_async_request(
                _signed(request, pool, target, _AsyncStamping)
            )
        except BaseException:
            await self._leave(pool)
            raise
        response.stream = _AsyncLeavingStream(response.stream, lambda: self._leave(pool))
        return response

    async def _leave(self, pool: _Pool) -> None:
        for transport in self._pools.leave(pool):
            await transport.aclose()

    async def aclose(self) -> None:
        for transport in self._pools.all():
            await transport.aclose()
