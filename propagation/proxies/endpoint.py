"""The endpoint that proxies ask: Envoy's ext_authz over HTTP, nginx's `auth_request`, Caddy's `forward_auth`.

It decides by the same judgement as `ASGIGuard` and says so on a span of its own, below the request's `traceparent`, so
that there is a verdict although the application knows nothing. It answers 200, 403 or 503; the headers beside that are
for the proxy's own span, and no application has to believe them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bindtrace.propagation.guard.asgi import Receive, Scope, Send, problem
from bindtrace.propagation.guard.asking import judge_asking
from bindtrace.propagation.guard.headers import canonical
from bindtrace.propagation.guard.modes import outcome
from bindtrace.propagation.guard.request import (
    BOUNDARY,
    Judgement,
    RawHeaders,
    Request,
    Stamp,
)
from bindtrace.propagation.guard.settings import Guard
from bindtrace.propagation.guard.spans import describe, parent_of, text_headers
from bindtrace.propagation.guard.verdict import attributes
from bindtrace.propagation.proxies.endpoint_paths import CHECK, REFUSED, SAME, TOLD
from bindtrace.propagation.proxies.refused import judge_refused
from bindtrace.propagation.vocabulary import (
    ASKED_METHOD_HEADER,
    ASKED_URI_HEADER,
    CALLER_CLAIMED,
    PROXY_COMPONENTS,
    Mode,
)

MAX_HEADERS_BYTES: Final = 32 * 1024
_ASKED: Final = frozenset(name.encode() for name in (ASKED_METHOD_HEADER, ASKED_URI_HEADER))
_ENFORCE: Final[Mode] = "enforce"
_TOLD_BY_HEADER: Final = (CHECK, REFUSED)
_SPAN: Final = "authz"
log = logging.getLogger("bindtrace.authz")


class AuthzApp(Guard):
    """An ASGI application; one per receiver. `mode` is `observe` or `enforce`, as of a guard."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = asked(scope)
        if request is None:
            await _answer(send, 403, b"")
            return
        now_s = self._now_unix_nano() / 1e9
        if scope["path"] == REFUSED:  # whatever our mode is, the proxy has refused it
            trust, mode = self.trust.current(), _ENFORCE
            judgement = judge_refused(request, trust, now_s=now_s)
        else:
            (judgement, trust), mode = await self._judge(request, now_s), self.mode
        done = outcome(judgement, mode, self.receiver, now_s=now_s)
        values = attributes(judgement, done, self.receiver, trust, now_s=now_s, position="proxy")
        headers = text_headers(request.headers)
        host = headers.get("x-forwarded-host", headers.get("host", [None]))[0]
        described = describe(request.method[:32], request.path[:1024], "http", host, None)
        described.pop("url.scheme")  # the proxy's own listener, of which nothing is known here
        kind = SpanKind.INTERNAL
        if scope["path"] in _TOLD_BY_HEADER:  # by proxies that send no spans: this one stands for theirs
            kind, described["component"] = SpanKind.SERVER, PROXY_COMPONENTS[0]
        if scope["path"] == REFUSED and judgement.unverified is not None:
            described[CALLER_CLAIMED] = judgement.unverified.service
        parent = parent_of(request.headers)
        span = trace.get_tracer("bindtrace.authz").start_span(
            _SPAN, parent, kind, attributes={**described, **values}
        )
        status = done.status or 200
        body = b"" if status == 200 else problem(judgement.reason, status, span, explain=self.explain)
        told = [
            (name.encode(), str(values[attribute]).encode("ascii", "replace"))
            for name, attribute in TOLD.items()
            if attribute in values
        ]
        if status == 200:
            told += _onwards(span, parent)
        else:
            span.set_attribute("http.response.status_code", status)
        span.end()
        if status != 200:
            log.info("event=refused reason=%s callee=%s", judgement.reason, self.receiver.service)
        await _answer(send, status, body, told)

    async def _judge(self, request: Request, now_s: float) -> tuple[Judgement, Any]:
        if sum(len(name) + len(value) for name, value in request.headers) > MAX_HEADERS_BYTES:
            return Judgement("credential_malformed"), self.trust.current()
        return await judge_asking(request, self.receiver, self.trust, self.memory, now_s=now_s)


def asked(scope: Scope) -> Request | None:
    """The request that a proxy asks about; None where it says neither path nor method, or says one twice."""
    extensions = scope.get("extensions") or {}
    stamp = extensions.get(BOUNDARY)
    source = stamp.source if isinstance(stamp, Stamp) else str((scope.get("client") or ("unix",))[0])
    headers: RawHeaders = tuple((bytes(name), bytes(value)) for name, value in scope["headers"])
    path, method = str(scope["path"]), str(scope["method"])
    if path.startswith(f"{SAME}/"):
        return Request(headers, method, path.removeprefix(SAME), None, source)
    if path not in _TOLD_BY_HEADER:
        return None
    said = {name: list(_values(headers, name)) for name in _ASKED}
    if any(len(values) != 1 for values in said.values()):
        return None
    method, uri = (said[name.encode()][0] for name in (ASKED_METHOD_HEADER, ASKED_URI_HEADER))
    rest = tuple((name, value) for name, value in headers if canonical(name) not in _ASKED)
    return Request(rest, method, unquote(uri.partition("?")[0]), None, source)


def _values(headers: RawHeaders, wanted: bytes) -> Iterable[str]:
    """By canonical name: an alias that a client sends beside the proxy's own header makes two of one."""
    return (value.decode("latin-1") for name, value in headers if canonical(name) == wanted)


def _onwards(span: Span, parent: Context) -> list[tuple[bytes, bytes]]:
    """The trace context for what comes after the proxy: an application's own span is then below the verdict's."""
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, trace.set_span_in_context(span, parent))
    return [(name.encode(), value.encode()) for name, value in carrier.items()]


async def _answer(send: Send, status: int, body: bytes, told: Iterable[tuple[bytes, bytes]] = ()) -> None:
    headers = [
        (b"cache-control", b"no-store"),
        (b"content-length", str(len(body)).encode()),
        *told,
    ]
    if body:
        headers.append((b"content-type", b"application/problem+json"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
