"""The Workload Proof Token (draft-ietf-wimse-wpt): one request signed with the key of its identity token. No I/O.

It covers method, callee and the other tokens of the request; body and query it does not cover: TLS has to.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.identity.compact import ALGORITHM, Compact, is_whole_number, take_apart
from bindtrace.propagation.identity.encoding import b64url, sha256_b64url
from bindtrace.propagation.identity.jose import sign
from bindtrace.propagation.identity.keys import PrivateKey
from bindtrace.propagation.identity.spiffe import Service
from bindtrace.propagation.identity.wit import ID_BYTES, is_identifier

TYP: Final = "wpt+jwt"
LIFE_S: Final = 60
MAX_LIFE_S: Final = 120
_HEADER: Final = {"alg": ALGORITHM, "typ": TYP}
_REQUIRED: Final = frozenset({"aud", "iat", "exp", "jti", "wth", "htm"})
_OPTIONAL: Final = frozenset({"ath", "tth", "oth", "htu"})
_MALFORMED: Final = Absent("pop_malformed")


class OtherTokens(NamedTuple):
    """The further tokens of a request, each by the hash of its value; `others` by header name.

    `ath` of the access token in `Authorization: Bearer`, `tth` of `Txn-Token`.
    """

    ath: str | None = None
    tth: str | None = None
    others: Mapping[str, str] = MappingProxyType({})


class Wpt(NamedTuple):
    """The claims of a proof; times in seconds since 1970. `compact` is kept for the check of its signature."""

    compact: Compact
    audience: str
    issued_at_s: int
    expires_s: int
    jti: str
    wit_hash: str
    method: str
    url: str | None
    tokens: OtherTokens

    def __repr__(self) -> str:
        return f"Wpt(audience={self.audience!r}, expires_s={self.expires_s})"


def parse(text: str) -> Wpt | Absent:
    """The typed claims of a proof, or `Absent("pop_malformed")`. Verifies nothing."""
    compact = take_apart(text)
    if isinstance(compact, Absent) or compact.header != _HEADER:
        return _MALFORMED
    claims = compact.claims
    if not _REQUIRED <= claims.keys() <= _REQUIRED | _OPTIONAL:
        return _MALFORMED
    others = claims.get("oth", {})
    texts = [value for name, value in claims.items() if name not in ("iat", "exp", "oth")]
    if not all(isinstance(value, str) for value in texts) or not is_identifier(claims["jti"]):
        return _MALFORMED
    if not all(is_whole_number(claims[name]) and claims[name] >= 0 for name in ("iat", "exp")):
        return _MALFORMED
    if not isinstance(others, dict) or not all(isinstance(value, str) for value in others.values()):
        return _MALFORMED
    return Wpt(
        compact=compact,
        audience=claims["aud"],
        issued_at_s=claims["iat"],
        expires_s=claims["exp"],
        jti=claims["jti"],
        wit_hash=claims["wth"],
        method=claims["htm"],
        url=claims.get("htu"),
        tokens=OtherTokens(claims.get("ath"), claims.get("tth"), others),
    )


def token_hash(text: str) -> str:
    """base64url of SHA-256 over the ASCII of a token, as `wth`, `ath`, `tth` and `oth` carry it."""
    return sha256_b64url(text.encode("utf-8", "surrogateescape"))


def issue(
    wit_text: str,
    key: PrivateKey,
    *,
    callee: Service,
    method: str,
    now_s: int,
    tokens: OtherTokens | None = None,
    url: str | None = None,
) -> str:
    """A fresh proof for one attempt of one request; retries need their own."""
    tokens = tokens or OtherTokens()
    optional = {"ath": tokens.ath, "tth": tokens.tth, "oth": dict(tokens.others) or None, "htu": url}
    claims: dict[str, Any] = {
        "aud": str(callee),
        "iat": now_s,
        "exp": now_s + LIFE_S,
        "jti": b64url(secrets.token_bytes(ID_BYTES)),
        "wth": token_hash(wit_text),
        "htm": method,
        **{name: value for name, value in optional.items() if value is not None},
    }
    return sign({"typ": TYP}, claims, key)
