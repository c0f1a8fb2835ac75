"""What a proxy refused by itself, before there was anything to ask about: a certificate that does not count. Pure.

nginx and Caddy send no spans, so that whoever they turn away would not be seen. They tell the endpoint, which leaves
the verdict's span as for any other call, and never lets one of these pass.
"""

from __future__ import annotations

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.guard.forwarded import Forwarded, parse_client_cert, parse_xfcc
from bindtrace.propagation.guard.headers import canonical
from bindtrace.propagation.guard.request import Judgement, Request, Trust
from bindtrace.propagation.identity.peer import Leaf, issued_by, read_leaf
from bindtrace.propagation.vocabulary import CLIENT_CERT_HEADER, XFCC_HEADER

_READERS = {CLIENT_CERT_HEADER: parse_client_cert, XFCC_HEADER: parse_xfcc}


def judge_refused(request: Request, trust: Trust, *, now_s: float) -> Judgement:
    """Why it was refused, by the certificate that was shown; the proxy's own word is not asked.

    `unverified` is whom a certificate of ours names: shown, and not proven to be held.
    """
    leaf = _shown(request)
    if leaf is None:
        return Judgement("peer_cert_missing")
    authorities = [
        authority for bundle in trust.bundles.values() if bundle for authority in bundle.authorities
    ]
    if not isinstance(leaf, Leaf) or not issued_by(leaf, authorities, now_s=now_s):
        return Judgement("peer_cert_untrusted", leaf=leaf if isinstance(leaf, Leaf) else None)
    named = None if isinstance(leaf.profile, Absent) else leaf.profile[0]
    if now_s >= leaf.not_after_s:
        reason = "peer_cert_expired"
    elif now_s < leaf.not_before_s:
        reason = "peer_cert_not_yet_valid"
    else:  # the proxy's own trust is older, or its profile is another
        reason = "peer_cert_untrusted" if named else "peer_cert_profile"
    return Judgement(reason, leaf=leaf, unverified=named)


def _shown(request: Request) -> Leaf | Absent | None:
    """None where nothing was shown; `Absent` where it cannot be read."""
    for name, value in request.headers:
        reader = _READERS.get(canonical(name).decode("latin-1"))
        if reader is None or not value:
            continue
        forwarded = reader(value.decode("latin-1"))
        if isinstance(forwarded, Forwarded) and forwarded.der is not None:
            return read_leaf(forwarded.der)
        return Absent("malformed")
    return None
