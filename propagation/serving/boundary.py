"""A connection that stamps each request with what really arrived: raw headers and the client certificate.

No ASGI server hands the certificate to the application (seen: uvicorn 0.54, hypercorn 0.18), and middleware that
runs first may change headers; the stamp is made before any code of the service.
"""

from __future__ import annotations

import asyncio
from typing import Any

from bindtrace.propagation.guard.request import BOUNDARY, Stamp
from bindtrace.propagation.serving.timed import TimedProtocol


class BoundaryProtocol(TimedProtocol):
    """`uvicorn.run(app, http=BoundaryProtocol, …)`; `bindtrace run` does it."""

    _certificate: bytes | None = None
    _certificate_read = False
    _began_s = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._began_s = self.loop.time()

    def extensions(self) -> dict[str, Any]:
        if not self._certificate_read:
            self._certificate_read = True
            tls = self.transport.get_extra_info("ssl_object")
            self._certificate = tls.getpeercert(True) if tls else None
        source = str(self.client[0]) if self.client else "unix"
        stamp = Stamp(
            tuple(self.headers),
            self._certificate,
            source,
            self.config.loaded_app,
            self.loop.time() - self._began_s,
        )
        return {BOUNDARY: stamp}
