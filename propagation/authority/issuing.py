"""The authority itself: who gets which credential. It opens its directory, and decides; it never listens.

From a signing request only the key is taken; who somebody is says the join secret, or the certificate that the
connection was made with, verified once more here.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from cryptography import x509

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.authority.key_files import check_private, make_private_directory, write_private
from bindtrace.propagation.authority.keyring import Keyring
from bindtrace.propagation.authority.log import entry_of
from bindtrace.propagation.authority.registry import Registry
from bindtrace.propagation.authority.rotation import Kind, Lives, Step
from bindtrace.propagation.authority.store import KeyRow, Store
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.identity import certificates, wit
from bindtrace.propagation.identity.bundle import Bundle
from bindtrace.propagation.identity.keys import PrivateKey, PublicKey
from bindtrace.propagation.identity.peer import issued_by, read_leaf
from bindtrace.propagation.identity.policy import Binding, Policy
from bindtrace.propagation.identity.spiffe import (
    Service,
    Workload,
    authority_id,
    is_trust_domain,
    parse_workload,
)

JOIN_LIFE_S: Final = 600
SECRET_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token for one binding. `proof`: on the certificate's key (`mtls`), or on the signing key (`wpt`)."""

    binding: str
    callee: str
    proof: str
    token: str
    expires_s: int


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a workload gets for its two keys, all at once: one generation."""

    workload: Workload
    certificate: x509.Certificate
    tokens: tuple[IssuedToken, ...]


class Authority:
    """One directory. Raises Refusal where it is missing, loose or of somebody else."""

    def __init__(self, directory: Path) -> None:
        check_private(directory)
        check_private(directory / "authority.sqlite")
        self.directory = directory
        self.store = Store(directory / "authority.sqlite")
        self.trust_domain = self.store.get("trust_domain")
        self.lives = Lives(**json.loads(self.store.get("lives")))
        self.keyring = Keyring(directory, self.store, self.trust_domain, self.lives)
        self.registry = Registry(self.store, self.trust_domain, self.lives)

    @property
    def own(self) -> Workload:
        """As whom the authority answers; clients compare it."""
        return authority_id(self.trust_domain)

    # --- keys and registry -------------------------------------------------------------------------------

    def rotate(self, now_s: int) -> list[Step]:
        """`Keyring.rotate`."""
        return self.keyring.rotate(now_s)

    def taint(self, kind: Kind, now_s: int) -> list[Step]:
        """`Keyring.taint`."""
        return self.keyring.taint(kind, now_s)

    def register(
        self, workload: Workload, now_s: int, addresses: Sequence[str] = (), dns_names: Sequence[str] = ()
    ) -> None:
        """`Registry.register`."""
        self.registry.register(workload, now_s, addresses, dns_names)

    def bind(self, binding: Binding) -> None:
        """`Registry.bind`."""
        self.registry.bind(binding)

    def deny(self, kind: str, value: str, now_s: int) -> None:
        """`Registry.deny`."""
        self.registry.deny(kind, value, now_s)

    # --- what everybody may know ---------------------------------------------------------------------

    def bundle(self) -> Bundle:
        return self.keyring.bundle()

    def policy(self, now_s: int) -> Policy:
        return self.store.policy(self.trust_domain, now_s)

    # --- credentials ---------------------------------------------------------------------------------

    def invite(self, workload: Workload, now_s: int) -> str:
        """A join secret: for this workload, once, within ten minutes. Only its hash is kept."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        with self.store.change():
            self.store.add_join_secret(_hashed(secret), workload, now_s + JOIN_LIFE_S)
            self.store.log(entry_of("invite", now_s, sub=str(workload)))
        return secret

    def join(self, secret: str, csrs: Sequence[bytes], now_s: int) -> Credentials | Absent:
        """First credentials, or `Absent` with `request`, `secret` or `workload`."""
        asked = _keys_of(csrs)
        if isinstance(asked, Absent):
            return asked
        with self.store.change():
            named = self.store.use_join_secret(_hashed(secret), now_s)
        workload = Absent("secret") if named is None else parse_workload(named)
        return workload if isinstance(workload, Absent) else self._issue(workload, asked, "join", now_s)

    def renew(self, peer: bytes, csrs: Sequence[bytes], now_s: int) -> Credentials | Absent:
        """New credentials on new keys for whom a certificate that is still good names; else `Absent` with why."""
        asked = _keys_of(csrs)
        if isinstance(asked, Absent):
            return asked
        leaf = read_leaf(peer)
        if isinstance(leaf, Absent) or isinstance(leaf.profile, Absent):
            return Absent("certificate")
        if not issued_by(leaf, self.bundle().authorities, now_s=now_s):
            return Absent("certificate")
        if not leaf.not_before_s <= now_s < leaf.not_after_s:
            return Absent("expired")
        denied = self.policy(now_s).denied
        workload, used = leaf.profile
        if leaf.serial in denied.serials or workload.deployment in denied.deployments:
            return Absent("revoked")
        if used in asked:
            return Absent("same_key")
        return self._issue(workload, asked, f"serial {leaf.serial}", now_s)

    def _issue(
        self, workload: Workload, asked: tuple[PublicKey, PublicKey], by: str, now_s: int
    ) -> Credentials | Absent:
        registered = {found.workload: found for found in self.store.deployments(self.trust_domain)}
        deployment = registered.get(workload)
        if deployment is None or deployment.state == "ended":
            return Absent("workload")
        with self.store.change():
            leaf = self._leaf(workload, asked[0], deployment.dns_names, by, now_s)
            x5t = wit_thumbprint(leaf)
            tokens = tuple(
                self._token(workload, binding, proof, asked[proof == "wpt"], x5t, by, now_s)
                for binding in self.store.bindings()
                if binding.active and binding.caller == workload.of_service
                for proof in _proofs(binding)
            )
        return Credentials(workload, leaf, tokens)

    def own_credentials(self, key: PublicKey, now_s: int) -> x509.Certificate:
        """The authority's own certificate, as which it listens.

        While a tainted key is in the bundle it is signed by that one: who has not heard of its successor could not
        ask for it otherwise.
        """
        with self.store.change():
            tainted = [
                row for row in self.store.keys("ca") if row.key.tainted and row.key.activated_s is not None
            ]
            signing = (
                None if not tainted else (tainted[-1], self.keyring.key_of("ca", tainted[-1].key.number))
            )
            return self._leaf(self.own, key, (), "self", now_s, signing)

    def _leaf(
        self,
        workload: Workload,
        key: PublicKey,
        dns_names: Sequence[str],
        by: str,
        now_s: int,
        signing: tuple[KeyRow, PrivateKey] | None = None,
    ) -> x509.Certificate:
        row, signer = signing or self.keyring.signer("ca", now_s, now_s)
        assert row.certificate is not None
        issuer = x509.load_der_x509_certificate(row.certificate)
        leaf = certificates.leaf(
            workload, key, issuer, signer, now_s=now_s, life_s=self.lives.leaf_s, dns_names=dns_names
        )
        until_s = int(leaf.not_valid_after_utc.timestamp())
        self.store.signed("ca", row.key.number, until_s, now_s)
        said = {"sub": str(workload), "serial": f"{leaf.serial_number:x}", "exp": until_s}
        self.store.log(entry_of("leaf", now_s, by=by, key=key.thumbprint, **said))
        return leaf

    def _token(
        self,
        workload: Workload,
        binding: Binding,
        proof: str,
        key: PublicKey,
        x5t: str,
        by: str,
        now_s: int,
    ) -> IssuedToken:
        row, signer = self.keyring.signer("token", now_s + self.lives.token_s, now_s)
        callee: Service = binding.callee
        granted = wit.Granted(binding.id, callee, None, callee.environment, binding.epoch)
        text, claims = wit.issue(
            workload, key, granted, signer, now_s=now_s, life_s=self.lives.token_s,
            x5t_s256=x5t if proof == "mtls" else None,
        )  # fmt: skip
        self.store.signed("token", row.key.number, claims.expires_s, now_s)
        said = {"sub": str(workload), "jti": claims.jti, "callee": str(callee), "exp": claims.expires_s}
        self.store.log(
            entry_of(
                "token", now_s, by=by, key=key.thumbprint, binding=binding.id, epoch=binding.epoch, **said
            )
        )
        return IssuedToken(binding.id, str(callee), proof, text, claims.expires_s)


def initialise(directory: Path, trust_domain: str, lives: Lives, now_s: int) -> Authority:
    """A new authority with its first keys, active at once: nobody has a bundle yet. Raises Refusal."""
    if not is_trust_domain(trust_domain):
        raise Refusal(
            f"`{trust_domain}` is not a trust domain", fix="use lower-case letters, digits, `.`, `-` and `_`."
        )
    make_private_directory(directory)
    make_private_directory(directory / "keys")
    write_private(directory / "authority.sqlite", b"")
    store = Store(directory / "authority.sqlite")
    with store.change():
        store.put("trust_domain", trust_domain)
        store.put("lives", json.dumps(asdict(lives)))
    store.close()
    authority = Authority(directory)
    authority.rotate(now_s)
    return authority


def wit_thumbprint(leaf: x509.Certificate) -> str:
    """`x5t#S256` of RFC 8705."""
    found = read_leaf(certificates.der(leaf))
    assert not isinstance(found, Absent)
    return found.x5t_s256


def _proofs(binding: Binding) -> tuple[str, ...]:
    """Which keys a binding's tokens are on; keys are not used for two purposes (WIMSE)."""
    return {"mtls": ("mtls",), "any": ("mtls", "wpt")}.get(binding.proof, ("wpt",))


def _keys_of(csrs: Sequence[bytes]) -> tuple[PublicKey, PublicKey] | Absent:
    """The TLS key and the signing key: two requests, two keys."""
    asked = [certificates.key_of_request(csr) for csr in csrs]
    match asked:
        case [PublicKey() as tls, PublicKey() as signing] if tls != signing:
            return tls, signing
    return Absent("request")


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
