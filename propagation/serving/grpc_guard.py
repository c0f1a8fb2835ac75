"""gRPC: `GuardInterceptor` judges calls at a server, `server_credentials` follows an identity's generations.

    guard = GuardInterceptor(mode="enforce", receiver=identity.receiver(), trust=identity)
    server = grpc.server(pool, interceptors=[guard])
    server.add_secure_port("0.0.0.0:8443", server_credentials(identity))

A refusal is PERMISSION_DENIED, or UNAVAILABLE where bundle or policy are missing. A stream is judged when it opens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc
from cryptography import x509

from bindtrace.propagation.guard.blocking import judge_blocking
from bindtrace.propagation.guard.modes import Outcome, outcome
from bindtrace.propagation.guard.request import Judgement, RawHeaders, Request
from bindtrace.propagation.guard.settings import Guard
from bindtrace.propagation.guard.spans import VerdictSpan, without_credentials
from bindtrace.propagation.guard.verdict import Value, attributes
from bindtrace.propagation.identity import certificates
from bindtrace.propagation.identity.keys import private_pem
from bindtrace.propagation.vocabulary import CLASS_OF_REASON
from bindtrace.propagation.workload.identity import Identity

_PASSING_S: Final = 0.05
METHOD: Final = "POST"
"""Every gRPC call is an HTTP POST; that is what proofs are signed for."""
_KINDS: Final = (
    ("unary_unary", grpc.unary_unary_rpc_method_handler, False),
    ("unary_stream", grpc.unary_stream_rpc_method_handler, True),
    ("stream_unary", grpc.stream_unary_rpc_method_handler, False),
    ("stream_stream", grpc.stream_stream_rpc_method_handler, True),
)


class GuardInterceptor(Guard, grpc.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """One per server. Raises ValueError for a mode that is none."""

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        handler = continuation(details)
        if handler is None or self.mode == "off":
            return handler
        for kind, make, streams in _KINDS:
            if behaviour := getattr(handler, kind):
                guarded = (self._streaming if streams else self._unary)(behaviour, details.method)
                return make(guarded, handler.request_deserializer, handler.response_serializer)
        return handler

    def _unary(self, behaviour: Any, method: str) -> Any:
        def guarded(message: Any, context: Any) -> Any:
            judgement, done, values, headers = self._judge(method, context)
            with VerdictSpan(values, _described(method), headers=without_credentials(headers)):
                self._end_if_denied(judgement, done, context)
                return behaviour(message, _Context(context))

        return guarded

    def _streaming(self, behaviour: Any, method: str) -> Any:
        def guarded(message: Any, context: Any) -> Iterator[Any]:
            judgement, done, values, headers = self._judge(method, context)
            with VerdictSpan(values, _described(method), headers=without_credentials(headers)):
                self._end_if_denied(judgement, done, context)
                yield from behaviour(message, _Context(context))

        return guarded

    def _judge(self, method: str, context: Any) -> tuple[Judgement, Outcome, dict[str, Value], RawHeaders]:
        headers = tuple(
            (
                key.encode("latin-1", "replace"),
                value if isinstance(value, bytes) else value.encode("latin-1", "replace"),
            )
            for key, value in context.invocation_metadata()
        )
        now_s = self._now_unix_nano() / 1e9
        request = Request(headers, METHOD, method, _peer(context), _source(context.peer()))
        judgement, trust = judge_blocking(request, self.receiver, self.trust, self.memory, now_s=now_s)
        done = outcome(judgement, self.mode, self.receiver, now_s=now_s)
        values = attributes(judgement, done, self.receiver, trust, now_s=now_s, position="outermost")
        return judgement, done, values, headers

    def _end_if_denied(self, judgement: Judgement, done: Outcome, context: Any) -> None:
        if done.decision == "deny":
            code = grpc.StatusCode.UNAVAILABLE if done.status == 503 else grpc.StatusCode.PERMISSION_DENIED
            reason = judgement.reason if self.explain else CLASS_OF_REASON[judgement.reason]
            context.abort(code, f"the call is not allowed: {reason}")


class _Context:
    """The servicer's context without the credentials of its call."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def invocation_metadata(self) -> Any:
        kept = {name for name, _ in without_credentials(tuple((key.encode(), b"") for key, _ in self._all()))}
        return tuple(pair for pair in self._all() if pair[0].encode() in kept)

    def _all(self) -> Any:
        return self._context.invocation_metadata()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def _described(method: str) -> dict[str, Value]:
    service, _, name = method.lstrip("/").rpartition("/")
    return {"rpc.system.name": "grpc", "rpc.method": f"{service}/{name}", "url.path": method[:1024]}


def _peer(context: Any) -> bytes | None:
    """The leaf, where the call came over mTLS; bytes that are none where it cannot be read, so that it is refused."""
    found = context.auth_context().get("x509_pem_cert")
    if not found:
        return None
    try:
        return certificates.der(x509.load_pem_x509_certificate(found[0]))
    except (ValueError, x509.InvalidVersion):
        return b""


def _source(peer: str) -> str:
    """`ipv4:10.0.0.7:5000`, `ipv6:[::1]:5000` and `unix:` as an address, or `unix`."""
    scheme, _, rest = peer.partition(":")
    host = rest.rpartition(":")[0].replace("%5B", "").replace("%5D", "").strip("[]")
    return "unix" if scheme.startswith("unix") else host


def server_credentials(identity: Identity) -> Any:
    """TLS that demands a client certificate; each handshake takes leaf and trust of the newest generation. One a port.

    grpcio 1.85 makes a handshake of what it last read without a lock, and frees that when it is replaced: with a
    replacement at each handshake a loaded server died within a minute. So there is one a change, and it waits, while
    others are kept waiting for it, until handshakes that had begun are past that place.
    """
    changed = _Changes(identity)
    return grpc.dynamic_ssl_server_credentials(
        changed.first(), changed.next, require_client_authentication=True
    )


class _Changes:
    """What to serve with, once for each generation and each change of trust. gRPC asks for it under a lock."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._served: tuple[int, int] | None = None

    def first(self) -> Any:
        return self._configuration()

    def next(self) -> Any:
        """None where nothing has changed."""
        if self._served == (self._identity.generation.number, self._identity.bundle.sequence):
            return None
        time.sleep(_PASSING_S)
        return self._configuration()

    def _configuration(self) -> Any:
        generation, bundle = self._identity.generation, self._identity.bundle
        self._served = generation.number, bundle.sequence
        roots = b"".join(certificates.pem(authority) for authority in bundle.authorities)
        pair = private_pem(generation.tls_key), certificates.pem(generation.certificate)
        return grpc.ssl_server_certificate_configuration([pair], root_certificates=roots)
