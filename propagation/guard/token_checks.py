"""Is this an identity token of a domain that we trust, and is it good now. Ordered tables of reasons.

What the bytes alone decide is kept per token and bundle; times and what is taken back are asked every time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.guard.memory import NEGATIVE_S, Memory
from bindtrace.propagation.guard.request import Trust
from bindtrace.propagation.guard.tables import refused
from bindtrace.propagation.identity import wit as wits
from bindtrace.propagation.identity.bundle import Bundle, TokenKey
from bindtrace.propagation.identity.compact import ALGORITHM, Compact, take_apart
from bindtrace.propagation.identity.jose import verifies
from bindtrace.propagation.identity.spiffe import SCHEME, Workload, parse_workload
from bindtrace.propagation.identity.wit import Wit
from bindtrace.propagation.vocabulary import CLASS_OF_REASON

LEEWAY_S: Final = 30


class Token:
    """One token being read; each attribute is there once the rows above have passed."""

    compact: Compact
    subject: Workload
    bundle: Bundle
    entry: TokenKey
    wit: Wit

    def __init__(self, text: str, trust: Trust, now_s: float) -> None:
        self.text, self.trust, self.now_s = text, trust, now_s

    def well_formed(self) -> bool:
        compact = take_apart(self.text)
        if isinstance(compact, Absent):
            return False
        self.compact = compact
        return True

    def names_a_workload(self) -> bool:
        """The subject is not verified here: it selects the trust domain whose keys may verify it."""
        claimed = self.compact.claims.get("sub")
        subject = parse_workload(claimed) if isinstance(claimed, str) else Absent("sub")
        if isinstance(subject, Absent):
            return False
        self.subject = subject
        return True

    def has_a_bundle(self) -> bool:
        bundle = self.trust.bundles[self.subject.trust_domain]
        if bundle is None:
            return False
        self.bundle = bundle
        return True

    def has_a_key(self) -> bool:
        """By `kid`, in that trust domain, for this use, and not past its own end."""
        kid = self.compact.header.get("kid")
        entry = self.bundle.token_keys.get(kid) if isinstance(kid, str) else None
        if entry is None or entry.not_after_s <= self.now_s:
            return False
        self.entry = entry
        return True

    def has_claims(self) -> bool:
        claims = wits.read_claims(self.compact)
        if isinstance(claims, Absent):
            return False
        self.wit = claims
        return True


AUTHENTICITY: Final[list[tuple[str, Callable[[Token], bool]]]] = [
    ("credential_malformed", Token.well_formed),
    ("header_forbidden", lambda token: token.compact.header.keys() <= wits.HEADER_MEMBERS),
    ("typ_mismatch", lambda token: token.compact.header.get("typ") == wits.TYP),
    ("alg_not_allowed", lambda token: token.compact.header.get("alg") == ALGORITHM),
    ("subject_malformed", Token.names_a_workload),
    ("trust_domain_unknown", lambda token: token.subject.trust_domain in token.trust.bundles),
    ("bundle_unavailable", Token.has_a_bundle),
    ("bundle_stale", lambda token: token.now_s < token.bundle.usable_until_s),
    ("key_unknown", Token.has_a_key),
    ("signature_invalid", lambda token: verifies(token.compact, token.entry.key)),
    ("claims_invalid", Token.has_claims),
    ("issuer_mismatch", lambda token: token.wit.issuer == SCHEME + token.subject.trust_domain),
]
"""Reason, and what has to hold; the first that does not is the answer."""


def taken_back(wit: Wit, trust: Trust) -> bool:
    """Whether the deny snapshot names this token, its deployment, or the epoch of its binding."""
    if trust.policy is None:
        return False
    denied = trust.policy.denied
    return (
        wit.jti in denied.tokens
        or wit.subject.deployment in denied.deployments
        or wit.granted.epoch < denied.epochs.get(wit.granted.binding, 0)
    )


TIMES: Final[list[tuple[str, Callable[[Wit, Trust, float], bool]]]] = [
    (
        "not_yet_valid",
        lambda wit, _, now_s: max(wit.not_before_s, wit.issued_at_s) <= now_s + LEEWAY_S,
    ),
    ("expired", lambda wit, _, now_s: now_s - LEEWAY_S < wit.expires_s),
    ("lifetime_exceeded", lambda wit, _, now_s: wit.expires_s - wit.not_before_s <= wits.MAX_LIFE_S),
    ("revoked", lambda wit, trust, _: not taken_back(wit, trust)),
]


def authenticate(text: str, trust: Trust, memory: Memory, now_s: float) -> Wit | Absent:
    """The verified claims, or the reason why there are none; times are still to be asked (`in_time`)."""
    good = text, trust.version
    if (known := memory.tokens.get(good, now_s)) is not None:
        return known
    bad = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest(), trust.version
    if (refusal := memory.refused_tokens.get(bad, now_s)) is not None:
        return refusal
    token = Token(text, trust, now_s)
    reason = refused(AUTHENTICITY, token)
    if reason is None:
        memory.tokens.put(good, token.wit, min(token.wit.expires_s + LEEWAY_S, token.entry.not_after_s))
        return token.wit
    absent = Absent(reason)
    if CLASS_OF_REASON[reason] != "system":  # a bundle that is missing may come any moment
        memory.refused_tokens.put(bad, absent, now_s + NEGATIVE_S)
    return absent


def in_time(wit: Wit, trust: Trust, now_s: float) -> str | None:
    """The reason why a verified token is not good now, if there is one."""
    return refused(TIMES, wit, trust, now_s)


def claimed_subject(text: str) -> Workload | None:
    """Who a token that did not pass says it is of; never to be decided by."""
    compact = take_apart(text)
    if isinstance(compact, Absent):
        return None
    subject = compact.claims.get("sub")
    workload = parse_workload(subject) if isinstance(subject, str) else None
    return None if isinstance(workload, Absent) else workload
