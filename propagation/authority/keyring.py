"""The authority's signing keys: made, published, activated and removed by plan, each a private file of its own.

A private key is in memory while it signs; everybody else gets the bundle.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Final

from cryptography import x509

from bindtrace.propagation.authority.key_files import read_private, write_private
from bindtrace.propagation.authority.log import entry_of
from bindtrace.propagation.authority.rotation import Key, Kind, Lives, Step, active, broken, may_sign, plan
from bindtrace.propagation.authority.store import KeyRow, Store
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.identity import certificates, keys
from bindtrace.propagation.identity.bundle import Bundle, TokenKey
from bindtrace.propagation.identity.keys import PrivateKey, PublicKey

KINDS: Final[tuple[Kind, ...]] = ("ca", "token")


class Keyring:
    """Of one authority: the keys below `directory/keys`, and what the store knows of them."""

    def __init__(self, directory: Path, store: Store, trust_domain: str, lives: Lives) -> None:
        self.directory, self.store, self.trust_domain, self.lives = directory, store, trust_domain, lives
        self._private: dict[tuple[Kind, int], PrivateKey] = {}
        self._publics: dict[str, PublicKey] = {}

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

    def signer(self, kind: Kind, until_s: int, now_s: int) -> tuple[KeyRow, PrivateKey]:
        """What signs now, and may sign something good until then. Raises Refusal."""
        rows = {row.key.number: row for row in self.store.keys(kind)}
        signing = active(row.key for row in rows.values())
        why = "no key is active" if signing is None else may_sign(
            signing, until_s, int(self.store.get("last_signature_s", "0")), now_s
        )  # fmt: skip
        if signing is None or why is not None:
            raise Refusal(f"the authority cannot sign now: {why}", fix="see `bindtrace authority status`.")
        return rows[signing.number], self.key_of(kind, signing.number)

    def key_of(self, kind: Kind, number: int) -> PrivateKey:
        """Kept while it is the last one asked for: older keys do not stay in memory."""
        name = kind, number
        if name not in self._private:
            self._private = {key: private for key, private in self._private.items() if key[0] != kind}
            self._private[name] = keys.load_private_pem(read_private(self._path(*name)))
        return self._private[name]

    def bundle(self) -> Bundle:
        """Every key that anything good may be signed by, for whoever verifies."""
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
