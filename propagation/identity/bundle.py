"""The trust bundle of a trust domain, read from and written as SPIFFE JWKS. No I/O, no clock.

SPIFFE Trust Domain and Bundle, section 4; `use: wit-svid` as the WIT-SVID standard names it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.identity.compact import is_whole_number
from bindtrace.propagation.identity.encoding import read_object
from bindtrace.propagation.identity.keys import PublicKey, parse_jwk, public_of

MAX_BUNDLE_BYTES: Final = 256 * 1024
NOT_AFTER: Final = "bindtrace/not_after"
"""Member of a token key: seconds since 1970 after which nothing it signed is valid; JWKS has no word for it."""
RENEW_BEFORE: Final = "bindtrace/renew_before"
_TOKEN: Final = "wit-svid"  # noqa: S105  a word of the standard, not a secret
_X509: Final = "x509-svid"


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key that signs identity tokens, and when its last signature ends."""

    key: PublicKey
    not_after_s: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """What one trust domain is known by. `skipped` counts entries that this reader cannot use."""

    trust_domain: str
    sequence: int
    refresh_hint_s: int
    token_keys: Mapping[str, TokenKey]
    authorities: tuple[x509.Certificate, ...]
    renew_before_s: int = 0
    """What was issued up to this second is to be renewed at once: its issuer may be compromised (I8)."""
    skipped: int = 0

    @property
    def usable_until_s(self) -> int:
        """When the last token key ends: a bundle that is not refreshed is good until then."""
        return max((entry.not_after_s for entry in self.token_keys.values()), default=0)


def parse(content: bytes, trust_domain: str) -> Bundle | Absent:
    """The bundle, or `Absent` with `length`, `json` or `keys`. Entries of other uses are counted and left out."""
    if len(content) > MAX_BUNDLE_BYTES:
        return Absent("length")
    document = read_object(content)
    if isinstance(document, Absent):
        return document
    entries, sequence = document.get("keys"), document.get("spiffe_sequence", 0)
    refresh_s = document.get("spiffe_refresh_hint", 60)
    renew_before_s = document.get(RENEW_BEFORE, 0)
    if not isinstance(entries, list) or not all(map(is_whole_number, (sequence, refresh_s, renew_before_s))):
        return Absent("keys")
    token_keys: dict[str, TokenKey] = {}
    authorities: list[x509.Certificate] = []
    for entry in entries:
        match _read(entry):
            case TokenKey() as token_key:
                token_keys[token_key.key.thumbprint] = token_key
            case x509.Certificate() as authority:
                authorities.append(authority)
    return Bundle(
        trust_domain,
        sequence,
        max(refresh_s, 1),
        MappingProxyType(token_keys),
        tuple(authorities),
        renew_before_s,
        skipped=len(entries) - len(token_keys) - len(authorities),
    )


def _read(entry: Any) -> TokenKey | x509.Certificate | None:
    if not isinstance(entry, dict):
        return None
    return _authority(entry) if entry.get("use") == _X509 else _token_key(entry)


def _token_key(entry: dict[str, Any]) -> TokenKey | None:
    """A key whose `kid` is not its thumbprint is not used: names of keys must not be reusable."""
    not_after_s, kid = entry.get(NOT_AFTER), entry.get("kid")
    bare = {name: value for name, value in entry.items() if name not in (NOT_AFTER, "kid")}
    key = parse_jwk(bare, also={"use": _TOKEN}) if bare.get("use") == _TOKEN else Absent("use")
    if isinstance(key, Absent) or key.thumbprint != kid or not is_whole_number(not_after_s):
        return None
    return TokenKey(key, int(not_after_s or 0))


def _authority(entry: dict[str, Any]) -> x509.Certificate | None:
    chain = entry.get("x5c")
    if not isinstance(chain, list) or len(chain) != 1 or not isinstance(chain[0], str):
        return None
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode(chain[0], validate=True))
        public = certificate.public_key()
        public_of(public)  # type: ignore[arg-type]  # another kind of key has no curve
    except (ValueError, AttributeError, x509.InvalidVersion):
        return None
    return certificate


def serialize(bundle: Bundle) -> bytes:
    """The same bundle as JSON; equal bundles give equal bytes, so that an ETag can be their hash."""
    keys: list[dict[str, Any]] = [
        {"use": _X509, **_jwk_of(authority), "x5c": [base64.b64encode(_der(authority)).decode("ascii")]}
        for authority in sorted(bundle.authorities, key=_der)
    ]
    keys += [
        {"use": _TOKEN, "kid": kid, **entry.key.jwk(), "alg": "ES256", NOT_AFTER: entry.not_after_s}
        for kid, entry in sorted(bundle.token_keys.items())
    ]
    document = {
        "keys": keys,
        "spiffe_sequence": bundle.sequence,
        "spiffe_refresh_hint": bundle.refresh_hint_s,
        **({RENEW_BEFORE: bundle.renew_before_s} if bundle.renew_before_s else {}),
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _jwk_of(certificate: x509.Certificate) -> dict[str, str]:
    return public_of(certificate.public_key()).jwk()  # type: ignore[arg-type]  # `parse` and the authority see to it
