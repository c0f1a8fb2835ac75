"""Who gets which credential, and that everything given is in the log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography import x509

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.authority.issuing import Authority, Credentials, initialise
from bindtrace.propagation.authority.log import first_broken
from bindtrace.propagation.authority.rotation import Lives
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.guard.judge import judge
from bindtrace.propagation.guard.memory import Memory
from bindtrace.propagation.guard.request import Receiver, Request, Trust
from bindtrace.propagation.identity import bundle as bundles
from bindtrace.propagation.identity import certificates, keys, policy
from bindtrace.propagation.identity.policy import Binding
from bindtrace.propagation.identity.spiffe import Workload

NOW_S = 1_800_000_000
ORDERS = Workload("shop.example", "p1", "production", "orders", "d1")
INVENTORY = Workload("shop.example", "p1", "production", "inventory", "d7")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return prepared(tmp_path, Lives())


def prepared(tmp_path: Path, lives: Lives) -> Authority:
    made = initialise(tmp_path / "ca", "shop.example", lives, NOW_S)
    for workload in (ORDERS, INVENTORY):
        made.register(workload, NOW_S)
    made.bind(Binding("b1", ORDERS.of_service, INVENTORY.of_service, 1))
    return made


class Asking:
    """A workload's two keys and the requests for them."""

    def __init__(self) -> None:
        self.tls, self.signing = keys.generate(), keys.generate()
        self.requests = [certificates.request(key) for key in (self.tls, self.signing)]


def joined(
    authority: Authority, workload: Workload = ORDERS, now_s: int = NOW_S
) -> tuple[Asking, Credentials]:
    asking = Asking()
    issued = authority.join(authority.invite(workload, now_s), asking.requests, now_s)
    assert isinstance(issued, Credentials)
    return asking, issued


def accepted(authority: Authority, issued: Credentials, now_s: int = NOW_S) -> str:
    """What inventory says to a call with this certificate and its token."""
    token = next(token.token for token in issued.tokens if token.proof == "mtls")
    request = Request(
        ((b"workload-identity-token", token.encode()),), "GET", "/", certificates.der(issued.certificate)
    )
    parsed = bundles.parse(bundles.serialize(authority.bundle()), "shop.example")
    snapshot = policy.parse(policy.serialize(authority.policy(now_s)))
    assert not isinstance(parsed, Absent)
    assert not isinstance(snapshot, Absent)
    receiver = Receiver(INVENTORY.of_service, INVENTORY.deployment, policy_required=True)
    trust = Trust({"shop.example": parsed}, snapshot, now_s)
    return judge(request, receiver, trust, Memory(), now_s=now_s).reason


def test_who_joins_can_call_whom_it_is_bound_to(authority: Authority) -> None:
    asking, issued = joined(authority)

    assert issued.certificate.public_key() == asking.tls.public_key()
    assert {(token.binding, token.proof) for token in issued.tokens} == {("b1", "mtls"), ("b1", "wpt")}
    assert accepted(authority, issued) == "ok"


def test_who_is_bound_to_nobody_gets_a_certificate_and_no_token(authority: Authority) -> None:
    assert joined(authority, INVENTORY)[1].tokens == ()


def test_an_invitation_is_good_once_for_ten_minutes_and_for_its_workload(authority: Authority) -> None:
    secret, late = authority.invite(ORDERS, NOW_S), authority.invite(ORDERS, NOW_S)

    first = authority.join(secret, Asking().requests, NOW_S + 599)

    assert isinstance(first, Credentials)
    assert first.workload == ORDERS
    assert authority.join(secret, Asking().requests, NOW_S + 599) == Absent("secret")
    assert authority.join(late, Asking().requests, NOW_S + 600) == Absent("secret")
    assert authority.join("guessed", Asking().requests, NOW_S) == Absent("secret")


def test_a_bad_request_does_not_use_up_an_invitation(authority: Authority) -> None:
    secret, one = authority.invite(ORDERS, NOW_S), Asking()

    assert authority.join(secret, [b"x", b"y"], NOW_S) == Absent("request")
    assert authority.join(secret, [one.requests[0], one.requests[0]], NOW_S) == Absent("request")
    assert isinstance(authority.join(secret, one.requests, NOW_S), Credentials)


def test_a_workload_that_is_not_registered_gets_nothing(authority: Authority) -> None:
    stranger = ORDERS._replace(deployment="d2")

    assert authority.join(authority.invite(stranger, NOW_S), Asking().requests, NOW_S) == Absent("workload")


def test_renewal_is_for_the_same_workload_on_new_keys_while_the_certificate_is_good(
    authority: Authority,
) -> None:
    asking, issued = joined(authority)
    peer = certificates.der(issued.certificate)

    renewed = authority.renew(peer, Asking().requests, NOW_S + 3599)

    assert isinstance(renewed, Credentials)
    assert renewed.workload == ORDERS
    assert authority.renew(peer, asking.requests, NOW_S) == Absent("same_key")
    assert authority.renew(peer, Asking().requests, NOW_S + 3600) == Absent("expired")
    assert authority.renew(b"", Asking().requests, NOW_S) == Absent("certificate")


def test_a_certificate_of_another_authority_renews_nothing(authority: Authority, tmp_path: Path) -> None:
    other = initialise(tmp_path / "other", "shop.example", Lives(), NOW_S)
    other.register(ORDERS, NOW_S)
    peer = certificates.der(joined(other)[1].certificate)

    assert authority.renew(peer, Asking().requests, NOW_S) == Absent("certificate")


@pytest.mark.parametrize("kind", ["deployment", "serial", "epoch", "token"])
def test_what_is_taken_back_is_refused_by_receivers(authority: Authority, kind: str) -> None:
    _, issued = joined(authority)
    entries = [json.loads(entry) for _, entry, _ in authority.store.issued()]
    (mtls, _) = [entry for entry in entries if entry["kind"] == "token"]
    value = {
        "deployment": str(ORDERS),
        "serial": f"{issued.certificate.serial_number:x}",
        "epoch": "b1",
        "token": mtls["jti"],
    }[kind]
    assert accepted(authority, issued) == "ok"

    authority.deny(kind, value, NOW_S)

    assert accepted(authority, issued) == "revoked"
    if kind in ("deployment", "serial"):
        peer = certificates.der(issued.certificate)
        assert isinstance(authority.renew(peer, Asking().requests, NOW_S), Absent)


def test_denying_what_is_not_there_says_so(authority: Authority) -> None:
    with pytest.raises(Refusal, match="not registered"):
        authority.deny("deployment", "spiffe://x", NOW_S)
    with pytest.raises(Refusal, match="not a binding"):
        authority.deny("epoch", "b9", NOW_S)


def test_a_changed_binding_is_a_new_epoch_and_the_same_one_is_not(authority: Authority) -> None:
    same = Binding("b1", ORDERS.of_service, INVENTORY.of_service, 1)

    authority.bind(same)
    unchanged = authority.policy(NOW_S).bindings["b1"].epoch
    authority.bind(Binding("b1", ORDERS.of_service, INVENTORY.of_service, 1, proof="mtls"))

    assert (unchanged, authority.policy(NOW_S).bindings["b1"].epoch) == (1, 2)


def test_an_issuer_whose_clock_went_back_refuses_to_sign(authority: Authority) -> None:
    joined(authority, now_s=NOW_S + 100)
    secret = authority.invite(ORDERS, NOW_S)

    with pytest.raises(Refusal, match="behind the last signature"):
        authority.join(secret, Asking().requests, NOW_S + 99)


def test_keys_rotate_through_their_lives_and_calls_stay_good(tmp_path: Path) -> None:
    """A day in steps of half an hour: whoever renews is accepted, the sequence only grows."""
    authority = prepared(tmp_path, Lives(ca_s=28_800, token_key_s=28_800))
    _, issued = joined(authority)
    now_s, sequence = NOW_S, 0
    for _ in range(48):
        now_s += 1800
        authority.rotate(now_s)
        renewed = authority.renew(certificates.der(issued.certificate), Asking().requests, now_s)
        assert isinstance(renewed, Credentials)
        issued = renewed
        assert authority.bundle().sequence >= sequence
        sequence = authority.bundle().sequence
        if sequence % 3 == 0:
            assert accepted(authority, issued, now_s) == "ok"
    assert accepted(authority, issued, now_s) == "ok"
    assert authority.store.keys("ca")[-1].key.number >= 4


def test_a_tainted_key_is_replaced_at_once_and_gone_after_one_life(authority: Authority) -> None:
    _, old = joined(authority)

    authority.taint("ca", NOW_S + 10)
    _, new = joined(authority, now_s=NOW_S + 10)

    assert authority.bundle().renew_before_s == NOW_S + 10
    assert (accepted(authority, old, NOW_S + 10), accepted(authority, new, NOW_S + 10)) == ("ok", "ok")
    authority.rotate(NOW_S + 10 + 3600)
    assert len(authority.bundle().authorities) == 1
    assert not (authority.directory / "keys" / "ca-1.pem").exists()


def test_every_credential_is_in_the_log_and_a_changed_entry_is_found(authority: Authority) -> None:
    _, issued = joined(authority)
    entries = list(authority.store.issued())

    said = [json.loads(entry) for _, entry, _ in entries]
    serials = {entry.get("serial") for entry in said}
    changed = [(number, entry.replace("orders", "admins"), sha) for number, entry, sha in entries]

    assert f"{issued.certificate.serial_number:x}" in serials
    assert sum(entry["kind"] == "token" for entry in said) == 2
    assert first_broken(entries) is None
    assert first_broken(changed) is not None
    assert first_broken(entries[1:]) == 1
    assert first_broken([*entries[:2], *entries[3:]]) == 3
    assert not any(token.token.split(".")[1] in entry for token in issued.tokens for _, entry, _ in entries)


def test_an_authority_that_is_opened_again_goes_on(authority: Authority) -> None:
    _, issued = joined(authority)
    authority.store.close()

    again = Authority(authority.directory)

    assert accepted(again, issued) == "ok"
    assert isinstance(
        again.renew(certificates.der(issued.certificate), Asking().requests, NOW_S), Credentials
    )
    assert isinstance(issued.certificate, x509.Certificate)
