"""The span that carries a verdict: the SERVER span that is already there, else one of the guard's own.

Instrumentation inside sees a span in progress and makes its own an internal child, so a request has one SERVER span.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from contextvars import Token
from functools import lru_cache
from typing import Final

from opentelemetry import context as contexts
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer

from bindtrace.propagation.guard.headers import canonical, is_edge_name
from bindtrace.propagation.guard.request import RawHeaders
from bindtrace.propagation.guard.verdict import Value
from bindtrace.propagation.vocabulary import CREDENTIAL_HEADERS, RESERVED_BAGGAGE, TRACE_EXTERNAL

_CREDENTIALS: Final = frozenset(name.encode() for name in CREDENTIAL_HEADERS)
_TRACE: Final = frozenset({b"traceparent", b"tracestate"})
SCOPE: Final = "bindtrace.guard"
_HTTP: Final = {"http": 80, "https": 443}
log = logging.getLogger("bindtrace.guard")


def without_credentials(headers: RawHeaders) -> RawHeaders:
    """For the application and its instrumentation: they cannot record what they do not get."""
    return tuple([line for line in headers if canonical(line[0]) not in _CREDENTIALS])


def from_outside(headers: RawHeaders) -> RawHeaders:
    """What of a public request goes on: nothing of ours, no trace of theirs, no baggage under our prefix."""
    kept = []
    for name, value in headers:
        plain = canonical(name)
        if is_edge_name(plain) or plain in _TRACE:
            continue
        kept.append((name, _baggage(value) if plain == b"baggage" else value))
    return tuple(kept)


def _baggage(value: bytes) -> bytes:
    reserved = RESERVED_BAGGAGE.encode()
    return b",".join(member for member in value.split(b",") if not member.strip().startswith(reserved))


def text_headers(headers: RawHeaders) -> dict[str, list[str]]:
    """As propagators read them: every line of a name, in order."""
    lines: dict[str, list[str]] = {}
    for name, value in headers:
        lines.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return lines


def parent_of(headers: RawHeaders) -> Context:
    """The trace that a request continues, by the configured propagators; none where one of them raises.

    Propagators are the user's choice and headers anybody's: what they cannot read must not become a 500, which some
    proxies take for a yes.
    """
    try:
        return propagate.extract(text_headers(headers), context=Context())
    except Exception as fault:
        log.warning("event=propagator_fault fault=%s", type(fault).__name__)
        return Context()


class VerdictSpan(AbstractContextManager[Span]):
    """The request's span with the verdict on it, current while the application runs.

    `described` names the request on a span of the guard's own, whose parent is in `headers`; at a public edge
    `external` are the headers as they came, whose trace becomes a link. A class, as each request enters one.
    """

    def __init__(
        self,
        values: dict[str, Value],
        described: dict[str, Value],
        *,
        headers: RawHeaders,
        external: RawHeaders | None = None,
    ) -> None:
        self._values, self._described, self._headers, self._external = values, described, headers, external
        self._token: Token[Context] | None = None

    def __enter__(self) -> Span:
        self._span = trace.get_current_span()
        if self._span.is_recording():
            self._span.set_attributes(self._values)
            return self._span
        parent = parent_of(self._headers)
        self._span = tracer().start_span(
            str(self._described.get("http.request.method", "HTTP")),
            parent,
            SpanKind.SERVER,
            attributes=self._described | self._values,
            links=() if self._external is None else _links(self._external),
            record_exception=False,
        )
        self._token = contexts.attach(trace.set_span_in_context(self._span, parent))
        return self._span

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._token is None:
            return
        if kind is not None and issubclass(kind, Exception):
            self._span.set_status(StatusCode.ERROR)  # what it was is the application's to say
        contexts.detach(self._token)
        self._span.end()


@lru_cache(maxsize=1)
def tracer() -> Tracer:
    """Asked for once: the API's stands for the provider that is set later, the SDK makes a new one for each asking."""
    return trace.get_tracer(SCOPE)


def _links(headers: RawHeaders) -> tuple[Link, ...]:
    theirs = trace.get_current_span(parent_of(headers))
    origin = theirs.get_span_context()
    return (Link(origin, {TRACE_EXTERNAL: True}),) if origin.is_valid else ()


def _is_port(text: str) -> bool:
    """`Host` is anybody's word, and Python raises for a number of thousands of digits."""
    return len(text) <= 5 and text.isascii() and text.isdigit()


def describe(method: str, path: str, scheme: str, host: str | None, client: str | None) -> dict[str, Value]:
    """The stable HTTP attributes of a server span; no query, and no header but Host."""
    name, port = host, ""
    if host is not None and host.count(":") == 1:
        name, _, port = host.partition(":")
    values: dict[str, Value] = {"http.request.method": method, "url.path": path, "url.scheme": scheme}
    if name:
        values["server.address"] = name
    if (number := int(port) if _is_port(port) else _HTTP.get(scheme)) is not None:
        values["server.port"] = number
    if client is not None:
        values["client.address"] = client
    return values
