"""What the peer certificate says, by the current bundle. An ordered table of reasons.

The certificate is the connection's own, or one that a listed hop forwarded. What the handshake said is not asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.guard.call_checks import Call
from bindtrace.propagation.guard.forwarded import Forwarded, parse_client_cert, parse_xfcc
from bindtrace.propagation.guard.headers import Found
from bindtrace.propagation.guard.memory import NEGATIVE_S, Memory
from bindtrace.propagation.guard.tables import refused
from bindtrace.propagation.identity.encoding import b64url
from bindtrace.propagation.identity.peer import MAX_DER_BYTES, Leaf, issued_by, read_leaf
from bindtrace.propagation.identity.policy import Proof
from bindtrace.propagation.identity.spiffe import Workload, parse_workload
from bindtrace.propagation.vocabulary import CLIENT_CERT_HEADER, WPT_HEADER, XFCC_HEADER


class Peer:
    """The peer of one call being checked. `demanded` is the proof that this request has to give."""

    def __init__(self, call: Call, found: Found, memory: Memory, now_s: float) -> None:
        self.call, self.found, self.memory, self.now_s = call, found, memory, now_s
        self.forwarded = _forwarded(found)
        self.from_listed_hop = call.request.source in call.receiver.forwarded_from
        self.leaf, self.vouched = self._leaf()
        self.id = self._id()
        self.demanded = self._demanded()

    def _leaf(self) -> tuple[Leaf | Absent | None, bool]:
        """The certificate and whether the caller's bundle vouches for it; a hop's own is not its caller's."""
        if isinstance(self.forwarded, Forwarded) and self.from_listed_hop:
            content = self.forwarded.der
        else:
            content = None if self.from_listed_hop else self.call.request.peer
        if content is None:
            return None, True
        bundle = self.call.trust.bundles[self.call.wit.subject.trust_domain]
        authorities = bundle.authorities if bundle else ()
        if len(content) > MAX_DER_BYTES:
            return Absent("certificate"), False
        key = content, bundle and (bundle.trust_domain, bundle.sequence)
        known = self.memory.leaves.get(key, self.now_s)
        if known is None:
            leaf = read_leaf(content)
            until_s = 0.0 if isinstance(leaf, Absent) else issued_by(leaf, authorities, now_s=self.now_s)
            known = leaf, until_s
            self.memory.leaves.put(key, known, max(until_s, self.now_s + NEGATIVE_S))
        return known[0], self.now_s < known[1]

    def _id(self) -> Workload | None:
        if isinstance(self.leaf, Leaf):
            return None if isinstance(self.leaf.profile, Absent) else self.leaf.profile[0]
        uri = self.forwarded.uri if self.leaf is None and isinstance(self.forwarded, Forwarded) else None
        workload = parse_workload(uri) if uri and self.from_listed_hop else None
        return None if isinstance(workload, Absent) else workload

    def _demanded(self) -> Literal["mtls", "wpt", "both"]:
        """Where either proof will do, the one that the caller brought: a proof token if there is one."""
        proof: Proof = self.call.binding.proof if self.call.binding else self.call.receiver.proof
        if proof != "any":
            return proof
        if self.found.text(WPT_HEADER) is None and self.present:
            return "mtls"
        return "wpt"

    @property
    def present(self) -> bool:
        return self.leaf is not None or self.hash_only

    @property
    def hash_only(self) -> bool:
        """A listed hop verified the certificate and hands on no more than its hash and URI."""
        return self.from_listed_hop and isinstance(self.forwarded, Forwarded) and self.forwarded.der is None

    def source_may_forward(self) -> bool:
        return self.forwarded is None or (self.from_listed_hop and isinstance(self.forwarded, Forwarded))

    def not_taken_back(self) -> bool:
        policy = self.call.policy
        return (
            policy is None or not isinstance(self.leaf, Leaf) or self.leaf.serial not in policy.denied.serials
        )

    def bound_to_token(self) -> bool:
        """The certificate's key is the token's, or where only a hash is known, the token names that hash."""
        if isinstance(self.leaf, Leaf):
            profile = self.leaf.profile
            return not isinstance(profile, Absent) and profile[1] == self.call.wit.key
        if not self.hash_only or not isinstance(self.forwarded, Forwarded) or self.forwarded.sha256 is None:
            return False
        return b64url(self.forwarded.sha256) == self.call.wit.x5t_s256

    def since_and_until(self) -> tuple[float, float]:
        return (
            (self.leaf.not_before_s, self.leaf.not_after_s)
            if isinstance(self.leaf, Leaf)
            else (self.now_s, self.now_s + 1)
        )

    def in_profile(self) -> bool:
        return not isinstance(self.leaf, Leaf) or not isinstance(self.leaf.profile, Absent)


def _forwarded(found: Found) -> Forwarded | Absent | None:
    """What the hop's headers hold; both at once are `Absent`, as they could say two things."""
    client_cert, xfcc = found.text(CLIENT_CERT_HEADER), found.text(XFCC_HEADER)
    if client_cert is not None and xfcc is not None:
        return Absent("elements")
    if client_cert is not None:
        return parse_client_cert(client_cert)
    return None if xfcc is None else parse_xfcc(xfcc)


PEER: Final[list[tuple[str, Callable[[Peer], bool]]]] = [
    ("forwarded_cert_untrusted_source", Peer.source_may_forward),
    ("peer_cert_untrusted", lambda peer: peer.vouched),
    ("revoked", Peer.not_taken_back),
    ("peer_cert_expired", lambda peer: peer.now_s < peer.since_and_until()[1]),
    ("peer_cert_not_yet_valid", lambda peer: peer.since_and_until()[0] <= peer.now_s),
    ("peer_cert_profile", Peer.in_profile),
    ("peer_id_mismatch", lambda peer: not peer.present or peer.id == peer.call.wit.subject),
    (
        "cert_binding_mismatch",
        lambda peer: not peer.present or peer.demanded != "mtls" or peer.bound_to_token(),
    ),
    ("peer_cert_missing", lambda peer: peer.present or peer.demanded == "wpt"),
]


def refused_peer(peer: Peer) -> str | None:
    """The reason why the certificate is not the caller's, if there is one."""
    return refused(PEER, peer)
