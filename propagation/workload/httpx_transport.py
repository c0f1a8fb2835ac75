"""httpx transports that sign calls to declared targets and carry them over mTLS; each generation has its own pool.

    client = httpx.Client(transport=BindingTransport(identity, {"https://inventory:8443": "inventory"}))

Each attempt comes through here, so retries and redirects are signed anew, or not at all where they lead elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from bindtrace.propagation import clock
from bindtrace.propagation.workload.identity import Identity
from bindtrace.propagation.workload.outgoing import Target, sign, stamp, without_ours
from bindtrace.propagation.workload.pools import Pool, Pools, Targets


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _signed(
    request: httpx.Request, pool: Pool[Any], target: Target, stamping: type[_Stamping]
) -> httpx.Request:
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
        self._plain = httpx.HTTPTransport(trust_env=False, **settings)
        self._pools = Pools(
            identity,
            targets,
            lambda generation, bundle, target: httpx.HTTPTransport(
                verify=generation.client_context(bundle, target.callee), trust_env=False, **settings
            ),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        target = self._pools.target(*_origin(request.url))
        if target is None:
            return self._plain.handle_request(_unsigned(request))
        pool = self._pools.enter(target)
        try:
            response = pool.connections.handle_request(_signed(request, pool, target, _Stamping))
        except BaseException:
            self._leave(pool)
            raise
        response.stream = _LeavingStream(response.stream, lambda: self._leave(pool))
        return response

    def _leave(self, pool: Pool[Any]) -> None:
        for transport in self._pools.leave(pool):
            transport.close()

    def close(self) -> None:
        for transport in (self._plain, *self._pools.all()):
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
        self._plain = httpx.AsyncHTTPTransport(trust_env=False, **settings)
        self._pools = Pools(
            identity,
            targets,
            lambda generation, bundle, target: httpx.AsyncHTTPTransport(
                verify=generation.client_context(bundle, target.callee), trust_env=False, **settings
            ),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        target = self._pools.target(*_origin(request.url))
        if target is None:
            return await self._plain.handle_async_request(_unsigned(request))
        pool = self._pools.enter(target)
        try:
            response = await pool.connections.handle_async_request(
                _signed(request, pool, target, _AsyncStamping)
            )
        except BaseException:
            await self._leave(pool)
            raise
        response.stream = _AsyncLeavingStream(response.stream, lambda: self._leave(pool))
        return response

    async def _leave(self, pool: Pool[Any]) -> None:
        for transport in self._pools.leave(pool):
            await transport.aclose()

    async def aclose(self) -> None:
        for transport in (self._plain, *self._pools.all()):
            await transport.aclose()
