"""SPIFFE ids of fixed arity, parsed once into tuples that are compared byte for byte. No I/O, no prefixes of strings.

Grammar: SPIFFE-ID standard section 2; the arity is ours, so that no id is a prefix of another.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from bindtrace.propagation.absent import Absent

MAX_SPIFFE_BYTES: Final = 2048
MAX_OWN_BYTES: Final = 512
MAX_TRUST_DOMAIN_BYTES: Final = 255
SCHEME: Final = "spiffe://"
_TRUST_DOMAIN: Final = re.compile(r"[a-z0-9._-]+", re.ASCII)
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)


class SpiffeId(NamedTuple):
    """Any SPIFFE id: trust domain and path segments."""

    trust_domain: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        return SCHEME + "/".join((self.trust_domain, *self.path))


class Service(NamedTuple):
    """A target, audience or subject of policy; never the subject of a credential."""

    trust_domain: str
    project: str
    environment: str
    service: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.trust_domain}/project/{self.project}/env/{self.environment}/service/{self.service}"


class Workload(NamedTuple):
    """The subject of a credential: one deployment of one service."""

    trust_domain: str
    project: str
    environment: str
    service: str
    deployment: str

    def __str__(self) -> str:
        return (
            f"{SCHEME}{self.trust_domain}/project/{self.project}/env/{self.environment}"
            f"/service/{self.service}/deployment/{self.deployment}"
        )

    @property
    def of_service(self) -> Service:
        return Service(*self[:4])


def authority_id(trust_domain: str) -> Workload:
    """As whom the authority of a trust domain answers; no service can be registered under this project."""
    return Workload(trust_domain, "bindtrace", "authority", "authority", "authority")


def is_segment(text: str) -> bool:
    """Whether `text` may stand between two slashes."""
    return _SEGMENT.fullmatch(text) is not None and text not in (".", "..")


def is_trust_domain(text: str) -> bool:
    return len(text) <= MAX_TRUST_DOMAIN_BYTES and _TRUST_DOMAIN.fullmatch(text) is not None


def parse(text: str) -> SpiffeId | Absent:
    """Any SPIFFE id, or `Absent` with `too_long`, `scheme`, `trust_domain` or `path`."""
    if len(text) > MAX_SPIFFE_BYTES:
        return Absent("too_long")
    if not text.startswith(SCHEME):
        return Absent("scheme")
    trust_domain, *path = text[len(SCHEME) :].split("/")
    if not is_trust_domain(trust_domain):
        return Absent("trust_domain")
    if not all(is_segment(segment) for segment in path):
        return Absent("path")
    return SpiffeId(trust_domain, tuple(path))


def parse_workload(text: str) -> Workload | Absent:
    """A Workload id; also `Absent("arity")` for another SPIFFE id."""
    match _own(text):
        case trust_domain, ("project", project, "env", env, "service", service, "deployment", deployment):
            return Workload(trust_domain, project, env, service, deployment)
        case Absent() as absent:
            return absent
    return Absent("arity")


def parse_service(text: str) -> Service | Absent:
    """A Service id; also `Absent("arity")` for another SPIFFE id."""
    match _own(text):
        case trust_domain, ("project", project, "env", env, "service", service):
            return Service(trust_domain, project, env, service)
        case Absent() as absent:
            return absent
    return Absent("arity")


def _own(text: str) -> SpiffeId | Absent:
    return parse(text) if len(text) <= MAX_OWN_BYTES else Absent("too_long")
