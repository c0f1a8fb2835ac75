"""The authority itself: who gets which credential. It opens its directory, and decides; it never listens.

From a signing request only the key is taken; who somebody is says the join secret, or the certificate that the
connection was made with, verified once more here.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cryptography import x509

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.authority.key_files import (
    check_private,
    make_private_directory,
    read_private,
    write_private,
)
from bindtrace.propagation.authority.log import entry_of
from bindtrace.propagation.authority.rotation import Key, Kind, Lives, Step, active, broken, may_sign, plan
from bindtrace.propagation.authority.store import Deployment, KeyRow, Store
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.identity import certificates, keys, wit
from bindtrace.propagation.identity.bundle import Bundle, TokenKey
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

KINDS: Final[tuple[Kind, ...]] = ("ca", "token")
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
        self._private: dict[tuple[Kind, int], PrivateKey] = {}
        self._publics: dict[str, PublicKey] = {}

    @property
    def own(self) -> Workload:
        """As whom the authority answers; clients compare it."""
        return authority_id(self.trust_domain)

    # --- keys ----------------------------------------------------------------------------------------

    def rotate(self, now_s: int) -> list[Step]:
        """Carries out what is due, with the invariants checked before it is committed."""
        done: list[Step] = []
        for kind in KINDS:
            while steps := plan([row.key for row in self.store.keys(kind)], kind, self.lives, now_s):
                for step in steps:
                    self._carry_out(step, now_s)
                done += steps
        return done

    def taint(self, kind: Kind, now_s: int) -> list[Step]:
        """The signing key is compromised: its successor signs now, everybody renews now, it goes after one life."""
        with self.store.change():
            for row in self.store.keys(kind):
                if row.key.activated_s is not None:
                    self.store.taint_key(kind, row.key.number)
            self.store.put("renew_before_s", str(now_s))
            self.store.log(entry_of("taint", now_s, key=kind))
        return self.rotate(now_s)

    def _carry_out(self, step: Step, now_s: int) -> None:
        with self.store.change():
            before = [row.key for row in self.store.keys(step.kind)]
            if step.action == "prepare":
                self.store.add_key(self._new_key(step.kind, step.number, now_s))
            elif step.action == "activate":
                self.store.activate_key(step.kind, step.number, now_s)
            else:
                self.store.remove_key(step.kind, step.number)
            after = [row.key for row in self.store.keys(step.kind)]
            if faults := broken(before, after, self.lives, now_s):
                raise AssertionError("; ".join(faults))
            self.store.next_sequence("bundle_sequence")
            self.store.log(entry_of(step.action, now_s, key=step.kind, number=step.number))
        if step.action == "remove":
            self._path(step.kind, step.number).unlink(missing_ok=True)

    def _new_key(self, kind: Kind, number: int, now_s: int) -> KeyRow:
        private = keys.generate()
        write_private(self._path(kind, number), keys.private_pem(private))
        life_s = self.lives.of_key(kind)
        certificate = None
        if kind == "ca":
            made = certificates.authority(self.trust_domain, number, private, now_s=now_s, life_s=life_s)
            certificate = certificates.der(made)
        key = Key(kind, number, now_s, None, now_s + life_s, now_s)
        return KeyRow(key, keys.public_of(private).thumbprint, certificate)

    def _path(self, kind: Kind, number: int) -> Path:
        return self.directory / "keys" / f"{kind}-{number}.pem"

    def _signer(self, kind: Kind, until_s: int, now_s: int) -> tuple[KeyRow, PrivateKey]:
        rows = {row.key.number: row for row in self.store.keys(kind)}
        signing = active(row.key for row in rows.values())
        why = "no key is active" if signing is None else may_sign(
            signing, until_s, int(self.store.get("last_signature_s", "0")), now_s
        )  # fmt: skip
        if signing is None or why is not None:
            raise Refusal(f"the authority cannot sign now: {why}", fix="see `bindtrace authority status`.")
        return rows[signing.number], self._key_of(kind, signing.number)

    def _key_of(self, kind: Kind, number: int) -> PrivateKey:
        """Kept while it is the last one asked for: older keys do not stay in memory."""
        name = kind, number
        if name not in self._private:
            self._private = {key: private for key, private in self._private.items() if key[0] != kind}
            self._private[name] = keys.load_private_pem(read_private(self._path(*name)))
        return self._private[name]

    # --- what everybody may know ---------------------------------------------------------------------

    def bundle(self) -> Bundle:
        tokens, authorities = {}, []
        for row in self.store.keys("token"):
            private_end_s = row.key.ends_s + self.lives.skew_s
            tokens[row.kid] = TokenKey(self._public(row), private_end_s)
        for row in self.store.keys("ca"):
            assert row.certificate is not None
            authorities.append(x509.load_der_x509_certificate(row.certificate))
        return Bundle(
            self.trust_domain,
            int(self.store.get("bundle_sequence", "0")),
            self.lives.refresh_s,
            MappingProxyType(tokens),
            tuple(authorities),
            int(self.store.get("renew_before_s", "0")),
        )

    def _public(self, row: KeyRow) -> PublicKey:
        if row.kid not in self._publics:
            content = read_private(self._path("token", row.key.number))
            self._publics[row.kid] = keys.public_of(keys.load_private_pem(content))
        return self._publics[row.kid]

    def policy(self, now_s: int) -> Policy:
        return self.store.policy(self.trust_domain, now_s)

    # --- registry ------------------------------------------------------------------------------------

    def register(
        self, workload: Workload, now_s: int, addresses: Sequence[str] = (), dns_names: Sequence[str] = ()
    ) -> None:
        """Makes the service and the deployment known; a younger deployment leaves the older ones in grace."""
        if odd := [name for name in dns_names if not certificates.is_dns_name(name)]:
            raise Refusal(f"`{odd[0]}` is not a lower-case DNS name", fix="name a host, without wildcard.")
        with self.store.change():
            self.store.add_service(workload.of_service)
            deployment = Deployment(workload, "active", tuple(addresses), tuple(dns_names))
            for other in self.store.deployments(self.trust_domain):
                same = other.workload.of_service == workload.of_service and other.workload != workload
                if same and other.state == "active":
                    self.store.put_deployment(replace(other, state="grace"), now_s)
            self.store.put_deployment(deployment, now_s)
            self.store.next_sequence("policy_sequence")

    def bind(self, binding: Binding) -> None:
        """Declares a right to call; a change of it is a new epoch, so that tokens of the old one end."""
        with self.store.change():
            known = {known.id: known for known in self.store.bindings()}.get(binding.id)
            if known is not None and replace(known, epoch=0) != replace(binding, epoch=0):
                binding = replace(binding, epoch=known.epoch + 1)
            elif known is not None:
                return
            for service in (binding.caller, binding.callee):
                self.store.add_service(service)
            self.store.put_binding(binding)
            self.store.next_sequence("policy_sequence")

    def deny(self, kind: str, value: str, now_s: int) -> None:
        """Takes a deployment (by Workload id), a token, a certificate or a binding's epoch back. Raises Refusal."""
        epoch, until_s = 0, now_s + max(self.lives.leaf_s, self.lives.token_s) + self.lives.skew_s
        with self.store.change():
            if kind == "deployment":
                found = [
                    row for row in self.store.deployments(self.trust_domain) if str(row.workload) == value
                ]
                if not found:
                    raise Refusal(
                        f"`{value}` is not registered", fix="give the Workload id, as `issue` printed it."
                    )
                self.store.put_deployment(replace(found[0], state="ended"), now_s)
                value = found[0].workload.deployment
            if kind == "epoch":
                bound = {binding.id: binding for binding in self.store.bindings()}.get(value)
                if bound is None:
                    raise Refusal(f"`{value}` is not a binding", fix="see `bindtrace authority register`.")
                epoch = bound.epoch + 1
                self.store.put_binding(replace(bound, epoch=epoch))
            self.store.deny(kind, value, until_s, epoch)
            self.store.next_sequence("policy_sequence")
            self.store.log(entry_of("deny", now_s, what=kind, value=value))

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
            signing = None if not tainted else (tainted[-1], self._key_of("ca", tainted[-1].key.number))
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
        row, signer = signing or self._signer("ca", now_s, now_s)
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
        row, signer = self._signer("token", now_s + self.lives.token_s, now_s)
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
