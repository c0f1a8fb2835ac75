"""A gRPC channel to one declared callee over mTLS, that signs each call; each generation has a connection of its own.

    channel = BindingChannel(identity, "inventory.internal:8443", "inventory")

gRPC keeps a channel's certificate for the channel's life; so there is a channel a generation inside, and a call goes by
that of its token. gRPC in Python shows no URI of a server's certificate: a callee is known by the trust bundle and by
its DNS name, which `authority issue --dns` puts into the certificate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import grpc

from bindtrace.propagation.identity import certificates
from bindtrace.propagation.identity.bundle import Bundle
from bindtrace.propagation.identity.keys import private_pem
from bindtrace.propagation.workload.generation import Generation
from bindtrace.propagation.workload.grpc_interceptor import BindingInterceptor
from bindtrace.propagation.workload.identity import Identity
from bindtrace.propagation.workload.outgoing import Target
from bindtrace.propagation.workload.pools import Pool, Pools


class BindingChannel(grpc.Channel):  # type: ignore[misc]  # grpc has no types
    """`address` is HOST:PORT; `options` are gRPC's. Calls without a credential raise Refusal.

    A string `target` is the name of a service that this workload may call, proven by certificate.
    """

    def __init__(
        self, identity: Identity, address: str, target: Target | str, options: Sequence[tuple[str, Any]] = ()
    ) -> None:
        self._target = Target(identity.callee(target)) if isinstance(target, str) else target

        def opened(generation: Generation, bundle: Bundle, target: Target) -> grpc.Channel:
            credentials = grpc.ssl_channel_credentials(
                b"".join(certificates.pem(authority) for authority in bundle.authorities),
                private_pem(generation.tls_key),
                certificates.pem(generation.certificate),
            )
            plain = grpc.secure_channel(address, credentials, options)
            return grpc.intercept_channel(plain, BindingInterceptor(identity, target, generation))

        self._pools = Pools(identity, {}, opened)

    def _leave(self, pool: Pool[grpc.Channel]) -> None:
        for idle in self._pools.leave(pool):
            idle.close()

    def unary_unary(self, *method: Any, **also: Any) -> _Method:
        return _Method(self, "unary_unary", method, also)

    def unary_stream(self, *method: Any, **also: Any) -> _Method:
        return _Method(self, "unary_stream", method, also)

    def stream_unary(self, *method: Any, **also: Any) -> _Method:
        return _Method(self, "stream_unary", method, also)

    def stream_stream(self, *method: Any, **also: Any) -> _Method:
        return _Method(self, "stream_stream", method, also)

    def begin(self, started: Callable[[grpc.Channel], Any], *, ends: bool) -> Any:
        """One call on the channel of the generation in force; `ends` where it is over with its return."""
        pool = self._pools.enter(self._target)
        try:
            call = started(pool.connections)
        except BaseException:
            self._leave(pool)
            raise
        if ends:
            self._leave(pool)
        else:
            call.add_done_callback(lambda _: self._leave(pool))
        return call

    def subscribe(self, callback: Callable[[Any], None], try_to_connect: bool = False) -> None:
        """Told is what becomes of the connection of the generation in force now; a later one is not followed."""
        pool = self._pools.enter(self._target)
        pool.connections.subscribe(callback, try_to_connect=try_to_connect)
        self._leave(pool)

    def unsubscribe(self, callback: Callable[[Any], None]) -> None:
        for channel in self._pools.all():
            channel.unsubscribe(callback)

    def close(self) -> None:
        for channel in self._pools.all():
            channel.close()

    def __enter__(self) -> BindingChannel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Method:
    """A method that looks for its channel at each call."""

    def __init__(
        self, channel: BindingChannel, kind: str, method: tuple[Any, ...], also: dict[str, Any]
    ) -> None:
        self._channel, self._kind, self._method, self._also = channel, kind, method, also

    def _on(self, channel: grpc.Channel) -> Any:
        return getattr(channel, self._kind)(*self._method, **self._also)

    def __call__(self, *sent: Any, **also: Any) -> Any:
        ends = self._kind.endswith("unary")
        return self._channel.begin(lambda channel: self._on(channel)(*sent, **also), ends=ends)

    def with_call(self, *sent: Any, **also: Any) -> Any:
        return self._channel.begin(lambda channel: self._on(channel).with_call(*sent, **also), ends=True)

    def future(self, *sent: Any, **also: Any) -> Any:
        return self._channel.begin(lambda channel: self._on(channel).future(*sent, **also), ends=False)
