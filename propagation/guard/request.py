"""What a receiver judges, by what, and what comes out. Values only, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, Protocol

from bindtrace.propagation.identity.bundle import Bundle
from bindtrace.propagation.identity.peer import Leaf
from bindtrace.propagation.identity.policy import Binding, Policy, Proof
from bindtrace.propagation.identity.spiffe import Service, Workload
from bindtrace.propagation.identity.wit import Wit
from bindtrace.propagation.vocabulary import CLASS_OF_REASON, Assurance

RawHeaders = tuple[tuple[bytes, bytes], ...]
Listener = Literal["internal", "public"]


class Request(NamedTuple):
    """One request as the server boundary saw it.

    `peer` is the DER of the client certificate where TLS ended here, `source` the address of whoever connected
    (`unix` for a socket file). `path` is without the query.
    """

    headers: RawHeaders
    method: str
    path: str
    peer: bytes | None = None
    source: str = ""

    def __repr__(self) -> str:
        return f"Request({self.method!r}, {self.path!r})"


BOUNDARY: Final = "bindtrace.boundary"
"""ASGI extension that holds a `Stamp`. Guards take it off before they call the application."""


@dataclass(frozen=True, slots=True, repr=False)
class Stamp:
    """A request as it arrived, made at the server boundary; `outermost` is the application that the server calls."""

    headers: RawHeaders
    peer: bytes | None
    source: str
    outermost: object
    age_s: float = 0.0
    """Of the connection."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who is called, as its own configuration says; nothing of this is read from a request.

    `forwarded_from` lists addresses (or `unix`) of hops whose forwarded certificates are believed. `base_url` is
    the external address, where callers are to sign it (`htu`). `other_tokens` are headers of further tokens that a
    proof has to cover. `proof` counts where no policy says more.
    """

    service: Service
    deployment: str
    listener: Listener = "internal"
    exempt_paths: frozenset[str] = frozenset()
    forwarded_from: frozenset[str] = frozenset()
    base_url: str | None = None
    other_tokens: tuple[str, ...] = ()
    proof: Proof = "any"
    policy_required: bool = False
    fail_open_until_s: int = 0
    """Until when calls pass although bundle or policy are missing (seconds since 1970); 0: they do not.

    It is the callee's, as what is missing then is what says which binding a call is of.
    """


@dataclass(frozen=True, slots=True)
class Trust:
    """What the receiver knows of the world at one moment, swapped as a whole.

    `bundles` has every trust domain that may call; None where its bundle never came.
    """

    bundles: Mapping[str, Bundle | None]
    policy: Policy | None = None
    policy_at_s: float = 0.0
    version: tuple[object, ...] = field(init=False, repr=False, compare=False)
    """Of the bundles: what was verified by one is verified anew by the next."""

    def __post_init__(self) -> None:
        sequences = (bundle and bundle.sequence for bundle in self.bundles.values())
        object.__setattr__(self, "version", (*self.bundles, *sequences))


class TrustSource(Protocol):
    """Whoever keeps a receiver's trust current (`bindtrace.propagation.identity_source`)."""

    def current(self) -> Trust:
        """What is known now. Never waits."""

    def news(self) -> Future[bool] | None:
        """Asks the authority once more, at most every 30 s; the future says whether anything changed.

        None where it was asked lately: a flood of unknown keys must not become a flood of questions.
        """


class FixedTrust:
    """Trust that never changes: for tests, and for bundles that a deployment brings along."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust

    def current(self) -> Trust:
        return self._trust

    def news(self) -> None:
        return None


class Judgement(NamedTuple):
    """One reason of the closed list, and what was known when it was reached.

    `wit` is there only when its signature verified; `unverified` is the subject of a token that did not.
    """

    reason: str
    assurance: Assurance = "none"
    wit: Wit | None = None
    unverified: Workload | None = None
    leaf: Leaf | None = None
    peer: Workload | None = None
    binding: Binding | None = None
    via: str | None = None
    proof: str | None = None
    replayed: bool = False
    stripped: Mapping[str, str] = MappingProxyType({})
    """Header names taken off at a public listener, each with the first 128 bits of the SHA-256 of its value."""
    exposed: Workload | None = None
    """The verified subject of a token that came in by the public door."""

    def __repr__(self) -> str:
        """Without the proof: tokens stay out of logs."""
        return f"Judgement({self.reason!r}, {self.assurance!r}, peer={self.peer}, binding={self.binding})"

    @property
    def allowed(self) -> bool:
        return CLASS_OF_REASON[self.reason] == "allowed"
