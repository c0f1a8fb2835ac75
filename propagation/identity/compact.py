"""A compact JWS taken apart into header, claims and signature. Verifies nothing, believes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.identity.encoding import decode_b64url, read_object

MAX_TOKEN_BYTES: Final = 4096
ALGORITHM: Final = "ES256"
"""One algorithm; agility is the source of most faults of JWT libraries."""
_NO_BASE64URL: Final = Absent("base64url")


@dataclass(frozen=True, slots=True)
class Compact:
    """`text` is what `signature` covers together with the signature. Not shown: tokens stay out of logs."""

    text: str
    header: Mapping[str, Any]
    claims: dict[str, Any]
    signature: bytes

    @property
    def signed(self) -> bytes:
        """The received bytes that the signature covers."""
        return self.text.rpartition(".")[0].encode("ascii")

    def __repr__(self) -> str:
        return f"Compact(kid={self.header.get('kid')!r}, exp={self.claims.get('exp')!r})"


def take_apart(text: str) -> Compact | Absent:
    """Three parts of canonical base64url, the first two JSON objects; else `Absent` with which part was not."""
    if not 0 < len(text) <= MAX_TOKEN_BYTES:
        return Absent("length")
    parts = text.split(".")
    if len(parts) != 3:
        return Absent("parts")
    header, claims_bytes, signature = _header(parts[0]), decode_b64url(parts[1]), decode_b64url(parts[2])
    if isinstance(claims_bytes, Absent) or isinstance(signature, Absent) or header == _NO_BASE64URL:
        return _NO_BASE64URL
    claims = read_object(claims_bytes)
    if isinstance(header, Absent) or isinstance(claims, Absent):
        return Absent("json")
    return Compact(text, header, claims, signature)


@lru_cache(maxsize=64)
def _header(part: str) -> Mapping[str, Any] | Absent:
    """Kept, as all tokens of one key begin alike and all proofs do; what it says is asked of each token anew."""
    content = decode_b64url(part)
    header = content if isinstance(content, Absent) else read_object(content)
    return header if isinstance(header, Absent) else MappingProxyType(header)


def is_whole_number(value: Any) -> bool:
    """An integer as JSON has them: `true` is none, although Python says so."""
    return isinstance(value, int) and not isinstance(value, bool)
