"""A compact JWS taken apart into header, claims and signature. Verifies nothing, believes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.identity.encoding import decode_b64url, read_object

MAX_TOKEN_BYTES: Final = 4096
ALGORITHM: Final = "ES256"
"""One algorithm; agility is the source of most faults of JWT libraries."""


@dataclass(frozen=True, slots=True)
class Compact:
    """`text` is what the signature covers together with the signature. Not shown: tokens stay out of logs."""

    text: str
    header: dict[str, Any]
    claims: dict[str, Any]

    def __repr__(self) -> str:
        return f"Compact(kid={self.header.get('kid')!r}, exp={self.claims.get('exp')!r})"


def take_apart(text: str) -> Compact | Absent:
    """Three parts of canonical base64url, the first two JSON objects; else `Absent` with which part was not."""
    if not 0 < len(text) <= MAX_TOKEN_BYTES:
        return Absent("length")
    parts = text.split(".")
    if len(parts) != 3:
        return Absent("parts")
    decoded = [decode_b64url(part) for part in parts]
    match decoded:
        case [bytes() as header_bytes, bytes() as claims_bytes, bytes()]:
            header, claims = read_object(header_bytes), read_object(claims_bytes)
        case _:
            return Absent("base64url")
    if isinstance(header, Absent) or isinstance(claims, Absent):
        return Absent("json")
    return Compact(text, header, claims)


def is_whole_number(value: Any) -> bool:
    """An integer as JSON has them: `true` is none, although Python says so."""
    return isinstance(value, int) and not isinstance(value, bool)
