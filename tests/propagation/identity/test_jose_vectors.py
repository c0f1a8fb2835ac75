"""T1: outside vectors and outside libraries. What is no ES256 token of ours is refused, and nothing raises."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st
from identities import GRANTED, INVENTORY, NOW_S, ORDERS, Domain, Scene
from support import fixture

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.identity import jose, keys, wit, wpt
from bindtrace.propagation.identity.compact import Compact, take_apart
from bindtrace.propagation.identity.encoding import b64url, decode_b64url, read_object


def vectors() -> list[tuple[str, Any]]:
    groups = json.loads(fixture("wycheproof-jose/json_web_signature_part.json").read_text())["testGroups"]
    return [(test["jws"], group) for group in groups for test in group["tests"]]


def test_no_wycheproof_vector_is_a_token_of_ours() -> None:
    """None of them holds a JSON object, so the accept set is empty, and each ends at the first look."""
    every = vectors()
    scene = Scene()

    reasons = {
        scene.judge(scene.request(jws if isinstance(jws, str) else json.dumps(jws), "x")).reason
        for jws, _ in every
    }

    assert len(every) == 44
    assert reasons == {"credential_malformed", "credential_duplicate"}


def test_no_wycheproof_signature_of_another_algorithm_verifies_on_any_key_of_ours() -> None:
    key = keys.public_of(keys.generate())

    assert not any(jose.verifies(signed(jws), key) for jws, _ in vectors() if isinstance(jws, str))


def signed(text: str) -> Compact:
    """What a signature check gets to see, of any text: as if its header were as it has to be."""
    signature = decode_b64url(text.rpartition(".")[2])
    return Compact(text, {"alg": "ES256"}, {}, signature if isinstance(signature, bytes) else b"")


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "ES512"}, {}, {"alg": "ES256", "crit": ["b64"]}])
def test_a_good_signature_under_another_header_does_not_verify(header: dict[str, Any]) -> None:
    key = keys.generate()
    good = signed(jose.sign({"typ": "t"}, {"a": 1}, key))

    assert jose.verifies(good, keys.public_of(key))
    assert not jose.verifies(replace(good, header=header), keys.public_of(key))


def test_a_key_with_another_use_is_no_key() -> None:
    (group,) = [group for _, group in vectors() if group["comment"] == "ec_key_for_encryption"]

    assert keys.parse_jwk(group["public"]) == Absent("jwk")
    assert keys.parse_jwk(group["private"]) == Absent("jwk")


def test_no_example_of_other_libraries_is_a_token_of_ours() -> None:
    examples = json.loads(fixture("joserfc/jws_examples.json").read_text())["tests"]
    scene = Scene()

    forms = [form for example in examples for name, form in example.items() if name == "compact"]
    forms += [
        json.dumps(example[name]) for example in examples for name in ("general_json", "flattened_json")
        if name in example
    ]  # fmt: skip
    reasons = {scene.judge(scene.request(form, "x")).reason for form in forms}

    assert len(forms) >= 15
    assert reasons <= {"credential_malformed", "credential_duplicate"}


def test_another_library_verifies_our_tokens_and_proofs() -> None:
    domain, key = Domain(), keys.generate()
    token = domain.token(key)
    proof = wpt.issue(token, key, callee=INVENTORY.of_service, method="GET", now_s=NOW_S)

    options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    claims = jwt.decode(token, domain.token_key.public_key(), algorithms=["ES256"], options=options)
    proven = jwt.decode(
        proof, key.public_key(), algorithms=["ES256"], audience=str(INVENTORY.of_service), options=options
    )

    assert claims["sub"] == str(ORDERS)
    assert proven["wth"] == wpt.token_hash(token)
    assert jwt.get_unverified_header(token)["kid"] == keys.public_of(domain.token_key).thumbprint


def test_tokens_of_another_library_are_read_as_ours() -> None:
    domain, key = Domain(), keys.generate()
    claims = take_apart(domain.token(key)).claims  # type: ignore[union-attr]
    header = {"typ": "wit+jwt", "kid": keys.public_of(domain.token_key).thumbprint}

    theirs = jwt.encode(claims, domain.token_key, algorithm="ES256", headers=header)

    assert Scene(domain, key).judge(Scene(domain, key).request(theirs)).reason == "ok"


def test_a_thumbprint_is_that_of_rfc_7638_by_another_library() -> None:
    from joserfc.jwk import ECKey

    public = keys.public_of(keys.generate())

    assert public.thumbprint == ECKey.import_key({**public.jwk()}).thumbprint()


def raw_verifies(text: str, key: ec.EllipticCurvePublicKey) -> bool:
    """The oracle: ECDSA of `cryptography` over the received bytes, r and s of 32 bytes each."""
    signed, _, signature = text.rpartition(".")
    decoded = decode_b64url(signature)
    if isinstance(decoded, Absent) or len(decoded) != 64:
        return False
    r, s = int.from_bytes(decoded[:32], "big"), int.from_bytes(decoded[32:], "big")
    try:
        key.verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def test_signatures_are_judged_as_by_the_raw_primitive() -> None:
    """P1363 shapes: zeros, the group order, s negated, DER, short, long, one bit flipped."""
    dice, key = random.Random(1), keys.generate()
    public = keys.public_of(key)
    text = jose.sign({"typ": "t"}, {"a": 1}, key)
    head, _, signature = text.rpartition(".")
    raw = decode_b64url(signature)
    assert isinstance(raw, bytes)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")

    def of(r: int, s: int) -> bytes:
        return (r % 2**256).to_bytes(32, "big") + (s % 2**256).to_bytes(32, "big")

    forms = [raw, of(0, 0), of(r, 0), of(0, s), of(ORDER, s), of(r, ORDER), of(r, ORDER - s), of(s, r)]
    forms += [encode_dss_signature(r, s), raw[:63], raw + b"\0", b"", raw[:32], of(r + ORDER, s), of(1, 1)]
    forms += [
        bytes(byte ^ (1 << dice.randrange(8) if place == flipped else 0) for place, byte in enumerate(raw))
        for flipped in range(64)
    ]
    texts = [f"{head}.{b64url(form)}" for form in forms]
    verdicts = [(jose.verifies(signed(text), public), raw_verifies(text, key.public_key())) for text in texts]

    assert all(ours == oracle for ours, oracle in verdicts)
    assert [ours for ours, _ in verdicts].count(True) == 2  # as signed, and with s negated, as ECDSA has it


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(st.text("AZaz09_-", max_size=12), max_size=5).map(".".join)))
def test_any_text_is_taken_apart_or_absent(text: str) -> None:
    take_apart(text)
    wpt.parse(text)
    if text.isascii():
        assert not jose.verifies(signed(text), keys.PublicKey("AA", "AA"))


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=8), st.text("AQgwIE8_-/+=", max_size=9), st.binary(max_size=9).map(b64url)))
def test_base64url_has_one_spelling_for_each_value(text: str) -> None:
    """The oracle decodes leniently and asks whether the value is spelled so."""
    try:
        lenient = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        lenient = b""

    decoded = decode_b64url(text)

    assert decoded == (lenient if b64url(lenient) == text else Absent("base64url"))


@pytest.mark.parametrize(("text", "read"), [
    ('{"a":"\\ud800"}', False), ('{"\\udfff":1}', False), ('{"a":[["\\ud83d"]]}', False),
    ('{"a":"\\ud83d\\ude00"}', True), ('{"a":"\\\\ud800"}', True), ('{"a":"\\u0041"}', True),
    ('{"a":[[[1]]]}', True), ('{"a":[[[[1]]]]}', False), ('{"a":{"b":{"c":{"d":1}}}}', True),
])  # fmt: skip
def test_json_has_no_half_letters_and_four_levels(text: str, read: bool) -> None:
    assert isinstance(read_object(text.encode()), dict) == read


@settings(max_examples=200, deadline=None)
@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
), st.sampled_from(["iss", "sub", "iat", "nbf", "exp", "jti", "cnf", "bindtrace/grant"]))  # fmt: skip
def test_any_value_in_any_claim_is_read_or_refused(value: Any, name: str) -> None:
    compact = take_apart(TOKEN)
    assert not isinstance(compact, Absent)
    compact.claims[name] = value

    claims = wit.read_claims(compact)

    assert isinstance(claims, wit.Wit | Absent)


TOKEN = Domain().token(keys.generate())


def test_issuing_refuses_what_a_receiver_would() -> None:
    key = keys.generate()
    with pytest.raises(ValueError, match="3591 s"):
        wit.issue(ORDERS, keys.public_of(key), GRANTED, key, now_s=NOW_S, life_s=3591)
    with pytest.raises(ValueError, match="bytes"):
        jose.sign({"typ": "t"}, {"a": "x" * 5000}, key)
