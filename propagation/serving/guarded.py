"""A guarded application behind its own TLS: the server, its certificate and its connections, put together.

serve_guarded(app, Identity.join(Path("inventory.join")), mode="enforce", address="0.0.0.0:8443")
"""

from __future__ import annotations

from typing import Any

import uvicorn

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.guard.asgi import App, ASGIGuard
from bindtrace.propagation.serving.boundary import BoundaryProtocol
from bindtrace.propagation.vocabulary import Mode
from bindtrace.propagation.workload.identity import Identity


def serve_guarded(app: App, identity: Identity, *, mode: Mode, address: str, **receiver: Any) -> None:
    """Serves until a signal ends it. `receiver` are fields of `Receiver`. Raises Refusal for an odd address."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise Refusal(f"`{address}` is not an address", fix="give HOST:PORT.")
    guard = ASGIGuard(
        app, mode=mode, receiver=identity.receiver(**receiver), trust=identity, at_boundary=True
    )
    config = uvicorn.Config(
        guard, host=host, port=int(port), http=BoundaryProtocol, log_config=None, proxy_headers=False
    )
    config.load()
    config.ssl = identity.server_context()
    uvicorn.Server(config).run()
