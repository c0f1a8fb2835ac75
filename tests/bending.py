"""Requests of a small domain, bent in one way each: a token, a proof, a certificate, a header, the policy."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from identities import BINDING, GRANTED, ORDERS, POLICY, Scene

from bindtrace.propagation.guard.request import Judgement
from bindtrace.propagation.identity import jose, keys
from bindtrace.propagation.identity.compact import take_apart
from bindtrace.propagation.identity.encoding import b64url
from bindtrace.propagation.identity.policy import DeniedNow

Case = Callable[[Scene], Judgement]


def forged(scene: Scene, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token of the scene's own key with other claims or another header: signed, so that only this is wrong."""
    compact = take_apart(scene.domain.token(scene.key))
    changed = {**compact.claims, **claims}  # type: ignore[union-attr]
    kid = keys.public_of(scene.domain.token_key).thumbprint
    chosen = {"typ": "wit+jwt", "kid": kid, **(header or {})}
    return jose.sign({name: value for name, value in chosen.items() if value is not None}, changed,
                     scene.domain.token_key)  # fmt: skip


def token(scene: Scene, **changes: Any) -> Judgement:
    return scene.judge(scene.request(scene.domain.token(scene.key, **changes)))


def granted(**changes: Any) -> Case:
    return lambda scene: token(scene, granted=replace(GRANTED, **changes))


def under(**changes: Any) -> Case:
    """Judged under a policy whose one binding differs in this."""

    def case(scene: Scene) -> Judgement:
        binding = replace(BINDING, **changes)
        scene.policy = replace(POLICY, bindings=MappingProxyType({"b1": binding}))
        return scene.judge()

    return case


def denying(denied: Callable[[Scene], DeniedNow], **peer: Any) -> Case:
    def case(scene: Scene) -> Judgement:
        scene.policy = replace(POLICY, denied=denied(scene))
        return scene.judge(scene.request(peer=scene.domain.leaf(scene.key)) if peer else None)

    return case


def headers(*also: tuple[bytes, bytes]) -> Case:
    return lambda scene: scene.judge(scene.request(also=list(also)))


def proof(**changes: Any) -> Case:
    return lambda scene: scene.judge(
        scene.request(t := scene.domain.token(scene.key), scene.proof(t, **changes))
    )


def certificate(**changes: Any) -> Case:
    return lambda scene: scene.judge(scene.request(peer=scene.domain.leaf(scene.key, **changes)))


def raw(text: str) -> Case:
    return lambda scene: scene.judge(scene.request(text, "x"))


def with_header(content: bytes) -> Case:
    return raw(f"{b64url(content)}.e30.AA")


def signed(header: dict[str, Any] | None = None, **claims: Any) -> Case:
    return lambda scene: scene.judge(scene.request(forged(scene, header, **claims)))


def bundle(**changes: Any) -> Case:
    def case(scene: Scene) -> Judgement:
        scene.bundle = changes
        return scene.judge()

    return case


def forwarding(value: Callable[[Scene], bytes], name: bytes = b"client-cert", source: str = "unix") -> Case:
    def case(scene: Scene) -> Judgement:
        request = scene.request(also=[(name, value(scene))], proof="-", source=source)
        without = tuple(header for header in request.headers if header[0] != b"workload-proof-token")
        return scene.judge(request._replace(headers=without), forwarded_from=frozenset({"unix"}))

    return case


def item(scene: Scene) -> bytes:
    return b":" + base64.b64encode(scene.domain.leaf(scene.key)) + b":"


def hash_only(scene: Scene) -> bytes:
    return f"Hash={'ab' * 32};URI={ORDERS}".encode()
