"""A guarded application for tests: called directly, or behind a real uvicorn; and the spans that come of it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from identities import NOW_S, Scene
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bindtrace.propagation.guard import spans
from bindtrace.propagation.guard.asgi import ASGIGuard
from bindtrace.propagation.guard.request import FixedTrust, Request
from bindtrace.propagation.serving.boundary import BoundaryProtocol


class App:
    """Answers 200 with nothing, and keeps what it was called with."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        self.scopes.append(dict(scope))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


class Spans:
    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = provider or TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def all(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def one(self) -> ReadableSpan:
        (span,) = self.all()
        return span

    def said(self) -> dict[str, Any]:
        return dict(self.one().attributes or {})


def listening(monkeypatch: pytest.MonkeyPatch) -> Spans:
    """The spans that guards make from here on."""
    recorded = Spans()
    monkeypatch.setattr(spans, "tracer", lambda: recorded.provider.get_tracer(spans.SCOPE))
    return recorded


def guard(scene: Scene, app: Any, mode: Any = "enforce", **also: Any) -> ASGIGuard:
    settings = {
        "receiver": scene.receiver,
        "trust": FixedTrust(scene.trust),
        "memory": scene.memory,
        "now_unix_nano": lambda: NOW_S * 10**9,
    }
    return ASGIGuard(app, mode=mode, **{**settings, **also})


def scope_of(request: Request, **changes: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": request.method,
        "path": request.path,
        "scheme": "http",
        "headers": list(request.headers),
        "client": ("10.0.0.7", 5000),
        **changes,
    }


def call(application: Any, request: Request, **changes: Any) -> list[dict[str, Any]]:
    """The messages that the application sent."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(dict(message))

    async def receive() -> Any:
        return {"type": "http.request"}

    asyncio.run(application(scope_of(request, **changes), receive, send))
    return sent


@contextmanager
def serving(application: Any, tls: ssl.SSLContext | None = None, **settings: Any) -> Iterator[int]:
    """The port of a real uvicorn with our protocol, on loopback."""
    config = uvicorn.Config(
        application, http=settings.pop("http", BoundaryProtocol), log_config=None, lifespan="off", **settings
    )
    config.load()
    config.ssl = tls
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        port = int(listening.getsockname()[1])
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            while not server.started:
                threading.Event().wait(0.01)
            yield port
        finally:
            server.should_exit = True
            thread.join(10)


def exchange(port: int, raw: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    """What the server answers to these bytes until it closes or rests."""
    with socket.create_connection(("127.0.0.1", port), timeout=3) as plain:
        connection = tls.wrap_socket(plain) if tls else plain
        with connection:
            connection.sendall(raw)
            answer = b""
            try:
                while piece := connection.recv(65536):
                    answer += piece
                    if b"\r\n\r\n" in answer:
                        break
            except (TimeoutError, ssl.SSLError, ConnectionResetError):
                pass
            return answer


def as_bytes(request: Request, *, close: bool = True) -> bytes:
    lines = [f"{request.method} {request.path} HTTP/1.1".encode()]
    lines += [name + b": " + value for name, value in request.headers]
    lines += [b"connection: close"] if close else []
    return b"\r\n".join(lines) + b"\r\n\r\n"
