"""Certificates of a trust domain: authorities, signing requests and leaves, by one profile. No I/O; the time is given.

X.509-SVID sections 2 to 4, RFC 5280 section 4.2.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.identity.keys import PrivateKey, PublicKey, public_of
from bindtrace.propagation.identity.spiffe import SCHEME, Workload

AUTHORITY_LIFE_S: Final = 7 * 86_400
LEAF_LIFE_S: Final = 3600
MAX_LEAF_LIFE_S: Final = 86_400
BACKDATED_S: Final = 30
MAX_CSR_BYTES: Final = 8192
LEAF_USES: Final = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
_DNS_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
_NO_USE: Final = {
    "digital_signature": False, "content_commitment": False, "key_encipherment": False,
    "data_encipherment": False, "key_agreement": False, "key_cert_sign": False, "crl_sign": False,
    "encipher_only": False, "decipher_only": False,
}  # fmt: skip


def is_dns_name(text: str) -> bool:
    """A lower-case host name without a wildcard."""
    return _DNS_NAME.fullmatch(text) is not None


def authority(
    trust_domain: str, number: int, key: PrivateKey, *, now_s: int, life_s: int = AUTHORITY_LIFE_S
) -> x509.Certificate:
    """A self-signed authority: signs leaves and nothing else."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{trust_domain} CA {number}"[:64])])
    public = key.public_key()
    return (
        _builder(name, name, key, now_s, life_s)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(**{**_NO_USE, "key_cert_sign": True, "crl_sign": True}),
            critical=True,
        )
        .add_extension(_names(SCHEME + trust_domain, ()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )


def leaf(
    workload: Workload,
    key: PublicKey,
    issuer: x509.Certificate,
    issuer_key: PrivateKey,
    *,
    now_s: int,
    life_s: int = LEAF_LIFE_S,
    dns_names: Sequence[str] = (),
) -> x509.Certificate:
    """A certificate for client and server use. Raises ValueError for a life over a day or a DNS name that is none."""
    if not 0 < life_s <= MAX_LEAF_LIFE_S - BACKDATED_S:
        raise ValueError(f"a leaf's life of {life_s} s is not within 1 to {MAX_LEAF_LIFE_S - BACKDATED_S}")
    if odd := [name for name in dns_names if not is_dns_name(name)]:
        raise ValueError(f"`{odd[0]}` is not a lower-case DNS name")
    until_s = min(now_s + life_s, int(issuer.not_valid_after_utc.timestamp()))
    if until_s <= now_s:
        raise ValueError("the authority has expired")
    public = key.numbers()
    return (
        _builder(x509.Name([]), issuer.subject, public, now_s, until_s - now_s)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**{**_NO_USE, "digital_signature": True}), critical=True)
        .add_extension(x509.ExtendedKeyUsage(LEAF_USES), critical=False)
        # The subject is empty, so the alternative names are critical (RFC 5280 section 4.2.1.6).
        .add_extension(_names(str(workload), dns_names), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .sign(issuer_key, hashes.SHA256())
    )


def request(key: PrivateKey) -> bytes:
    """A signing request in PEM; it names nobody, as the authority takes nothing but the key from it."""
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )


def key_of_request(content: bytes) -> PublicKey | Absent:
    """The key of a PEM signing request whose self-signature is right; else `Absent` with `length` or `request`."""
    if len(content) > MAX_CSR_BYTES:
        return Absent("length")
    try:
        asked = x509.load_pem_x509_csr(content)
        if not asked.is_signature_valid:
            return Absent("request")
        return public_of(asked.public_key())  # type: ignore[arg-type]  # another kind of key has no curve
    except Exception:
        # The parser's own exceptions are many, and some of them are of no public class.
        return Absent("request")


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey | object, now_s: int, life_s: int
) -> x509.CertificateBuilder:
    public = key.public_key() if isinstance(key, PrivateKey) else key
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)  # type: ignore[arg-type]  # one of the two
        .serial_number(x509.random_serial_number())
        .not_valid_before(_utc(now_s - BACKDATED_S))
        .not_valid_after(_utc(now_s + life_s))
    )


def _names(uri: str, dns_names: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [x509.UniformResourceIdentifier(uri), *(x509.DNSName(name) for name in dns_names)]
    )


def _utc(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
