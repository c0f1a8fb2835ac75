"""The receiver's judgement of one request, in the order that docs/enforcement.md lists. Pure, but for its memory.

    judgement = judge(request, receiver, trust, memory, now_s=…)

It raises nothing for what a request holds; what it raises is a fault of ours, and guards answer `internal_error`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.guard.call_checks import call_of, refused_grant
from bindtrace.propagation.guard.headers import Found, edge_only, find
from bindtrace.propagation.guard.memory import Memory
from bindtrace.propagation.guard.peer_checks import Peer, refused_peer
from bindtrace.propagation.guard.proof_checks import Proof, refused_proof
from bindtrace.propagation.guard.request import Judgement, Receiver, Request, Trust
from bindtrace.propagation.guard.tables import refused
from bindtrace.propagation.guard.token_checks import authenticate, claimed_subject, in_time
from bindtrace.propagation.identity.peer import Leaf
from bindtrace.propagation.identity.wit import Wit
from bindtrace.propagation.vocabulary import WIT_HEADER, WPT_HEADER, Assurance

HEADERS: Final[list[tuple[str, Callable[[Found], bool]]]] = [
    ("header_alias", lambda found: not found.aliased),
    ("credential_duplicate", lambda found: not found.doubled),
    ("credential_missing", lambda found: found.text(WIT_HEADER) is not None),
]
"""What the header names alone decide, and whether there is a token at all."""


def judge(request: Request, receiver: Receiver, trust: Trust, memory: Memory, *, now_s: float) -> Judgement:
    """One reason of the closed list, with what was verified on the way to it. `now_s` is wall time."""
    found = find(request.headers)
    if receiver.listener == "public":
        return _at_the_edge(request, found, trust, memory, now_s)
    if request.path in receiver.exempt_paths:
        return Judgement("exempt_path")
    if reason := refused(HEADERS, found):
        return Judgement(reason)
    wit_text = found.text(WIT_HEADER) or ""
    wit = authenticate(wit_text, trust, memory, now_s)
    if isinstance(wit, Absent):
        return Judgement(wit.reason, unverified=claimed_subject(wit_text))
    return _of_verified(wit, wit_text, request, receiver, trust, found, memory, now_s)


def _of_verified(
    wit: Wit,
    wit_text: str,
    request: Request,
    receiver: Receiver,
    trust: Trust,
    found: Found,
    memory: Memory,
    now_s: float,
) -> Judgement:
    """Steps 7 to 11, for a token whose signature is right."""
    call, proof = call_of(wit, request, receiver, trust), found.text(WPT_HEADER)
    if reason := in_time(wit, trust, now_s) or refused_grant(call):
        return Judgement(reason, wit=wit, binding=call.binding, proof=proof)
    peer = Peer(call, found, memory, now_s)
    proven = _proven(peer, proof, wit_text)
    return Judgement(
        proven.reason,
        proven.assurance,
        wit=wit,
        leaf=peer.leaf if isinstance(peer.leaf, Leaf) else None,
        peer=peer.id if peer.vouched else None,
        binding=call.binding,
        via=request.source if peer.from_listed_hop else None,
        proof=proof,
        replayed=proven.replayed,
    )


class _Proven(NamedTuple):
    reason: str
    assurance: Assurance = "none"
    replayed: bool = False


def _proven(peer: Peer, text: str | None, wit_text: str) -> _Proven:
    """Steps 9 to 11."""
    if reason := refused_peer(peer):
        return _Proven(reason)
    if peer.demanded == "mtls":
        return _Proven("ok", "mtls")
    proof = Proof(text, wit_text, peer.call, peer.memory.replay, peer.now_s)
    if reason := refused_proof(proof):
        return _Proven(reason)
    return _Proven("ok", "mtls+wpt" if peer.present else "wpt", proof.use == "seen")


def _at_the_edge(request: Request, found: Found, trust: Trust, memory: Memory, now_s: float) -> Judgement:
    """Nobody is authenticated here; what nobody outside may send is named, and taken off by the guard.

    A token that verifies says that an internal caller came in by the public door.
    """
    text = found.text(WIT_HEADER)
    wit = authenticate(text, trust, memory, now_s) if text is not None else None
    good = isinstance(wit, Wit) and in_time(wit, trust, now_s) is None
    return Judgement(
        "not_applicable_public",
        stripped=_fingerprints(request),
        exposed=wit.subject if isinstance(wit, Wit) and good else None,
    )


def _fingerprints(request: Request) -> Mapping[str, str]:
    return {
        name.decode("latin-1")[:64]: hashlib.sha256(value).hexdigest()[:32]
        for name, value in edge_only(request.headers)
    }
