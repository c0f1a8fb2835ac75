"""Requests with one fault each, and the reason of each, for the tests of every place that judges them."""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from bending import (
    Case,
    bundle,
    certificate,
    denying,
    forwarding,
    granted,
    hash_only,
    headers,
    item,
    proof,
    raw,
    signed,
    token,
    under,
    with_header,
)
from cryptography import x509
from identities import BINDING, INVENTORY, NOW_S, ORDERS, POLICY, Domain, Scene, service

from bindtrace.propagation.guard.judge import judge
from bindtrace.propagation.guard.memory import Memory, ReplayCache
from bindtrace.propagation.guard.request import Judgement, Trust
from bindtrace.propagation.identity import certificates, keys
from bindtrace.propagation.identity.compact import take_apart
from bindtrace.propagation.identity.encoding import b64url
from bindtrace.propagation.identity.policy import DeniedNow, Route


def jti_of(scene: Scene) -> DeniedNow:
    """The token that the scene issues next is denied: its jti is fixed by issuing it now and again never."""
    text = scene.domain.token(scene.key)
    scene.domain.token = lambda *_, **__: text  # type: ignore[method-assign]
    return DeniedNow(tokens=frozenset({take_apart(text).claims["jti"]}))  # type: ignore[union-attr]


def serial_of(scene: Scene) -> DeniedNow:
    content = scene.domain.leaf(scene.key)
    scene.domain.leaf = lambda *_, **__: content  # type: ignore[method-assign]
    return DeniedNow(serials=frozenset({f"{x509.load_der_x509_certificate(content).serial_number:x}"}))


def replayed(scene: Scene) -> Judgement:
    request = scene.request()
    assert scene.judge(request).reason == "ok"
    return scene.judge(request)


def saturated(scene: Scene) -> Judgement:
    scene.memory = Memory(ReplayCache(size=1))
    assert scene.judge().reason == "ok"
    return scene.judge()


def without_bundle(scene: Scene) -> Judgement:
    return judge(scene.request(), scene.receiver, Trust({scene.domain.name: None}), scene.memory, now_s=NOW_S)


def other_domain(scene: Scene) -> Judgement:
    return token(scene, subject=ORDERS._replace(trust_domain="evil.example"))


def unsigned(scene: Scene, algorithm: str) -> str:
    header = {"alg": algorithm, "typ": "wit+jwt", "kid": keys.public_of(scene.domain.token_key).thumbprint}
    claims = take_apart(scene.domain.token(scene.key)).claims  # type: ignore[union-attr]
    return f"{b64url(json.dumps(header).encode())}.{b64url(json.dumps(claims).encode())}."


def bare(scene: Scene, signature: str = "") -> str:
    return scene.domain.token(scene.key).rpartition(".")[0] + "." + signature


def resigned(scene: Scene) -> str:
    own, theirs = scene.domain.token(scene.key), Domain().token(scene.key)
    return own.rpartition(".")[0] + "." + theirs.rpartition(".")[2]


def one_key_ended(scene: Scene) -> Judgement:
    """Another key keeps the bundle from being stale."""
    entries = dict(scene.domain.bundle().token_keys)
    (kid,) = entries
    other = keys.public_of(keys.generate())
    entries = {
        kid: replace(entries[kid], not_after_s=NOW_S),
        other.thumbprint: replace(entries[kid], key=other),
    }
    scene.bundle = {"token_keys": MappingProxyType(entries)}
    return scene.judge()


def not_live(scene: Scene) -> Judgement:
    scene.policy = replace(POLICY, deployments=MappingProxyType({ORDERS.of_service: frozenset({"d2"})}))
    return scene.judge()


def without_binding(scene: Scene) -> Judgement:
    scene.policy = replace(POLICY, bindings=MappingProxyType({}))
    return scene.judge()


def without_proof(scene: Scene) -> Any:
    request = scene.request()
    return request._replace(headers=request.headers[:2])


def both_demanded(scene: Scene) -> Judgement:
    scene.policy = replace(POLICY, bindings=MappingProxyType({"b1": replace(BINDING, proof="both")}))
    return scene.judge(scene.request(peer=scene.domain.leaf(scene.key)))


def authority_as_leaf(scene: Scene) -> Judgement:
    return scene.judge(scene.request(peer=certificates.der(scene.domain.ca)))


DENIED: list[tuple[str, str, Case]] = [
    ("credential_missing", "no token", lambda scene: scene.judge(scene.request()._replace(headers=()))),
    ("credential_duplicate", "two lines", headers((b"workload-identity-token", b"x"))),
    ("credential_duplicate", "two proofs", headers((b"workload-proof-token", b"x"))),
    ("credential_duplicate", "a list", raw("a,b")),
    ("header_alias", "underscores", headers((b"workload_identity_token", b"x"))),
    ("header_alias", "dots", headers((b"workload.proof.token", b"x"))),
    ("header_alias", "mixed", headers((b"X_Forwarded-Client.Cert", b"x"))),
    ("header_alias", "trailing space", headers((b"workload-identity-token ", b"x"))),
    ("header_alias", "Connection", headers((b"connection", b"close, Workload-Identity-Token"))),
    ("header_alias", "Connection, alias", headers((b"Connection", b"workload_proof_token"))),
    ("credential_malformed", "empty", raw("")),
    ("credential_malformed", "two parts", raw("e30.e30")),
    ("credential_malformed", "five parts", raw("e30.e30.e30.e30.e30")),
    ("credential_malformed", "too long", raw("e30.e30." + "A" * 5000)),
    ("credential_malformed", "JSON serialization", raw('{"payload":"e30"}')),
    ("credential_malformed", "padding", raw("e30=.e30.AA")),
    ("credential_malformed", "stray bits", raw("e31.e30.AA")),
    ("credential_malformed", "not JSON", with_header(b'{')),
    ("credential_malformed", "a list", with_header(b'[]')),
    ("credential_malformed", "double member", with_header(b'{"a":1,"a":2}')),
    ("credential_malformed", "float", with_header(b'{"exp":1.0}')),
    ("credential_malformed", "NaN", with_header(b'{"exp":NaN}')),
    ("credential_malformed", "huge integer", with_header(b'{"exp":9007199254740993}')),
    ("credential_malformed", "deep", with_header(b'{"a":' + b'[' * 9 + b']' * 9 + b'}')),
    ("credential_malformed", "not UTF-8", with_header(b'{"\xff":1}')),
    ("credential_malformed", "surrogate", with_header(b'{"a":"\\ud800"}')),
    *(
        ("header_forbidden", name, signed({name: value}))
        for name, value in {
            "jku": "http://127.0.0.1:9/keys", "x5u": "http://127.0.0.1:9/cert", "x5t": "AA", "cty": "JWT",
        }.items()
    ),
    ("typ_mismatch", "JWT-SVID", signed({"typ": "JWT"})),
    ("typ_mismatch", "none", signed({"typ": None})),
    ("typ_mismatch", "a proof", signed({"typ": "wpt+jwt"})),
    ("typ_mismatch", "case", signed({"typ": "WIT+JWT"})),
    ("alg_not_allowed", "none", lambda scene: scene.judge(scene.request(unsigned(scene, "none"), "x"))),
    ("alg_not_allowed", "nOnE", lambda scene: scene.judge(scene.request(unsigned(scene, "nOnE"), "x"))),
    ("alg_not_allowed", "HS256", lambda scene: scene.judge(scene.request(unsigned(scene, "HS256"), "x"))),
    ("alg_not_allowed", "ES384", lambda scene: scene.judge(scene.request(unsigned(scene, "ES384"), "x"))),
    ("subject_malformed", "no SPIFFE id", signed(sub="orders")),
    ("subject_malformed", "a service", signed(sub=str(ORDERS.of_service))),
    ("subject_malformed", "a number", signed(sub=7)),
    ("trust_domain_unknown", "another domain", other_domain),
    ("bundle_unavailable", "never came", without_bundle),
    ("bundle_stale", "all keys ended", bundle(token_keys=MappingProxyType({}))),
    ("key_unknown", "another kid", signed({"kid": "A" * 43})),
    ("key_unknown", "no kid", signed({"kid": None})),
    ("key_unknown", "a path", signed({"kid": "../../dev/null"})),
    ("key_unknown", "key ended", one_key_ended),
    ("signature_invalid", "another key", lambda scene: scene.judge(scene.request(resigned(scene)))),
    ("signature_invalid", "none", lambda scene: scene.judge(scene.request(bare(scene), "x"))),
    ("signature_invalid", "zeros", lambda scene: scene.judge(scene.request(bare(scene, "A" * 86), "x"))),
    ("claims_invalid", "aud", signed(aud="inventory")),
    ("claims_invalid", "unknown claim", signed(admin=True)),
    ("claims_invalid", "text time", signed(exp=str(NOW_S + 900))),
    ("claims_invalid", "true as a time", signed(iat=True)),
    ("claims_invalid", "nbf after exp", signed(nbf=NOW_S + 901)),
    ("claims_invalid", "short jti", signed(jti="AAAA")),
    ("claims_invalid", "no key", signed(cnf={})),
    ("claims_invalid", "private key", signed(cnf={"jwk": {"kty": "EC", "crv": "P-256", "d": "AA"}})),
    ("claims_invalid", "off the curve",
     signed(cnf={"jwk": {"kty": "EC", "crv": "P-256", "x": b64url(b"\1" * 32), "y": b64url(b"\1" * 32)}})),
    ("claims_invalid", "grant with more", signed(**{"bindtrace/grant": {"binding": "b1", "role": "admin"}})),
    ("claims_invalid", "grant for a workload", signed(**{"bindtrace/grant": {
        "binding": "b1", "callee": str(INVENTORY), "deployment": None, "env": "production", "epoch": 3}})),
    ("issuer_mismatch", "https", signed(iss="https://shop.example")),
    ("issuer_mismatch", "another domain", signed(iss="spiffe://evil.example")),
    ("not_yet_valid", "issued in 35 s", lambda scene: token(scene, now_s=NOW_S + 35)),
    ("expired", "35 s ago", lambda scene: token(scene, now_s=NOW_S - 935)),
    ("lifetime_exceeded", "two hours", signed(exp=NOW_S + 7200)),
    ("revoked", "jti", denying(jti_of)),
    ("revoked", "deployment", denying(lambda _: DeniedNow(deployments=frozenset({"d1"})))),
    ("revoked", "epoch", denying(lambda _: DeniedNow(epochs=MappingProxyType({"b1": 4})))),
    ("revoked", "serial", denying(serial_of, peer=True)),
    ("callee_mismatch", "another service", granted(callee=service("s-billing"))),
    ("callee_mismatch", "another domain", granted(callee=INVENTORY.of_service._replace(trust_domain="x"))),
    ("environment_mismatch", "caller", lambda scene: token(scene, subject=ORDERS._replace(environment="e"))),
    ("environment_mismatch", "grant", granted(environment="preview")),
    ("deployment_mismatch", "pinned", granted(deployment="d8")),
    ("deployment_mismatch", "pair", under(pairs=(("d1", "d8"),))),
    ("deployment_mismatch", "not live", not_live),
    ("policy_unavailable", "required", lambda scene: scene.judge(policy_required=True)),
    ("binding_unknown", "gone", without_binding),
    ("binding_unknown", "another callee", under(callee=service("s-billing"))),
    ("binding_inactive", "off", under(active=False)),
    ("binding_epoch_stale", "newer", under(epoch=4)),
    ("caller_not_bound", "another caller", under(caller=service("s-billing"))),
    ("route_not_allowed", "method", under(routes=(Route("POST", "/"),))),
    ("route_not_allowed", "path", under(routes=(Route("*", "/stock/77"),))),
    ("route_not_allowed", "prefix of a word", under(routes=(Route("*", "/sto"),))),
    ("forwarded_cert_untrusted_source", "not listed", forwarding(item, source="10.0.0.9")),
    ("forwarded_cert_untrusted_source", "two elements",
     forwarding(lambda scene: hash_only(scene) + b"," + hash_only(scene), b"x-forwarded-client-cert")),
    ("forwarded_cert_untrusted_source", "no certificate", forwarding(lambda _: b"orders")),
    ("peer_cert_untrusted", "another authority", lambda scene: scene.judge(
        scene.request(peer=Domain().leaf(scene.key)))),
    ("peer_cert_untrusted", "no certificate", lambda scene: scene.judge(scene.request(peer=b"x"))),
    ("peer_cert_expired", "a second ago", certificate(now_s=NOW_S - 3601)),
    ("peer_cert_not_yet_valid", "in a second", certificate(now_s=NOW_S + 31)),
    ("peer_cert_profile", "an authority", authority_as_leaf),
    ("peer_id_mismatch", "another deployment", certificate(workload=ORDERS._replace(deployment="d2"))),
    ("peer_id_mismatch", "beside a good proof", lambda scene: scene.judge(
        scene.request()._replace(peer=scene.domain.leaf(keys.generate(), INVENTORY)))),
    ("cert_binding_mismatch", "another key", lambda scene: scene.judge(
        scene.request(peer=scene.domain.leaf(keys.generate())))),
    ("cert_binding_mismatch", "hash", forwarding(hash_only, b"x-forwarded-client-cert")),
    ("peer_cert_missing", "demanded", under(proof="mtls")),
    ("pop_missing", "no certificate either", lambda scene: scene.judge(without_proof(scene))),
    ("pop_missing", "both demanded", both_demanded),
    ("pop_malformed", "no token", lambda scene: scene.judge(scene.request(proof="x"))),
    ("pop_malformed", "an identity token", lambda scene: scene.judge(
        scene.request(proof=scene.domain.token(scene.key)))),
    ("pop_key_mismatch", "another key", proof(key=keys.generate())),
    ("pop_audience_mismatch", "another callee", proof(callee=service("s-billing"))),
    ("pop_expired", "old", proof(now_s=NOW_S - 91)),
    ("pop_expired", "in future", proof(now_s=NOW_S + 31)),
    ("pop_wit_mismatch", "another token", lambda scene: scene.judge(
        scene.request(proof=scene.proof(scene.domain.token(scene.key, now_s=NOW_S - 1))))),
    ("pop_token_mismatch", "access token not covered", headers((b"authorization", b"Bearer abc"))),
    ("pop_token_mismatch", "transaction token not covered", headers((b"txn-token", b"abc"))),
    ("pop_method_mismatch", "POST", proof(method="POST")),
    ("pop_uri_mismatch", "no url", lambda scene: scene.judge(base_url="https://inventory.example")),
    ("pop_replayed", "twice", replayed),
    ("pop_cache_saturated", "full", saturated),
]  # fmt: skip
