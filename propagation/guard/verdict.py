"""What a guard writes on the span of a request: the verdict and who was verified, never a token or a header."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final

from bindtrace.propagation import vocabulary as words
from bindtrace.propagation.absent import Absent
from bindtrace.propagation.guard.modes import Outcome
from bindtrace.propagation.guard.request import Judgement, Receiver, Trust
from bindtrace.propagation.identity import wpt
from bindtrace.propagation.identity.wit import Wit
from bindtrace.propagation.vocabulary import Position

Value = str | bool | int | float | tuple[str, ...]
_CONTROL: Final = re.compile(r"[^\x20-\x7e]")
_SHORT: Final = 32
REFRESHES_MISSED: Final = 5
"""After so many a receiver's trust is late."""
_OF_TIMES: Final = frozenset({"peer_cert_expired", "peer_cert_not_yet_valid", "pop_expired"})


def fingerprint(text: str) -> str:
    """The first 128 bits of SHA-256 in hex: enough to find a token again, nothing to use it by."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:_SHORT]


_of_jti: Final = lru_cache(maxsize=4096)(fingerprint)


def attributes(
    judgement: Judgement,
    outcome: Outcome,
    receiver: Receiver,
    trust: Trust,
    *,
    now_s: float,
    position: Position,
    mutated: bool = False,
    fidelity: str = "raw",
) -> dict[str, Value]:
    """Span attributes (docs/enforcement.md, What the span says). Absent values are left out."""
    values: dict[str, Value] = {
        words.AUTHZ_DECISION: outcome.decision,
        words.AUTHZ_WOULD: outcome.would,
        words.AUTHZ_REASON: judgement.reason,
        words.AUTHZ_MODE: outcome.mode,
        words.AUTHZ_ASSURANCE: judgement.assurance,
        words.AUTHZ_POSITION: position,
        words.AUTHZ_HEADER_FIDELITY: fidelity,
        words.TARGET_ID: str(receiver.service),
    }
    if judgement.wit is not None:
        values |= _of_token(judgement.wit, now_s)
        if bundle := trust.bundles.get(judgement.wit.subject.trust_domain):
            values[words.BUNDLE_SEQUENCE] = bundle.sequence
    if judgement.leaf is not None:
        values[words.PEER_CERT_SHA256] = judgement.leaf.sha256.hex()
    if judgement.peer is not None:
        values[words.PEER_ID] = str(judgement.peer)
    if judgement.via is not None:
        values[words.PEER_VIA] = judgement.via
    if judgement.proof is not None:
        values |= _of_proof(judgement, judgement.proof)
    if trust.policy is not None:
        values[words.POLICY_AGE_S] = round(now_s - trust.policy_at_s)
        if _late(receiver, trust, now_s):
            values[words.TRUST_LATE] = True
    if mutated:
        values[words.AUTHZ_HEADERS_MUTATED] = True
    if judgement.unverified is not None:
        values[words.CALLER_UNVERIFIED] = str(judgement.unverified)
    if outcome.failure_mode is not None:
        values[words.AUTHZ_FAILURE_MODE] = outcome.failure_mode
    if judgement.stripped or judgement.exposed is not None:
        values |= _of_edge(judgement)
    if judgement.reason in _OF_TIMES:
        values |= _of_times(judgement, now_s)
    return values


def _late(receiver: Receiver, trust: Trust, now_s: float) -> bool:
    """Asked only where there is a policy: one who brought his trust along hears of no authority."""
    bundle = trust.bundles.get(receiver.service.trust_domain)
    return bundle is not None and now_s - trust.policy_at_s > REFRESHES_MISSED * bundle.refresh_hint_s


def _of_token(wit: Wit, now_s: float) -> dict[str, Value]:
    return {
        words.VERIFIED_CALLER: str(wit.subject),
        words.CALLER_DEPLOYMENT: wit.subject.deployment,
        words.BINDING_ID: wit.granted.binding,
        words.BINDING_EPOCH: wit.granted.epoch,
        words.CREDENTIAL_KID: wit.kid,
        words.CREDENTIAL_SHA256: _of_jti(wit.jti),
        words.CREDENTIAL_AGE_S: round(now_s - wit.issued_at_s),
        words.CREDENTIAL_REMAINING_S: round(wit.expires_s - now_s),
    }


def _of_proof(judgement: Judgement, proof: str) -> dict[str, Value]:
    values: dict[str, Value] = {words.PROOF_SHA256: fingerprint(proof)}
    if judgement.assurance in ("wpt", "mtls+wpt"):
        values[words.AUTHZ_REPLAY_SCOPE] = "process"
    if judgement.replayed:
        values[words.AUTHZ_REPLAYED] = True
    return values


def _of_edge(judgement: Judgement) -> dict[str, Value]:
    values: dict[str, Value] = {}
    if judgement.exposed is not None:
        values[words.CREDENTIAL_EXPOSED] = str(judgement.exposed)
    if judgement.stripped:
        values[words.EDGE_STRIPPED] = tuple(_CONTROL.sub("?", name) for name in judgement.stripped)
        values[words.EDGE_STRIPPED_SHA256] = tuple(judgement.stripped.values())
    return values


def _of_times(judgement: Judgement, now_s: float) -> dict[str, Value]:
    """How far a proof or a certificate that was refused for its time is from it: clocks that differ show by this."""
    if judgement.reason == "pop_expired":
        proof = wpt.parse(judgement.proof or "")
        return {} if isinstance(proof, Absent) else {words.PROOF_AGE_S: round(now_s - proof.issued_at_s)}
    if (leaf := judgement.leaf) is None:
        return {}
    return {
        words.PEER_CERT_AGE_S: round(now_s - leaf.not_before_s),
        words.PEER_CERT_REMAINING_S: round(leaf.not_after_s - now_s),
    }
