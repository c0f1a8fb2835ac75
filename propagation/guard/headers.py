"""Header names by canonical spelling, so that no other spelling is a way around a check. No I/O.

Servers and proxies fold `_` and `.` into `-` differently (Traefik CVE-2026-88011, Caddy CVE-2026-30851), keep the
first or the last of two lines, and drop what `Connection` names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from bindtrace.propagation.guard.request import RawHeaders
from bindtrace.propagation.vocabulary import (
    CREDENTIAL_HEADERS,
    EDGE_HEADER_PREFIXES,
    EDGE_HEADERS,
    FORWARDED_CERT_HEADERS,
)

GUARDED: Final = {name.encode(): name for name in (*CREDENTIAL_HEADERS, *FORWARDED_CERT_HEADERS)}
_SINGLE: Final = frozenset(name.encode() for name in CREDENTIAL_HEADERS)
_EDGE: Final = frozenset(name.encode() for name in EDGE_HEADERS)
_EDGE_PREFIXES: Final = tuple(name.encode() for name in EDGE_HEADER_PREFIXES)
_PLAIN: Final = bytes(range(256)).lower().translate(bytes.maketrans(b"_.", b"--"))


@dataclass(slots=True)
class Found:
    """The guarded headers of one request, by exact name."""

    values: dict[str, str] = field(default_factory=dict)
    aliased: bool = False
    doubled: bool = False

    def text(self, name: str) -> str | None:
        return self.values.get(name)


def canonical(name: bytes) -> bytes:
    """Lower case, trimmed, `_` and `.` as `-`."""
    return name.strip().translate(_PLAIN)


def find(headers: RawHeaders) -> Found:
    """The guarded headers, and whether one is spelled otherwise, named by `Connection`, twice or a list."""
    found = Found()
    for name, value in headers:
        plain = canonical(name)
        if guarded := GUARDED.get(plain):
            found.aliased = found.aliased or name.lower() != plain
            found.doubled = found.doubled or guarded in found.values or (plain in _SINGLE and b"," in value)
            found.values[guarded] = value.strip(b" \t").decode("latin-1")
        elif plain == b"connection":
            found.aliased = found.aliased or any(canonical(token) in GUARDED for token in value.split(b","))
    return found


def edge_only(headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    """What no one outside may send: our headers by any spelling, and all that `Connection` calls by such a name."""
    return [(name, value) for name, value in headers if is_edge_name(canonical(name))]


def is_edge_name(plain: bytes) -> bool:
    return plain in _EDGE or plain.startswith(_EDGE_PREFIXES)
