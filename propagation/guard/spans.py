"""The span that carries a verdict: the SERVER span that is already there, else one of the guard's own.

Instrumentation inside sees a span in progress and makes its own an internal child, so a request has one SERVER span.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

from opentelemetry import context as contexts
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer, TracerProvider

from bindtrace.propagation.guard.headers import canonical, is_edge_name
from bindtrace.propagation.guard.request import RawHeaders
from bindtrace.propagation.guard.verdict import Value
from bindtrace.propagation.vocabulary import CREDENTIAL_HEADERS, RESERVED_BAGGAGE, TRACE_EXTERNAL

_CREDENTIALS: Final = frozenset(name.encode() for name in CREDENTIAL_HEADERS)
_TRACE: Final = frozenset({b"traceparent", b"tracestate"})
SCOPE: Final = "bindtrace.guard"
_HTTP: Final = {"http": 80, "https": 443}


def without_credentials(headers: RawHeaders) -> RawHeaders:
    """For the application and its instrumentation: they cannot record what they do not get."""
    return tuple((name, value) for name, value in headers if canonical(name) not in _CREDENTIALS)


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


@contextmanager
def verdict_span(
    values: Mapping[str, Value],
    described: Mapping[str, Value],
    *,
    headers: RawHeaders,
    external: RawHeaders | None = None,
) -> Iterator[Span]:
    """The request's span with the verdict on it, current while the application runs.

    `described` names the request on a span of the guard's own, whose parent is in `headers`; at a public edge
    `external` are the headers as they came, whose trace becomes a link.
    """
    current = trace.get_current_span()
    if current.is_recording():
        current.set_attributes(values)
        yield current
        return
    parent = propagate.extract(text_headers(headers), context=Context())
    links = () if external is None else _links(external)
    tracer = _tracer(trace.get_tracer_provider())
    name = str(described.get("http.request.method", "HTTP"))
    span = tracer.start_span(
        name, parent, SpanKind.SERVER, attributes={**described, **values}, links=links, record_exception=False
    )
    token = contexts.attach(trace.set_span_in_context(span, parent))
    try:
        yield span
    except Exception:
        span.set_status(StatusCode.ERROR)  # what it was is the application's to say
        raise
    finally:
        contexts.detach(token)
        span.end()


@lru_cache(maxsize=2)
def _tracer(provider: TracerProvider) -> Tracer:
    """The SDK makes one for each time that it is asked, for a sixth of what a span costs."""
    return provider.get_tracer(SCOPE)


def _links(headers: RawHeaders) -> tuple[Link, ...]:
    theirs = trace.get_current_span(propagate.extract(text_headers(headers), context=Context()))
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
