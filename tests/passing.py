"""Requests without a fault, though some look like it, and what proves each."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from bending import (
    Case,
    certificate,
    forwarding,
    granted,
    hash_only,
    headers,
    item,
    proof,
    token,
    under,
)
from identities import BINDING, NOW_S, POLICY, Scene

from bindtrace.propagation.guard.request import Judgement
from bindtrace.propagation.identity import keys
from bindtrace.propagation.identity.encoding import b64url
from bindtrace.propagation.identity.policy import Route
from bindtrace.propagation.identity.wpt import OtherTokens, token_hash


def demanded(scene: Scene, proof: str) -> Judgement:
    scene.policy = replace(POLICY, bindings=MappingProxyType({"b1": replace(BINDING, proof=proof)}))
    leaf = scene.domain.leaf(scene.key)
    return scene.judge(scene.request()._replace(peer=leaf))


def forwarded_hash(scene: Scene) -> Judgement:
    text = scene.domain.token(scene.key, x5t_s256=b64url(b"\xab" * 32))
    scene.domain.token = lambda *_, **__: text  # type: ignore[method-assign]
    return forwarding(hash_only, b"x-forwarded-client-cert")(scene)


def covered(scene: Scene) -> Judgement:
    text = scene.domain.token(scene.key)
    tokens = OtherTokens(token_hash("abc"), token_hash("t"), {"x-user-token": token_hash("u")})
    also = [(b"authorization", b"bearer abc"), (b"txn-token", b"t"), (b"x-user-token", b"u")]
    return scene.judge(
        scene.request(text, scene.proof(text, tokens=tokens), also=also), other_tokens=("x-user-token",)
    )


def reported(scene: Scene) -> Judgement:
    scene.policy = replace(POLICY, bindings=MappingProxyType({"b1": replace(BINDING, replay="report")}))
    request = scene.request()
    assert not scene.judge(request).replayed
    judgement = scene.judge(request)
    assert judgement.replayed
    return judgement


ALLOWED: list[tuple[str, str, Case]] = [
    ("wpt", "proof token", lambda scene: scene.judge()),
    ("wpt", "issued in 25 s", lambda scene: token(scene, now_s=NOW_S + 25)),
    ("wpt", "expired 25 s ago", lambda scene: token(scene, now_s=NOW_S - 925)),
    ("wpt", "longest life", lambda scene: token(scene, life_s=3590)),
    ("wpt", "proof of 25 s ahead", proof(now_s=NOW_S + 25)),
    ("wpt", "proof expired 25 s ago", proof(now_s=NOW_S - 85)),
    ("wpt", "under a policy", under()),
    ("wpt", "on its route", under(routes=(Route("GET", "/stock"),))),
    ("wpt", "on its exact route", under(routes=(Route("*", "/stock/7"),))),
    ("wpt", "as a pinned pair", under(pairs=(("d1", "d7"),))),
    ("wpt", "pinned to this deployment", granted(deployment="d7")),
    ("wpt", "other Connection", headers((b"connection", b"keep-alive"))),
    ("mtls", "certificate", certificate()),
    ("mtls", "demanded", lambda scene: demanded(scene, "mtls")),
    ("mtls", "forwarded certificate", forwarding(item)),
    ("mtls", "forwarded hash", forwarded_hash),
    ("mtls+wpt", "both", lambda scene: demanded(scene, "both")),
    ("mtls+wpt", "proof on another key than the certificate's", lambda scene: scene.judge(
        scene.request()._replace(peer=scene.domain.leaf(keys.generate())))),
    ("wpt", "access token covered", covered),
    ("wpt", "url covered", lambda scene: scene.judge(
        scene.request(t := scene.domain.token(scene.key),
                      scene.proof(t, url="https://inventory.example/stock/7")),
        base_url="https://inventory.example")),
    ("wpt", "replayed, reported", reported),
]  # fmt: skip
