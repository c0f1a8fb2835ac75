"""What a peer certificate proves: chain to a bundle, profile, id, key. Pure; what a handshake said is not believed.

A resumed TLS session is accepted with the trust of the day it began (CVE-2022-21654, CVE-2025-68121), so the leaf
is verified against the bundle of now, whoever ended the TLS.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtensionOID

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.identity.certificates import BACKDATED_S, LEAF_USES, MAX_LEAF_LIFE_S, is_dns_name
from bindtrace.propagation.identity.encoding import b64url
from bindtrace.propagation.identity.keys import PublicKey, public_of
from bindtrace.propagation.identity.spiffe import Workload, parse_workload

MAX_DER_BYTES: Final = 8192
_KNOWN: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    }
)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate that was taken apart. `profile` is the workload and its key, or why the profile is not met."""

    certificate: x509.Certificate
    sha256: bytes
    not_before_s: float
    not_after_s: float
    profile: tuple[Workload, PublicKey] | Absent

    @property
    def x5t_s256(self) -> str:
        return b64url(self.sha256)

    @property
    def serial(self) -> str:
        return f"{self.certificate.serial_number:x}"


def read_leaf(content: bytes) -> Leaf | Absent:
    """A DER certificate taken apart, or `Absent("certificate")`. Nothing is verified yet. Raises nothing."""
    if len(content) > MAX_DER_BYTES:
        return Absent("certificate")
    try:
        certificate = x509.load_der_x509_certificate(content)
        times = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    except (ValueError, TypeError, OverflowError, x509.InvalidVersion):
        return Absent("certificate")
    return Leaf(certificate, hashlib.sha256(content).digest(), *times, _profile(certificate))


def issued_by(leaf: Leaf, authorities: Iterable[x509.Certificate], *, now_s: float) -> float:
    """Until when an authority that signed the leaf vouches for it; 0 where none that is valid now did.

    There are no intermediates.
    """
    return max(
        (_vouches_until_s(leaf.certificate, authority, now_s) for authority in authorities), default=0.0
    )


def _vouches_until_s(certificate: x509.Certificate, authority: x509.Certificate, now_s: float) -> float:
    until_s = authority.not_valid_after_utc.timestamp()
    try:
        if not authority.not_valid_before_utc.timestamp() <= now_s < until_s or not _is_authority(authority):
            return 0.0
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return 0.0
    return until_s


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return constraints.ca and usage.key_cert_sign


def _profile(certificate: x509.Certificate) -> tuple[Workload, PublicKey] | Absent:
    """The workload and key of a leaf by the profile of `certificates.leaf`; `Absent` says which part differs."""
    try:
        extensions = certificate.extensions
        key = public_of(certificate.public_key())  # type: ignore[arg-type]  # another kind of key has no curve
        algorithm = certificate.signature_hash_algorithm
    except (ValueError, TypeError, AttributeError, UnsupportedAlgorithm, x509.DuplicateExtension):
        return Absent("extensions")
    except x509.UnsupportedGeneralNameType:
        return Absent("names")
    lived_s = (certificate.not_valid_after_utc - certificate.not_valid_before_utc).total_seconds()
    if not isinstance(algorithm, hashes.SHA256) or certificate.version is not x509.Version.v3:
        return Absent("algorithm")
    if lived_s > MAX_LEAF_LIFE_S + BACKDATED_S or certificate.subject.rdns:
        return Absent("life" if lived_s > MAX_LEAF_LIFE_S + BACKDATED_S else "subject")
    if any(extension.critical and extension.oid not in _KNOWN for extension in extensions):
        return Absent("critical")
    if fault := _usage_fault(extensions):
        return Absent(fault)
    workload = _workload(extensions)
    return workload if isinstance(workload, Absent) else (workload, key)


def _usage_fault(extensions: x509.Extensions) -> str | None:
    try:
        constraints = extensions.get_extension_for_class(x509.BasicConstraints)
        usage = extensions.get_extension_for_class(x509.KeyUsage)
        uses = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
        extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return "extensions"
    if constraints.value.ca or not constraints.critical:
        return "constraints"
    if not usage.critical or usage.value != _LEAF_USAGE:
        return "key_usage"
    return None if set(uses) == set(LEAF_USES) else "extended_key_usage"


_LEAF_USAGE: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def _workload(extensions: x509.Extensions) -> Workload | Absent:
    """The one URI. Wildcards, addresses and names of other kinds never match anything, so they have no place."""
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return Absent("names")
    uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    others = [name for name in names.value if not isinstance(name, x509.UniformResourceIdentifier)]
    if not names.critical or len(uris) != 1:
        return Absent("names")
    if not all(isinstance(name, x509.DNSName) and is_dns_name(name.value) for name in others):
        return Absent("names")
    return parse_workload(uris[0])
