"""A guarded application in one of several servers, until it is killed: `header_server.py SERVER PORT BUNDLE`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from bindtrace.propagation.guard.asgi import ASGIGuard
from bindtrace.propagation.guard.request import FixedTrust, Receiver, Trust
from bindtrace.propagation.guard.wsgi import WSGIGuard
from bindtrace.propagation.identity import bundle as bundles
from bindtrace.propagation.identity.spiffe import Service

DOMAIN = "shop.example"
SERVER, PORT = sys.argv[1], int(sys.argv[2])
found = bundles.parse(Path(sys.argv[3]).read_bytes(), DOMAIN)
assert isinstance(found, bundles.Bundle)
SETTINGS: dict[str, Any] = {
    "mode": "enforce",
    "receiver": Receiver(Service(DOMAIN, "p1", "production", "s-inventory"), "d7"),
    "trust": FixedTrust(Trust({DOMAIN: found})),
    "explain": True,
}


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("content-length", "0")])
    return [b""]


asgi = ASGIGuard(asgi_app, **SETTINGS)
low = {"header_fidelity": "low"} if SERVER in ("wsgiref", "cheroot") else {}
wsgi = WSGIGuard(wsgi_app, **SETTINGS, **low)


def _uvicorn(http: Any) -> None:
    import uvicorn

    uvicorn.run(asgi, host="127.0.0.1", port=PORT, http=http, lifespan="off", log_config=None)


def _serve_guarded() -> None:
    from bindtrace.propagation.serving.boundary import BoundaryProtocol

    _uvicorn(BoundaryProtocol)


def _hypercorn() -> None:
    import asyncio

    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{PORT}"]
    asyncio.run(serve(asgi, config))  # type: ignore[arg-type]


def _granian() -> None:
    import asyncio

    # in this process, where the application need not be found by a name
    from granian.constants import Interfaces
    from granian.server.embed import Server

    asyncio.run(Server(asgi, address="127.0.0.1", port=PORT, interface=Interfaces.ASGI).serve())


def _gunicorn() -> None:
    from gunicorn.app.base import BaseApplication

    class Application(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            self.cfg.set("bind", f"127.0.0.1:{PORT}")
            self.cfg.set("control_socket_disable", True)

        def load(self) -> Any:
            return wsgi

    Application().run()


def _waitress() -> None:
    from waitress import serve

    serve(wsgi, host="127.0.0.1", port=PORT)


def _werkzeug() -> None:
    from werkzeug.serving import run_simple

    run_simple("127.0.0.1", PORT, wsgi)


def _wsgiref() -> None:
    from wsgiref.simple_server import make_server

    make_server("127.0.0.1", PORT, wsgi).serve_forever()


def _cheroot() -> None:
    from cheroot.wsgi import Server

    Server(("127.0.0.1", PORT), wsgi).start()


SERVERS = {
    "serve_guarded": _serve_guarded,
    "uvicorn (h11)": lambda: _uvicorn("h11"),
    "uvicorn (httptools)": lambda: _uvicorn("httptools"),
    "hypercorn": _hypercorn,
    "granian": _granian,
    "gunicorn": _gunicorn,
    "waitress": _waitress,
    "werkzeug": _werkzeug,
    "wsgiref": _wsgiref,
    "cheroot": _cheroot,
}
sys.argv = sys.argv[:1]  # gunicorn would read them
SERVERS[SERVER]()
