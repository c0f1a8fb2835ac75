"""Who a certificate or a verified token says is calling: the identity, and the service that its name means.

A SPIFFE ID of ours, of Istio or of anybody, Linkerd's host-like identity, and Envoy's x-forwarded-client-cert. Text in,
values out; nothing is validated here: a receiver did, or nobody did.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

MAX_CHARACTERS: Final = 8192
"""Of a forwarded certificate header; longer text is nobody's identity."""

_LINKERD: Final = re.compile(r"([a-z0-9-]+)\.([a-z0-9-]+)\.serviceaccount\.identity\.[a-z0-9.-]+")
_ELEMENT: Final = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_PAIR: Final = re.compile(r'\s*([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^;]*)')
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._-]+")


class Witness(NamedTuple):
    """One identity: as written, without its deployment, and what its path names."""

    identity: str
    subject: str
    """The identity without a deployment, as manifests and grants write it."""
    service: str | None
    environment: str | None
    deployment: str | None


@lru_cache(maxsize=65536)
def witness_of(text: str) -> Witness | None:
    """The identity in `text`; None where there is none. Never raises."""
    if len(text) > MAX_CHARACTERS:
        return None
    identity = _forwarded(text) if "=" in text else text.strip()
    if not identity:
        return None
    if named := _LINKERD.fullmatch(identity):
        return Witness(identity, identity, named[1], None, None)
    scheme, separator, rest = identity.partition("://")
    if scheme != "spiffe" or not separator:
        return Witness(identity, identity, None, None, None)
    domain, *path = rest.split("/")
    if not domain or not all(map(_SEGMENT.fullmatch, path)):
        return None
    named_by = dict(zip(path[::2], path[1::2], strict=False))
    deployment = named_by.get("deployment")
    subject = identity.removesuffix(f"/deployment/{deployment}")
    service = named_by.get("service") or named_by.get("sa")
    return Witness(identity, subject, service, named_by.get("env"), deployment)


def _forwarded(header: str) -> str | None:
    """The URI of the last element: the nearest peer (Envoy appends; empty `URI=` occurs)."""
    elements = _ELEMENT.findall(header)
    pairs = dict(_PAIR.findall(elements[-1])) if elements else {}
    return next((value.strip('" ') for key, value in pairs.items() if key.lower() == "uri"), None)
