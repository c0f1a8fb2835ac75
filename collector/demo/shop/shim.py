"""The shop's shim: a guard before each application and signed calls behind it, where the service has an identity.

As `serve_guarded` and a transport put it into any service. Without SHOP_JOIN there is none: the shop of the plain demo.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from bindtrace.propagation import Identity
from bindtrace.propagation.guard.asgi import ASGIGuard
from bindtrace.propagation.vocabulary import Mode
from bindtrace.propagation.workload.httpx_transport import AsyncBindingTransport

JOIN = os.environ.get("SHOP_JOIN")
PUBLIC = os.environ.get("SHOP_LISTENER") == "public"
identity = Identity.join(Path(JOIN)) if JOIN else None


def guarded(app: Any, own: Identity) -> ASGIGuard:
    """`app` behind its guard, which makes the span of each request."""
    receiver = own.receiver(listener="public") if PUBLIC else own.receiver()
    mode = cast(Mode, os.environ["SHOP_MODE"])
    return ASGIGuard(app, mode=mode, receiver=receiver, trust=own, at_boundary=True)


def signed(own: Identity, callees: Mapping[str, str]) -> AsyncBindingTransport:
    """A transport that signs calls to those of `callees` (by URL) that this service may call."""
    bound = {service.service for service, _ in own.generation.tokens}
    targets = {url: callee for url, callee in callees.items() if callee in bound}
    return AsyncBindingTransport(own, targets)


def listening() -> ssl.SSLContext | None:
    """What this service's listener shakes hands by; None for plain HTTP, as the public edge of a demo has it."""
    return None if identity is None or PUBLIC else identity.server_context()
