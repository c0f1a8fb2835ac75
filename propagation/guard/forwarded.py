"""Client certificates that a proxy hands on in a header: `Client-Cert` (RFC 9440) and Envoy's XFCC. Pure.

Exactly one element: two mean that another proxy stood between, and its word is not the hop's own.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from bindtrace.propagation.absent import Absent

MAX_HEADER_BYTES: Final = 16_384
_ITEM: Final = re.compile(r":([A-Za-z0-9+/=]+):")
_PAIR: Final = re.compile(r'([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^;,"]*))(;|\Z)')
_HASH: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A certificate as DER, or where the hop sends no more than that, its SHA-256 and its one URI."""

    der: bytes | None
    sha256: bytes | None = None
    uri: str | None = None


def parse_client_cert(value: str) -> Forwarded | Absent:
    """One byte sequence of RFC 9651."""
    match = _ITEM.fullmatch(value) if len(value) <= MAX_HEADER_BYTES else None
    if match is None:
        return Absent("malformed")
    try:
        return Forwarded(base64.b64decode(match.group(1), validate=True))
    except (binascii.Error, ValueError):
        return Absent("malformed")


def parse_xfcc(value: str) -> Forwarded | Absent:
    """One element of `X-Forwarded-Client-Cert`; a second one is `Absent("elements")`."""
    if len(value) > MAX_HEADER_BYTES:
        return Absent("malformed")
    pairs: list[tuple[str, str]] = []
    place = 0
    while place < len(value):
        match = _PAIR.match(value, place)
        if match is None:
            return Absent("elements" if "," in value[place:] else "malformed")
        quoted, bare = match.group(2), match.group(3)
        pairs.append(
            (match.group(1).lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare)
        )
        place = match.end()
    return _element(pairs)


def _element(pairs: list[tuple[str, str]]) -> Forwarded | Absent:
    """`By`, `Subject` and `DNS` say nothing that is decided by; the rest once each."""
    members = dict(pairs)
    if any(sum(key == name for key, _ in pairs) > 1 for name in ("cert", "hash", "uri")):
        return Absent("malformed")
    if cert := members.get("cert"):
        try:
            certificate = x509.load_pem_x509_certificate(unquote_to_bytes(cert))
            return Forwarded(certificate.public_bytes(Encoding.DER))
        except (ValueError, TypeError, x509.InvalidVersion):
            return Absent("malformed")
    if not _HASH.fullmatch(members.get("hash", "")) or not members.get("uri"):
        return Absent("malformed")
    return Forwarded(None, bytes.fromhex(members["hash"]), members["uri"])
