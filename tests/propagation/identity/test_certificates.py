"""T4: the leaf profile, one deviation at a time, and who vouches for a leaf."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from hypothesis import given, settings
from hypothesis import strategies as st
from identities import NOW_S, ORDERS, Domain, leaf_of

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.identity import certificates, keys
from bindtrace.propagation.identity.peer import Leaf, issued_by, read_leaf

Bend = Callable[["Draft"], None]


class Draft:
    """A leaf by the profile, whose parts a test replaces before it is signed."""

    def __init__(self, domain: Domain) -> None:
        key = keys.generate()
        self.public: Any = key.public_key()
        self.subject = x509.Name([])
        self.san: list[x509.GeneralName] | None = [x509.UniformResourceIdentifier(str(ORDERS))]
        self.san_critical = True
        self.constraints: tuple[x509.ExtensionType, bool] | None = (x509.BasicConstraints(False, None), True)
        self.usage: tuple[x509.ExtensionType, bool] | None = (usage(), True)
        self.uses: list[ObjectIdentifier] | None = list(certificates.LEAF_USES)
        self.more: list[tuple[x509.ExtensionType, bool]] = []
        self.identifiers = True
        self.life_s = 3600
        self.hash: Any = hashes.SHA256()
        self.issuer, self.issuer_key = domain.ca, domain.ca_key

    def sign(self) -> bytes:
        begin = datetime.datetime.fromtimestamp(NOW_S - 30, datetime.UTC)
        builder = (
            x509.CertificateBuilder().subject_name(self.subject).issuer_name(self.issuer.subject)
            .public_key(self.public).serial_number(x509.random_serial_number()).not_valid_before(begin)
            .not_valid_after(begin + datetime.timedelta(seconds=self.life_s + 30))
        )  # fmt: skip
        parts = [self.constraints, self.usage, *self.more]
        if self.uses is not None:
            parts.append((x509.ExtendedKeyUsage(self.uses), False))
        if self.san is not None:
            parts.append((x509.SubjectAlternativeName(self.san), self.san_critical))
        if self.identifiers:
            parts.append((x509.SubjectKeyIdentifier.from_public_key(self.public), False))
            issuer = self.issuer_key.public_key()
            parts.append((x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), False))
        for part in parts:
            if part is not None:
                builder = builder.add_extension(part[0], critical=part[1])
        return certificates.der(builder.sign(self.issuer_key, self.hash))


def usage(**on: bool) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
    return x509.KeyUsage(**{name: on.get(name, name == "digital_signature") for name in names})


def setting(**changes: Any) -> Bend:
    return lambda draft: [setattr(draft, name, value) for name, value in changes.items()] and None


def names(*also: x509.GeneralName) -> Bend:
    return setting(san=[x509.UniformResourceIdentifier(str(ORDERS)), *also])


def uri(text: str) -> Bend:
    return setting(san=[x509.UniformResourceIdentifier(text)])


DEVIATIONS: dict[str, Bend] = {
    "two URIs": names(x509.UniformResourceIdentifier("spiffe://shop.example/x")),
    "no name": setting(san=None),
    "no URI": setting(san=[x509.DNSName("orders.example")]),
    "wildcard": names(x509.DNSName("*.example")),
    "upper case": names(x509.DNSName("Orders.example")),
    "NUL in a name": names(x509.DNSName("orders.example\0.evil")),
    "address": names(x509.IPAddress(ipaddress.ip_address("127.0.0.1"))),
    "mail": names(x509.RFC822Name("a@b.example")),
    "other name": names(x509.OtherName(ObjectIdentifier("1.2.3.4"), b"\x0c\x01a")),
    "names not critical": setting(san_critical=False),
    "user information": uri("spiffe://u@shop.example/project/p1/env/production/service/s/deployment/d"),
    "port": uri("spiffe://shop.example:8443/project/p1/env/production/service/s/deployment/d"),
    "a service's id": uri(str(ORDERS.of_service)),
    "https": uri("https://shop.example/project/p1/env/production/service/s/deployment/d"),
    "NUL in the URI": uri(f"{ORDERS}\0"),
    "query": uri(f"{ORDERS}?a=b"),
    "subject": setting(subject=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "orders")])),
    "authority": setting(constraints=(x509.BasicConstraints(True, 0), True)),
    "constraints not critical": setting(constraints=(x509.BasicConstraints(False, None), False)),
    "no constraints": setting(constraints=None),
    "no key usage": setting(usage=None),
    "key usage not critical": setting(usage=(usage(), False)),
    "signs certificates": setting(usage=(usage(key_cert_sign=True), True)),
    "agrees keys": setting(usage=(usage(key_agreement=True), True)),
    "no extended use": setting(uses=None),
    "server only": setting(uses=[ExtendedKeyUsageOID.SERVER_AUTH]),
    "client only": setting(uses=[ExtendedKeyUsageOID.CLIENT_AUTH]),
    "any use": setting(uses=[*certificates.LEAF_USES, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]),
    "code signing": setting(uses=[*certificates.LEAF_USES, ExtendedKeyUsageOID.CODE_SIGNING]),
    "no identifiers": setting(identifiers=False),
    "unknown critical extension": setting(
        more=[(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\5\0"), True)]
    ),
    "name constraints": setting(
        more=[(x509.NameConstraints([x509.DNSName("example")], None), True)]
    ),
    "two days": setting(life_s=2 * 86_400),
    "P-384": setting(public=ec.generate_private_key(ec.SECP384R1()).public_key()),
    "secp256k1": setting(public=ec.generate_private_key(ec.SECP256K1()).public_key()),
    "RSA 1024": setting(public=rsa.generate_private_key(65537, 1024).public_key()),
    "Ed25519": setting(public=ed25519.Ed25519PrivateKey.generate().public_key()),
    "SHA-512": setting(hash=hashes.SHA512()),
}  # fmt: skip


@pytest.mark.parametrize("deviation", list(DEVIATIONS))
def test_a_leaf_with_one_deviation_is_out_of_profile(deviation: str) -> None:
    draft = Draft(domain := Domain())
    DEVIATIONS[deviation](draft)

    leaf = leaf_of(draft.sign())

    assert isinstance(leaf.profile, Absent)
    assert issued_by(leaf, [domain.ca], now_s=NOW_S) > NOW_S


def test_a_leaf_by_the_profile_names_its_workload_and_key() -> None:
    draft = Draft(Domain())

    assert leaf_of(draft.sign()).profile == (ORDERS, keys.public_of(draft.public))


def test_a_leaf_with_dns_names_for_servers_is_in_profile() -> None:
    draft = Draft(Domain())
    names(x509.DNSName("orders.internal"))(draft)

    assert not isinstance(leaf_of(draft.sign()).profile, Absent)


def test_what_the_authority_issues_is_in_profile() -> None:
    domain, key = Domain(), keys.generate()

    leaf = leaf_of(domain.leaf(key, dns_names=["orders.internal"]))

    assert leaf.profile == (ORDERS, keys.public_of(key))
    assert (leaf.not_before_s, leaf.not_after_s) == (NOW_S - 30, NOW_S + 3600)


def test_a_leaf_never_outlives_its_authority() -> None:
    domain = Domain()
    late_s = NOW_S + certificates.AUTHORITY_LIFE_S - 60

    content = domain.leaf(keys.generate(), now_s=late_s)

    assert leaf_of(content).not_after_s == NOW_S + certificates.AUTHORITY_LIFE_S
    with pytest.raises(ValueError, match="expired"):
        domain.leaf(keys.generate(), now_s=late_s + 60)


@pytest.mark.parametrize("name", ["*.example", "10.0.0.1.", "UPPER.example", "a_b.example", "", "a" * 64])
def test_odd_dns_names_are_not_issued(name: str) -> None:
    with pytest.raises(ValueError, match="DNS name"):
        Domain().leaf(keys.generate(), dns_names=[name])


def test_only_the_issuer_vouches_and_only_while_it_lives() -> None:
    ours, theirs = Domain(), Domain()
    leaf = leaf_of(ours.leaf(keys.generate()))
    end_s = NOW_S + certificates.AUTHORITY_LIFE_S

    assert issued_by(leaf, [theirs.ca, ours.ca], now_s=NOW_S) == end_s
    assert issued_by(leaf, [theirs.ca], now_s=NOW_S) == 0
    assert issued_by(leaf, [ours.ca], now_s=end_s) == 0
    assert issued_by(leaf, [ours.ca], now_s=NOW_S - 31) == 0
    assert issued_by(leaf, [], now_s=NOW_S) == 0


def test_a_leaf_signed_by_a_leaf_is_not_vouched_for() -> None:
    domain, key = Domain(), keys.generate()
    between = x509.load_der_x509_certificate(domain.leaf(key))
    content = certificates.der(
        certificates.leaf(ORDERS, keys.public_of(keys.generate()), between, key, now_s=NOW_S, life_s=60)
    )

    assert issued_by(leaf_of(content), [domain.ca], now_s=NOW_S) == 0
    assert issued_by(leaf_of(content), [between], now_s=NOW_S) == 0


def test_a_self_signed_leaf_is_not_vouched_for() -> None:
    domain, draft = Domain(), Draft(Domain())
    draft.issuer_key = keys.generate()

    assert issued_by(leaf_of(draft.sign()), [domain.ca], now_s=NOW_S) == 0


def test_from_a_request_only_the_key_is_taken_and_its_self_signature_checked() -> None:
    key = keys.generate()
    asked = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "admin")]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("*")]), critical=True)
        .sign(key, hashes.SHA256())
    )
    der = bytearray(asked.public_bytes(certificates.Encoding.DER))
    der[-1] ^= 1
    broken = x509.load_der_x509_csr(bytes(der)).public_bytes(certificates.Encoding.PEM)

    assert certificates.key_of_request(asked.public_bytes(certificates.Encoding.PEM)) == keys.public_of(key)
    assert certificates.key_of_request(certificates.request(key)) == keys.public_of(key)
    assert certificates.key_of_request(broken) == Absent("request")
    assert certificates.key_of_request(b"x") == Absent("request")
    assert certificates.key_of_request(b"x" * 9000) == Absent("length")


def test_a_request_on_another_curve_is_none() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())

    assert certificates.key_of_request(asked.public_bytes(certificates.Encoding.PEM)) == Absent("request")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 700), st.integers(1, 255), st.integers(0, 700))
def test_a_damaged_certificate_is_absent_out_of_profile_or_not_vouched_for(
    place: int, flip: int, cut: int
) -> None:
    content = bytearray(CONTENT)
    content[place % len(content)] ^= flip
    for damaged in (bytes(content), CONTENT[:cut] + CONTENT[cut + 1 :]):
        leaf = read_leaf(damaged)
        if isinstance(leaf, Leaf) and damaged != CONTENT:
            assert issued_by(leaf, [DOMAIN.ca], now_s=NOW_S) == 0


DOMAIN = Domain()
CONTENT = DOMAIN.leaf(keys.generate())
