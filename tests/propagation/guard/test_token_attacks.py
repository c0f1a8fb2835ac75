"""T2: the known attacks on tokens, one pinned reason through every entry point; and a trap that nobody connects to."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from guarding import App, call, guard
from identities import INVENTORY, NOW_S, ORDERS, Domain, Scene

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.guard.request import FixedTrust, Request
from bindtrace.propagation.guard.wsgi import WSGIGuard
from bindtrace.propagation.identity import jose, keys
from bindtrace.propagation.identity.compact import take_apart
from bindtrace.propagation.identity.encoding import b64url, decode_b64url
from bindtrace.propagation.proxies.endpoint import AuthzApp

SCENE = Scene()
KID = keys.public_of(SCENE.domain.token_key).thumbprint


def reason(text: str) -> str:
    """The one reason that the judgement, both guards and the endpoint that proxies ask give."""
    request = SCENE.request(text, "x")
    said = {
        Scene(SCENE.domain, SCENE.key).judge(request).reason,
        *(entered(Scene(SCENE.domain, SCENE.key), request) for entered in ENTRIES),
    }
    (only,) = said
    return only


def by_asgi(scene: Scene, request: Request) -> str:
    return str(json.loads(call(guard(scene, App(), explain=True), request)[1]["body"])["reason"])


def by_wsgi(scene: Scene, request: Request) -> str:
    application = WSGIGuard(
        lambda environ, start_response: [b""], mode="enforce", receiver=scene.receiver,
        trust=FixedTrust(scene.trust), explain=True, now_unix_nano=lambda: NOW_S * 10**9,
    )  # fmt: skip
    environ = {
        "SERVER_SOFTWARE": "gunicorn/27.0",
        "REQUEST_METHOD": request.method,
        "PATH_INFO": request.path,
    } | {
        "HTTP_" + name.decode().upper().replace("-", "_"): value.decode("latin-1")
        for name, value in request.headers
    }
    return str(json.loads(b"".join(application(environ, lambda *_: None)))["reason"])


def by_proxy(scene: Scene, request: Request) -> str:
    endpoint = AuthzApp(
        mode="enforce", receiver=scene.receiver, trust=FixedTrust(scene.trust), explain=True,
        now_unix_nano=lambda: NOW_S * 10**9,
    )  # fmt: skip
    asked = Request(request.headers, request.method, f"/same{request.path}", None, request.source)
    return str(json.loads(call(endpoint, asked)[1]["body"])["reason"])


ENTRIES = (by_asgi, by_wsgi, by_proxy)


def claims(**changes: Any) -> dict[str, Any]:
    compact = take_apart(SCENE.domain.token(SCENE.key))
    assert not isinstance(compact, Absent)
    return {**compact.claims, **changes}


def assembled(header: Any, payload: Any, signature: bytes = b"\0" * 64) -> str:
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    return ".".join(b64url(part) for part in (*parts, signature))


def header(**changes: Any) -> dict[str, Any]:
    return {"alg": "ES256", "typ": "wit+jwt", "kid": KID, **changes}


def hmac_signed(secret: bytes) -> str:
    """HS256 with the verifier's own public key as the secret (CVE-2015-9235)."""
    text = assembled(header(alg="HS256"), claims(), b"").rpartition(".")[0]
    return f"{text}.{b64url(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


PUBLIC = SCENE.domain.token_key.public_key()
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


@pytest.mark.parametrize(
    "secret",
    [
        PUBLIC.public_bytes(serialization.Encoding.PEM, SPKI),
        PUBLIC.public_bytes(serialization.Encoding.DER, SPKI),
        json.dumps(keys.public_of(SCENE.domain.token_key).jwk()).encode(),
        KID.encode(),
        b"",
    ],
    ids=["PEM", "DER", "JWK", "kid", "empty"],
)
def test_the_public_key_is_no_secret(secret: bytes) -> None:
    assert reason(hmac_signed(secret)) == "alg_not_allowed"


ALGORITHMS = [
    "none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384",
    "PS512", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519", "es256", "ES256 ", "A128KW", "dir", "RSA1_5", None, 256,
    ["ES256"], {"alg": "ES256"}, True,
]  # fmt: skip


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=repr)
@pytest.mark.parametrize("signature", [b"", b"\0" * 64], ids=["empty", "zeros"])
def test_no_other_algorithm_is_taken(algorithm: Any, signature: bytes) -> None:
    assert reason(assembled(header(alg=algorithm), claims(), signature)) == "alg_not_allowed"


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", rsa.generate_private_key(65537, 2048)),
        ("PS256", rsa.generate_private_key(65537, 2048)),
        ("ES384", ec.generate_private_key(ec.SECP384R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
    ],
    ids=["RS256", "PS256", "ES384", "EdDSA"],
)
def test_a_good_signature_of_another_algorithm_is_not_taken(algorithm: str, key: Any) -> None:
    text = jwt.encode(claims(), key, algorithm=algorithm, headers={"typ": "wit+jwt", "kid": KID})

    assert reason(text) == "alg_not_allowed"


@pytest.fixture
def trap() -> Iterator[tuple[str, list[Any]]]:
    """A server that remembers who came."""
    came: list[Any] = []
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.2)

    def accept() -> None:
        while listening.fileno() >= 0:
            try:
                came.append(listening.accept())
            except (TimeoutError, OSError):
                continue

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/keys", came
    listening.close()
    thread.join(2)


@pytest.mark.parametrize("member", ["jku", "x5u", "jwk", "x5c", "x5t", "x5t#S256", "crit", "b64", "zip", "enc", "cty",
                                    "epk", "apu", "p2c", "iv", "tag", "nonce", "url", "__proto__", "ALG"])  # fmt: skip
def test_no_key_is_taken_from_a_header_and_nobody_is_asked(member: str, trap: tuple[str, list[Any]]) -> None:
    url, came = trap
    values = {
        "jwk": keys.public_of(SCENE.key).jwk(), "x5c": ["MIIB"], "crit": ["exp"], "b64": False, "zip": "DEF",
    }  # fmt: skip
    text = assembled(header(**{member: values.get(member, url)}), claims())

    assert reason(text) == "header_forbidden"
    assert came == []


@pytest.mark.parametrize(
    "kid",
    ["", "../../../dev/null", "/etc/passwd", "' or 1=1 --", "\0", KID + "\0", KID[:-1], KID + "A", KID.lower(),
     KID.upper(), "😀", "A" * 2000, "http://127.0.0.1:9/", "%00", "|cat /etc/passwd"],
    # the key is new in each process, and so are the texts that are made of its name
    ids=["empty", "path", "file", "sql", "nul", "nul behind", "cut", "longer", "lower", "upper", "emoji", "long", "url",
         "percent", "pipe"],
)  # fmt: skip
def test_a_kid_finds_a_key_by_its_exact_name_or_none(kid: str) -> None:
    assert reason(assembled(header(kid=kid), claims())) == "key_unknown"


@pytest.mark.parametrize("kid", [None, 7, True, ["a"], {"a": 1}], ids=repr)
def test_a_kid_that_is_no_text_finds_no_key(kid: Any) -> None:
    assert reason(assembled(header(kid=kid), claims())) == "key_unknown"


def test_a_kid_of_65_kb_is_too_long_before_it_is_looked_at() -> None:
    assert reason(assembled(header(kid="A" * 65536), claims())) == "credential_malformed"


TYPES = ["JWT", "JOSE", "jwt", "at+jwt", "wpt+jwt", "WIT+JWT", "wit+jwt ", "application/wit+jwt", "dpop+jwt", "", None,
         7, ["wit+jwt"]]  # fmt: skip


@pytest.mark.parametrize("typ", TYPES, ids=repr)
def test_a_token_of_another_type_is_not_an_identity_token(typ: Any) -> None:
    assert reason(assembled(header(typ=typ), claims())) == "typ_mismatch"


ODD_CLAIMS: list[tuple[str, Any]] = [
    *(("exp", value) for value in (str(NOW_S + 9), None, True, [NOW_S + 9], {}, -1, 0)),
    *(("nbf", value) for value in (str(NOW_S), None, False, NOW_S + 5000)),
    *(("iat", value) for value in (str(NOW_S), None, -5)),
    *(("jti", value) for value in ("", "AAAA", None, 7, "A" * 23, "é" * 22)),
    *(("cnf", value) for value in (None, {}, [], {"kid": "a"}, {"jkt": "a"}, {"jwk": None}, {"jwk": {}})),
    *(("iss", value) for value in (None, 7, [], {})),
    *(("bindtrace/grant", value) for value in (None, [], {}, "inventory", {"callee": str(INVENTORY)})),
    *((name, "x") for name in ("aud", "scope", "act", "admin", "client_id", "https://example.com/role")),
]


@pytest.mark.parametrize(("name", "value"), ODD_CLAIMS, ids=lambda part: repr(part)[:40])
def test_claims_of_other_types_and_other_claims_are_refused_though_signed(name: str, value: Any) -> None:
    text = jose.sign({"typ": "wit+jwt", "kid": KID}, claims(**{name: value}), SCENE.domain.token_key)

    assert reason(text) == "claims_invalid"


@pytest.mark.parametrize(
    "payload",
    [b'{"exp":1.5}', b'{"exp":1e9}', b'{"exp":NaN}', b'{"exp":Infinity}', b'{"exp":-0}', b'{"exp":9007199254740993}',
     b'{"exp":1' + b"0" * 400 + b"}", b'{"sub":1,"sub":2}', b'{"a":{"b":1,"b":2}}', b"[]", b'"text"', b"null", b"",
     b"{", b"\xff", b"\xef\xbb\xbf{}", b'{"a":"\\ud800"}', b"[" * 2000, b'{"a":' * 50 + b"1" + b"}" * 50, b"{}{}",
     b"{'a':1}", b'{"a":1,}', b"// x\n{}"],
    ids=lambda payload: repr(payload[:24]),
)  # fmt: skip
@pytest.mark.parametrize("place", ["header", "claims"])
def test_json_that_two_readers_could_read_differently_is_refused(payload: bytes, place: str) -> None:
    text = assembled(payload, claims()) if place == "header" else assembled(header(), payload)

    assert reason(text) == "credential_malformed"


def test_the_signature_covers_every_byte() -> None:
    """Each letter of a token changed in turn: none passes, and none is taken for somebody else's fault of ours."""
    text = SCENE.domain.token(SCENE.key)
    scene = Scene(SCENE.domain, SCENE.key)
    allowed = {"credential_malformed", "signature_invalid", "header_forbidden", "typ_mismatch", "alg_not_allowed",
               "subject_malformed", "trust_domain_unknown", "key_unknown"}  # fmt: skip

    for place in range(0, len(text), 3):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        assert scene.judge(SCENE.request(changed, "x")).reason in allowed, place


def test_tokens_of_one_kind_are_not_taken_for_the_other() -> None:
    token = SCENE.domain.token(SCENE.key)
    proof = SCENE.proof(token)

    assert reason(proof) == "typ_mismatch"
    assert SCENE.judge(SCENE.request(token, token)).reason == "pop_malformed"


def test_a_nested_token_is_no_token() -> None:
    inner = SCENE.domain.token(SCENE.key)

    assert reason(assembled(header(), inner.encode())) == "credential_malformed"


def test_a_der_signature_is_none() -> None:
    text = SCENE.domain.token(SCENE.key)
    raw = decode_b64url(text.rpartition(".")[2])
    assert isinstance(raw, bytes)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))

    assert reason(f"{text.rpartition('.')[0]}.{b64url(der)}") == "signature_invalid"


def test_a_key_that_is_not_for_tokens_verifies_none() -> None:
    """The CA's key and the workload's own are in the world too; only `wit-svid` keys verify identity tokens."""
    for key in (SCENE.domain.ca_key, SCENE.key):
        other = Domain(token_key=key)
        text = other.token(SCENE.key, ORDERS)
        assert reason(text) == "key_unknown"
