"""T4: certificates of others (x509-limbo) and openssl as the second opinion."""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from identities import NOW_S, Domain, leaf_of
from support import fixture

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.identity import certificates, keys
from bindtrace.propagation.identity.peer import issued_by
from bindtrace.propagation.identity.spiffe import Workload


def test_no_certificate_of_x509_limbo_is_a_leaf_of_ours() -> None:
    """They are of the web: what is a success there lacks our id, and each failure is one here too."""
    cases = json.loads(fixture("x509-limbo/limbo-part.json").read_text())["testcases"]

    for case in cases:
        certificate = x509.load_pem_x509_certificate(case["peer_certificate"].encode())
        leaf = leaf_of(certificates.der(certificate))
        assert isinstance(leaf.profile, Absent), case["id"]


@pytest.mark.parametrize("name", ["rfc5280::validity::expired-root", "webpki::san::exact-dns-san"])
def test_the_chain_of_an_outside_case_is_judged_as_its_authors_say(name: str) -> None:
    cases = json.loads(fixture("x509-limbo/limbo-part.json").read_text())["testcases"]
    (case,) = [case for case in cases if case["id"] == name]
    roots = [x509.load_pem_x509_certificate(text.encode()) for text in case["trusted_certs"]]
    leaf = leaf_of(certificates.der(x509.load_pem_x509_certificate(case["peer_certificate"].encode())))
    at = datetime.datetime.fromisoformat(case["validation_time"] or "2026-01-01T00:00:00+00:00")

    vouched = issued_by(leaf, roots, now_s=at.timestamp()) > 0

    assert vouched == (case["expected_result"] == "SUCCESS")


def openssl(*words: str, at_s: int) -> bool:
    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-attime", str(at_s), *words], capture_output=True, check=False
    )
    return done.returncode == 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("purpose", ["sslclient", "sslserver"])
def test_openssl_agrees_on_chain_and_time(purpose: str, tmp_path: Path) -> None:
    domain, other = Domain(), Domain()
    for name, authority in (("ca", domain.ca), ("other", other.ca)):
        (tmp_path / f"{name}.pem").write_bytes(certificates.pem(authority))
    workload = Workload("shop.example", "p1", "production", "orders", "d1")
    content = domain.leaf(keys.generate(), workload)
    (tmp_path / "leaf.pem").write_bytes(certificates.pem(x509.load_der_x509_certificate(content)))
    leaf = leaf_of(content)

    for at_s in (NOW_S - 32, NOW_S - 29, NOW_S, NOW_S + 3599, NOW_S + 3601):
        for name, authority in (("ca", domain.ca), ("other", other.ca)):
            ours = (
                issued_by(leaf, [authority], now_s=at_s) > 0 and leaf.not_before_s <= at_s < leaf.not_after_s
            )
            theirs = openssl(
                "-purpose",
                purpose,
                "-CAfile",
                str(tmp_path / f"{name}.pem"),
                str(tmp_path / "leaf.pem"),
                at_s=at_s,
            )
            assert ours == theirs, (name, at_s - NOW_S)
