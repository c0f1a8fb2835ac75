"""The Workload Identity Token (WIT-SVID, draft-ietf-wimse-workload-creds): read and issued. No clock, no keys found.

The claims are ours to close: this authority is the only issuer in its trust domain, so an unknown member is
somebody else's token.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.identity.compact import Compact, is_whole_number
from bindtrace.propagation.identity.encoding import b64url, decode_b64url
from bindtrace.propagation.identity.jose import sign
from bindtrace.propagation.identity.keys import PrivateKey, PublicKey, parse_jwk, public_of
from bindtrace.propagation.identity.spiffe import (
    SCHEME,
    Service,
    Workload,
    is_segment,
    parse_service,
    parse_workload,
)

TYP: Final = "wit+jwt"
HEADER_MEMBERS: Final = frozenset({"alg", "typ", "kid"})
GRANT_CLAIM: Final = "bindtrace/grant"
LIFE_S: Final = 900
MAX_LIFE_S: Final = 3600
BACKDATED_S: Final = 10
ID_BYTES: Final = 16
_CLAIMS: Final = frozenset({"iss", "sub", "iat", "nbf", "exp", "jti", "cnf", GRANT_CLAIM})
_GRANT_MEMBERS: Final = frozenset({"binding", "callee", "deployment", "env", "epoch"})
_INVALID: Final = Absent("claims_invalid")


@dataclass(frozen=True, slots=True)
class Granted:
    """What a token is good for. `deployment`: the callee's only deployment, None where the binding pins none."""

    binding: str
    callee: Service
    deployment: str | None
    environment: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Wit:
    """The claims of a token; times in seconds since 1970. `x5t_s256` is the leaf it was issued beside, if any."""

    kid: str
    issuer: str
    subject: Workload
    issued_at_s: int
    not_before_s: int
    expires_s: int
    jti: str
    key: PublicKey
    x5t_s256: str | None
    granted: Granted


def read_claims(compact: Compact) -> Wit | Absent:
    """The typed claims, or `Absent("claims_invalid")`. Signature and times are the caller's to check."""
    claims, kid = compact.claims, compact.header.get("kid")
    if claims.keys() != _CLAIMS or not isinstance(kid, str):
        return _INVALID
    subject = parse_workload(claims["sub"]) if isinstance(claims["sub"], str) else _INVALID
    key, x5t = _confirmation(claims["cnf"])
    granted = _granted(claims[GRANT_CLAIM])
    times = [claims[name] for name in ("iat", "nbf", "exp")]
    texts = [claims[name] for name in ("iss", "jti")]
    if not all(is_whole_number(time) and time >= 0 for time in times) or times[1] >= times[2]:
        return _INVALID
    if not all(isinstance(text, str) for text in texts) or not is_identifier(claims["jti"]):
        return _INVALID
    if isinstance(subject, Absent) or isinstance(key, Absent) or isinstance(granted, Absent):
        return _INVALID
    issued_at_s, not_before_s, expires_s = times
    return Wit(
        kid, claims["iss"], subject, issued_at_s, not_before_s, expires_s, claims["jti"], key, x5t, granted
    )


def is_identifier(text: Any) -> bool:
    """128 bits of base64url, as `jti` has them."""
    return isinstance(text, str) and _length(text) == ID_BYTES


def _length(text: str) -> int:
    decoded = decode_b64url(text)
    return -1 if isinstance(decoded, Absent) else len(decoded)


def _confirmation(cnf: Any) -> tuple[PublicKey | Absent, str | None]:
    """One key, and the hash of one certificate if any (RFC 7800, RFC 8705 section 3.1)."""
    if not isinstance(cnf, dict) or not {"jwk"} <= cnf.keys() <= {"jwk", "x5t#S256"}:
        return _INVALID, None
    x5t = cnf.get("x5t#S256")
    if "x5t#S256" in cnf and (not isinstance(x5t, str) or _length(x5t) != 32):
        return _INVALID, None
    return parse_jwk(cnf["jwk"]), x5t


def _granted(grant: Any) -> Granted | Absent:
    if not isinstance(grant, dict) or grant.keys() != _GRANT_MEMBERS:
        return _INVALID
    names = [grant["binding"], grant["env"]]
    if grant["deployment"] is not None:
        names.append(grant["deployment"])
    if not all(isinstance(name, str) and len(name) <= 128 and is_segment(name) for name in names):
        return _INVALID
    if not is_whole_number(grant["epoch"]) or grant["epoch"] < 0 or not isinstance(grant["callee"], str):
        return _INVALID
    callee = parse_service(grant["callee"])
    if isinstance(callee, Absent):
        return _INVALID
    return Granted(grant["binding"], callee, grant["deployment"], grant["env"], grant["epoch"])


def issue(
    subject: Workload,
    key: PublicKey,
    granted: Granted,
    signer: PrivateKey,
    *,
    now_s: int,
    life_s: int = LIFE_S,
    x5t_s256: str | None = None,
) -> tuple[str, Wit]:
    """A signed token for `subject` on `key`, and its claims. Raises ValueError for a life outside 1 to 3590 s."""
    if not 0 < life_s <= MAX_LIFE_S - BACKDATED_S:
        raise ValueError(f"a token's life of {life_s} s is not within 1 to {MAX_LIFE_S - BACKDATED_S}")
    wit = Wit(
        kid=public_of(signer).thumbprint,
        issuer=SCHEME + subject.trust_domain,
        subject=subject,
        issued_at_s=now_s,
        not_before_s=now_s - BACKDATED_S,
        expires_s=now_s + life_s,
        jti=b64url(secrets.token_bytes(ID_BYTES)),
        key=key,
        x5t_s256=x5t_s256,
        granted=granted,
    )
    return sign({"typ": TYP, "kid": wit.kid}, _claims(wit), signer), wit


def _claims(wit: Wit) -> Mapping[str, Any]:
    return {
        "iss": wit.issuer,
        "sub": str(wit.subject),
        "iat": wit.issued_at_s,
        "nbf": wit.not_before_s,
        "exp": wit.expires_s,
        "jti": wit.jti,
        "cnf": {
            "jwk": {**wit.key.jwk(), "alg": "ES256"},
            **({} if wit.x5t_s256 is None else {"x5t#S256": wit.x5t_s256}),
        },
        GRANT_CLAIM: {
            "binding": wit.granted.binding,
            "callee": str(wit.granted.callee),
            "deployment": wit.granted.deployment,
            "env": wit.granted.environment,
            "epoch": wit.granted.epoch,
        },
    }
