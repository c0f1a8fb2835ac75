"""An HTTP connection of a sender: closed when slow, and named by its client certificate."""

from __future__ import annotations

from typing import Any

from bindtrace.collector.receive.http_server import CLIENT_NAME
from bindtrace.propagation.serving.timed import TimedProtocol


class SenderProtocol(TimedProtocol):
    def extensions(self) -> dict[str, Any]:
        tls = self.transport.get_extra_info("ssl_object")
        return {CLIENT_NAME: {"name": _client_name(tls.getpeercert())}} if tls else {}


def _client_name(certificate: Any) -> str:
    """The first URI, else DNS name of a client certificate, else its common name; empty without one."""
    if not certificate:
        return ""
    alternatives = certificate.get("subjectAltName", ())
    names = [str(value) for wanted in ("URI", "DNS") for kind, value in alternatives if kind == wanted]
    names += [
        str(value) for part in certificate.get("subject", ()) for key, value in part if key == "commonName"
    ]
    return names[0] if names else ""
