"""A gRPC client interceptor that signs each call on a channel to one declared target.

    plain = grpc.secure_channel(address, credentials)
    channel = grpc.intercept_channel(plain, BindingInterceptor(identity, "inventory"))

gRPC keeps a channel's certificate for its life, longer than a generation lives; so calls are proven by a proof token,
on any channel (`grpc_channel.BindingChannel` has a channel a generation). What gRPC itself sends again (transparent
retries) carries the same proof: such a binding needs `replay = "report"`.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import grpc

from bindtrace.propagation import clock
from bindtrace.propagation.guard.headers import canonical
from bindtrace.propagation.vocabulary import WIT_HEADER, WPT_HEADER
from bindtrace.propagation.workload.generation import Generation
from bindtrace.propagation.workload.identity import Identity
from bindtrace.propagation.workload.outgoing import Target, sign, stamp

_OURS = (WIT_HEADER.encode(), WPT_HEADER.encode())
_FIELDS = ("method", "timeout", "metadata", "credentials", "wait_for_ready", "compression")


class _Details(namedtuple("_Details", _FIELDS), grpc.ClientCallDetails):  # type: ignore[misc]  # grpc has no types
    """As gRPC has its own: a tuple that is one."""


class BindingInterceptor(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
    grpc.StreamUnaryClientInterceptor,  # type: ignore[misc]
    grpc.StreamStreamClientInterceptor,  # type: ignore[misc]
):
    """`target` is a `Target`, or the name of a service that this workload may call. Raises Refusal without a token."""

    def __init__(
        self, identity: Identity, target: Target | str, generation: Generation | None = None
    ) -> None:
        """With a `generation` its tokens are sent, else those of the one in force."""
        self._identity, self._generation = identity, generation
        self._target = Target(identity.callee(target), proof="wpt") if isinstance(target, str) else target

    def _signed(self, details: Any) -> _Details:
        kept = [(key, value) for key, value in details.metadata or () if canonical(key.encode()) not in _OURS]
        names = {key.lower(): value for key, value in kept if isinstance(value, str)}
        added = sign(
            self._generation or self._identity.generation,
            self._target,
            method="POST",
            url=details.method,
            other_headers=names,
            now_s=clock.now_unix_nano() / 1e9,
        )
        stamp(added.receipt)
        fields = {name: getattr(details, name, None) for name in _FIELDS}
        return _Details(**{**fields, "metadata": [*kept, *added.headers]})

    def _call(self, continuation: Callable[..., Any], details: Any, message: Any) -> Any:
        return continuation(self._signed(details), message)

    intercept_unary_unary = _call
    intercept_unary_stream = _call
    intercept_stream_unary = _call
    intercept_stream_stream = _call
