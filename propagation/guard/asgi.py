"""`ASGIGuard`: judges each request before the application runs. Answers a caller's faults with 403, never with 5xx.

    app = ASGIGuard(app, mode="enforce", receiver=receiver, trust=trust)

Put it outermost; what runs before it is not protected by it, and the span says so (`bindtrace.authz.position`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, NamedTuple, Unpack

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from opentelemetry.trace import Span, Status, StatusCode

from bindtrace.propagation.guard.asking import judge_asking
from bindtrace.propagation.guard.modes import Outcome, outcome
from bindtrace.propagation.guard.request import (
    BOUNDARY,
    Judgement,
    RawHeaders,
    Request,
    Stamp,
)
from bindtrace.propagation.guard.settings import Guard, Settings
from bindtrace.propagation.guard.spans import (
    VerdictSpan,
    describe,
    from_outside,
    without_credentials,
)
from bindtrace.propagation.guard.verdict import attributes
from bindtrace.propagation.identity.spiffe import Workload
from bindtrace.propagation.vocabulary import CLASS_OF_REASON, Assurance, Position

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CALLER: Final = "bindtrace.caller"
"""Scope key under which the application finds the `Caller`, once it is verified."""
WEBSOCKET_POLICY: Final = 1008
log = logging.getLogger("bindtrace.guard")


class Caller(NamedTuple):
    """Who is calling, as far as it was verified."""

    id: Workload
    binding: str
    assurance: Assurance


class _Seen(NamedTuple):
    request: Request
    position: Position
    mutated: bool
    age_s: float


class ASGIGuard(Guard):
    """One per application. Raises ValueError for a mode that is none."""

    def __init__(self, app: App, *, at_boundary: bool = False, **settings: Unpack[Settings]) -> None:
        super().__init__(**settings)
        self.app, self._at_boundary = app, at_boundary

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        seen = self._see(scope)
        if self.mode == "off":
            await self.app(self._inner(scope, seen, None), receive, send)
            return
        now_s = self._now_unix_nano() / 1e9
        judgement, trust = await judge_asking(
            seen.request, self.receiver, self.trust, self.memory, now_s=now_s
        )
        done = outcome(judgement, self.mode, self.receiver, now_s=now_s)
        values = attributes(
            judgement,
            done,
            self.receiver,
            trust,
            now_s=now_s,
            position=seen.position,
            mutated=seen.mutated,
        )
        inner = self._inner(scope, seen, judgement)
        public = self.receiver.listener == "public"
        with VerdictSpan(
            values,
            self._described(scope, seen.request),
            headers=tuple(inner["headers"]),
            external=seen.request.headers if public else None,
        ) as span:
            answered = _Answered(send, span, closes=_too_old(seen.age_s, judgement))
            if done.decision == "deny":
                await self._refuse(scope, answered, judgement, done, span)
            else:
                await self.app(inner, receive, answered)
            answered.finish(inner)

    def _see(self, scope: Scope) -> _Seen:
        extensions = scope.get("extensions") or {}
        stamp = extensions.get(BOUNDARY)
        headers = tuple(scope["headers"])
        method = str(scope.get("method", "GET"))
        if not isinstance(stamp, Stamp):
            headers = _plain(headers)
            source = str(scope["client"][0]) if scope.get("client") else "unix"
            peer = _peer_of_extension(extensions.get("tls"))
            return _Seen(Request(headers, method, scope["path"], peer, source), "unknown", False, 0.0)
        position: Position = "inner"
        if self._at_boundary:
            position = "boundary"
        elif _unwrapped(stamp.outermost) is self:
            position = "outermost"
        request = Request(stamp.headers, method, scope["path"], stamp.peer, stamp.source)
        mutated = headers != stamp.headers and _plain(headers) != stamp.headers
        return _Seen(request, position, mutated, stamp.age_s)

    def _inner(self, scope: Scope, seen: _Seen, judgement: Judgement | None) -> Scope:
        """What the application gets: no credential, no stamp, at a public edge nothing of ours; the verified caller."""
        headers: RawHeaders = without_credentials(tuple(scope["headers"]))
        if self.receiver.listener == "public":
            headers = from_outside(headers)
        extensions = {
            name: value for name, value in (scope.get("extensions") or {}).items() if name != BOUNDARY
        }
        inner = {**scope, "headers": list(headers), "extensions": extensions}
        inner.pop(CALLER, None)
        if judgement is not None and judgement.allowed and judgement.wit is not None:
            wit = judgement.wit
            inner[CALLER] = Caller(wit.subject, wit.granted.binding, judgement.assurance)
        return inner

    def _described(self, scope: Scope, request: Request) -> dict[str, Any]:
        host = next((value.decode("latin-1") for name, value in request.headers if name == b"host"), None)
        scheme = str(scope.get("scheme", "http"))
        return describe(request.method, request.path[:1024], scheme, host, request.source or None)

    async def _refuse(
        self, scope: Scope, send: Send, judgement: Judgement, done: Outcome, span: Span
    ) -> None:
        log.info("event=refused reason=%s callee=%s", judgement.reason, self.receiver.service)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": WEBSOCKET_POLICY, "reason": ""})
            return
        status = done.status or 403
        body = problem(judgement.reason, status, span, explain=self.explain)
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"cache-control", b"no-store"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def problem(reason: str, status: int, span: Span, *, explain: bool) -> bytes:
    """The body of a refusal (RFC 9457). Without `explain` it names the class alone: no oracle for an attacker."""
    kind = CLASS_OF_REASON[reason]
    document = {
        "type": f"urn:bindtrace:refused:{kind}",
        "title": "The call is not allowed." if status == 403 else "The call cannot be judged now.",
        "status": status,
        "reason": reason if explain else kind,
        "trace_id": f"{span.get_span_context().trace_id:032x}",
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii")


class _Answered:
    """Sends, and notes the status for the span."""

    def __init__(self, send: Send, span: Span, *, closes: bool) -> None:
        self._send, self._span, self._closes = send, span, closes
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            self._span.set_attribute("http.response.status_code", self.status)
            if self.status >= 500:
                self._span.set_status(Status(StatusCode.ERROR))
            if self._closes:
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        await self._send(message)

    def finish(self, scope: Scope) -> None:
        """Routers leave the route that they found in the scope."""
        if route := getattr(scope.get("route"), "path", None):
            self._span.set_attribute("http.route", str(route))


def _plain(headers: Iterable[Iterable[bytes]]) -> RawHeaders:
    """As the specification has them; middleware may leave lists, or bytes of other kinds."""
    return tuple((bytes(name), bytes(value)) for name, value in headers)


def _too_old(age_s: float, judgement: Judgement) -> bool:
    """A connection older than half of its leaf's life ends with this answer; its caller comes back with a newer one."""
    leaf = judgement.leaf
    return leaf is not None and age_s > (leaf.not_after_s - leaf.not_before_s) / 2


def _unwrapped(app: object) -> object:
    """The application inside uvicorn's own wrapper of proxy headers, which changes client and scheme only."""
    return getattr(app, "app", app) if type(app).__module__.startswith("uvicorn.") else app


def _peer_of_extension(tls: Any) -> bytes | None:
    """The leaf of the ASGI TLS extension, where a server has it."""
    chain = tls.get("client_cert_chain") if isinstance(tls, dict) else None
    if not chain:
        return None
    try:
        return x509.load_pem_x509_certificate(str(next(iter(chain))).encode()).public_bytes(Encoding.DER)
    except (ValueError, x509.InvalidVersion):
        return b""
