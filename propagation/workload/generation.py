"""One generation: keys, certificate and tokens that were issued together, and are swapped together.

A token never travels on a connection of another generation: its certificate would not be the token's.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cryptography import x509

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.identity import certificates, tls
from bindtrace.propagation.identity.bundle import Bundle
from bindtrace.propagation.identity.compact import is_whole_number, take_apart
from bindtrace.propagation.identity.keys import PrivateKey, public_of
from bindtrace.propagation.identity.peer import Leaf, read_leaf
from bindtrace.propagation.identity.spiffe import Service, Workload, parse_service
from bindtrace.propagation.identity.wit import Wit, read_claims

TokenProof = Literal["mtls", "wpt"]


@dataclass(frozen=True, slots=True, repr=False)
class HeldToken:
    """A token for one callee, with what it says; `proof` tells which key it is on."""

    text: str
    claims: Wit
    proof: TokenProof

    def __repr__(self) -> str:
        return f"HeldToken(binding={self.claims.granted.binding!r}, expires_s={self.claims.expires_s})"


@dataclass(frozen=True, slots=True, repr=False)
class Generation:
    """`number` counts from 1 in this process. Times in seconds since 1970."""

    number: int
    workload: Workload
    tls_key: PrivateKey
    signing_key: PrivateKey
    certificate: x509.Certificate
    tokens: Mapping[tuple[Service, TokenProof], HeldToken]
    issued_s: float

    def __repr__(self) -> str:
        return f"Generation({self.number}, {self.workload}, expires_s={self.expires_s:.0f})"

    @property
    def expires_s(self) -> float:
        """When the first of its parts ends."""
        ends = [token.claims.expires_s for token in self.tokens.values()]
        return min([self.certificate.not_valid_after_utc.timestamp(), *ends])

    @property
    def signed_s(self) -> float:
        """When the certificate was signed, by the clock of who signed it."""
        return self.certificate.not_valid_before_utc.timestamp() + certificates.BACKDATED_S

    def server_context(self, bundle: Bundle) -> ssl.SSLContext:
        return tls.server_context(self.tls_key, self.certificate, bundle.authorities)

    def client_context(self, bundle: Bundle, callee: Service) -> ssl.SSLContext:
        """Connects to any deployment of `callee`, and to nobody else."""
        return tls.client_context(
            self.tls_key,
            self.certificate,
            bundle.authorities,
            expects=lambda found: found.of_service == callee,
        )


def read(
    answer: Mapping[str, Any], number: int, tls_key: PrivateKey, signing_key: PrivateKey, now_s: float
) -> Generation | Absent:
    """The generation that an answer makes with these keys; `Absent("credentials")` where they do not fit."""
    fault = Absent("credentials")
    text, tokens = answer.get("certificate"), answer.get("tokens")
    if not isinstance(text, str) or not isinstance(tokens, list):
        return fault
    try:
        certificate = x509.load_pem_x509_certificate(text.encode("utf-8", "replace"))
    except (ValueError, x509.InvalidVersion):
        return fault
    leaf = read_leaf(certificates.der(certificate))
    if not isinstance(leaf, Leaf) or isinstance(leaf.profile, Absent):
        return fault
    workload, key = leaf.profile
    held = [_token(entry) for entry in tokens]
    if key != public_of(tls_key) or any(token is None for token in held):
        return fault
    by_callee = {(t.claims.granted.callee, t.proof): t for t in held if t is not None}
    wanted = {"mtls": public_of(tls_key), "wpt": public_of(signing_key)}
    if any(t.claims.key != wanted[t.proof] or t.claims.subject != workload for t in by_callee.values()):
        return fault
    return Generation(number, workload, tls_key, signing_key, certificate, by_callee, now_s)


def _token(entry: Any) -> HeldToken | None:
    if not isinstance(entry, dict) or not is_whole_number(entry.get("expires")):
        return None
    text, proof = entry.get("token"), entry.get("proof")
    compact = take_apart(text) if isinstance(text, str) else Absent("token")
    if isinstance(compact, Absent) or proof not in ("mtls", "wpt"):
        return None
    claims = read_claims(compact)
    callee = parse_service(str(entry.get("callee")))
    if isinstance(claims, Absent) or claims.granted.callee != callee:
        return None
    return HeldToken(compact.text, claims, proof)
