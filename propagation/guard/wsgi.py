"""`WSGIGuard`: the same judgement for WSGI, as far as WSGI servers show what arrived.

    application = WSGIGuard(application, mode="enforce", receiver=receiver, trust=trust)

WSGI hands on folded names. gunicorn, waitress and werkzeug drop names with underscores and join two lines by a comma,
so that aliases and duplicates are seen or gone. wsgiref and cheroot map `Workload_Identity_Token` to the same key, and
cheroot keeps the last of two: there an attack cannot be seen, and the guard runs only with `header_fidelity="low"`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any, Final, Literal, Unpack

from opentelemetry.trace import Span, Status, StatusCode

from bindtrace.propagation.guard.asgi import CALLER, Caller, problem
from bindtrace.propagation.guard.blocking import judge_blocking
from bindtrace.propagation.guard.headers import canonical, is_edge_name
from bindtrace.propagation.guard.modes import outcome
from bindtrace.propagation.guard.request import Judgement, RawHeaders, Request, Trust
from bindtrace.propagation.guard.settings import Guard, Settings
from bindtrace.propagation.guard.spans import VerdictSpan, describe, from_outside, without_credentials
from bindtrace.propagation.guard.verdict import attributes
from bindtrace.propagation.vocabulary import CREDENTIAL_HEADERS

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]
Fidelity = Literal["joined", "low"]

FAITHFUL: Final = ("gunicorn", "waitress", "werkzeug")
"""Servers that drop underscored names and join duplicates (seen: gunicorn 27, waitress 3, werkzeug 3)."""
_PHRASES: Final = {403: "403 Forbidden", 503: "503 Service Unavailable"}
_CREDENTIALS: Final = frozenset(name.encode() for name in CREDENTIAL_HEADERS)
_PLAIN: Final = {"CONTENT_TYPE": b"content-type", "CONTENT_LENGTH": b"content-length"}
log = logging.getLogger("bindtrace.guard")


class WSGIGuard(Guard):
    """One per application; threads may share it. Raises ValueError for a mode that is none."""

    def __init__(
        self, app: Application, *, header_fidelity: Fidelity = "joined", **settings: Unpack[Settings]
    ) -> None:
        super().__init__(**settings)
        self.app, self.header_fidelity = app, header_fidelity

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request = _request(environ)
        if self.mode == "off":
            return self.app(self._inner(environ, None), start_response)
        now_s = self._now_unix_nano() / 1e9
        fidelity = _fidelity(str(environ.get("SERVER_SOFTWARE", "")))
        judgement, trust = self._judge(request, fidelity, now_s)
        done = outcome(judgement, self.mode, self.receiver, now_s=now_s)
        values = attributes(
            judgement,
            done,
            self.receiver,
            trust,
            now_s=now_s,
            position="unknown",
            fidelity=fidelity,
        )
        inner = self._inner(environ, judgement)
        public = self.receiver.listener == "public"
        going_on = from_outside(request.headers) if public else without_credentials(request.headers)
        held = ExitStack()
        span = held.enter_context(
            VerdictSpan(
                values,
                _described(environ, request),
                headers=going_on,
                external=request.headers if public else None,
            )
        )
        try:
            if done.decision == "deny":
                body: Iterable[bytes] = self._refuse(
                    start_response, judgement.reason, done.status or 403, span
                )
            else:
                body = self.app(inner, _noting(start_response, span))
        except BaseException:
            held.close()
            raise
        return _Closing(body, held)

    def _judge(self, request: Request, fidelity: Fidelity, now_s: float) -> tuple[Judgement, Trust]:
        if fidelity == "low" and self.header_fidelity != "low" and self.receiver.listener != "public":
            log.error(
                "event=guard_fault reason=internal_error why=this WSGI server hides aliases and duplicates of headers "
                'fix=use gunicorn, waitress or werkzeug, or accept it with header_fidelity="low"'
            )
            return Judgement("internal_error"), self.trust.current()
        return judge_blocking(request, self.receiver, self.trust, self.memory, now_s=now_s)

    def _inner(self, environ: Environ, judgement: Judgement | None) -> Environ:
        """What the application gets: no credential, at a public edge nothing of ours; the verified caller."""
        public = self.receiver.listener == "public"
        inner = {key: value for key, value in environ.items() if not _taken_off(key, public=public)}
        if public and "HTTP_BAGGAGE" in inner:
            ((_, baggage),) = from_outside(((b"baggage", _bytes(inner["HTTP_BAGGAGE"])),))
            inner["HTTP_BAGGAGE"] = baggage.decode("latin-1")
        inner.pop(CALLER, None)
        if judgement is not None and judgement.allowed and judgement.wit is not None:
            wit = judgement.wit
            inner[CALLER] = Caller(wit.subject, wit.granted.binding, judgement.assurance)
        return inner

    def _refuse(self, start_response: StartResponse, reason: str, status: int, span: Span) -> Iterable[bytes]:
        log.info("event=refused reason=%s callee=%s", reason, self.receiver.service)
        body = problem(reason, status, span, explain=self.explain)
        span.set_attribute("http.response.status_code", status)
        headers = [("content-type", "application/problem+json"), ("cache-control", "no-store")]
        start_response(_PHRASES[status], [*headers, ("content-length", str(len(body)))])
        return [body]


class _Closing:
    """The answer's body; the span ends when it is closed, as every WSGI server has to (PEP 3333)."""

    def __init__(self, body: Iterable[bytes], held: ExitStack) -> None:
        self._body, self._held = body, held

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._held.close()


def _noting(start_response: StartResponse, span: Span) -> StartResponse:
    def noting(status: str, headers: Any, *error: Any) -> Any:
        code = int(status.partition(" ")[0])
        span.set_attribute("http.response.status_code", code)
        if code >= 500:
            span.set_status(Status(StatusCode.ERROR))
        return start_response(status, headers, *error)

    return noting


def _fidelity(server: str) -> Fidelity:
    return "joined" if server.lower().startswith(FAITHFUL) else "low"


def _name(key: str) -> bytes | None:
    """The header name of an environ key; WSGI has upper case and underscores only."""
    if key.startswith("HTTP_"):
        return key[5:].replace("_", "-").lower().encode("latin-1", "replace")
    return _PLAIN.get(key)


def _request(environ: Environ) -> Request:
    headers: RawHeaders = tuple(
        (name, _bytes(value)) for key, value in environ.items() if (name := _name(key)) is not None
    )
    return Request(
        headers,
        str(environ.get("REQUEST_METHOD", "GET")),
        # WSGI has the path as latin-1 of its bytes (PEP 3333); routes are compared as text
        _bytes(f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}").decode("utf-8", "replace"),
        _peer(environ),
        str(environ.get("REMOTE_ADDR") or "unix"),
    )


def _bytes(value: Any) -> bytes:
    return str(value).encode("latin-1", "replace")


def _peer(environ: Environ) -> bytes | None:
    """The client certificate where the server lets its socket be seen (gunicorn), else None."""
    connection = environ.get("gunicorn.socket")
    getpeercert = getattr(connection, "getpeercert", None)
    return getpeercert(True) if getpeercert is not None else None


def _taken_off(key: str, *, public: bool) -> bool:
    name = _name(key)
    if name is None:
        return False
    plain = canonical(name)
    return plain in _CREDENTIALS or (
        public and (is_edge_name(plain) or plain in (b"traceparent", b"tracestate"))
    )


def _described(environ: Environ, request: Request) -> dict[str, Any]:
    host = environ.get("HTTP_HOST")
    scheme = str(environ.get("wsgi.url_scheme", "http"))
    return describe(request.method, request.path[:1024], scheme, host, request.source)
