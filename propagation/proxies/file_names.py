"""Names in a folder of credentials (`files.py`). Data only."""

from __future__ import annotations

from typing import Final

CURRENT: Final = "current"
CERTIFICATE: Final = "certificate.pem"
KEY: Final = "key.pem"
AUTHORITIES: Final = "authorities.pem"
