"""Names in a folder of credentials (`files.py`). No I/O."""

from __future__ import annotations

from typing import Final

CURRENT: Final = "current"
CERTIFICATE: Final = "certificate.pem"
KEY: Final = "key.pem"
AUTHORITIES: Final = "authorities.pem"


def endpoints_file(callee: str) -> str:
    """Where Envoy finds where this callee listens."""
    return f"endpoints-{callee}.json"
