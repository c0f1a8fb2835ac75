"""What manifests say, as values: who may call whom, and what is open to the outside. No I/O here.

Every value carries the file and the line (from 1) that says so. `scope` is the project, mesh or namespace
a file speaks of; the empty string means any. Readers of files are in `platforms`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

from bindtrace.propagation.policies import Definition, Policy
from bindtrace.propagation.vocabulary import HopKind, Protection
from bindtrace.propagation.workloads import Workload

ANY: Final = "*"
"""As caller or callee of a grant: whoever it is."""

Exposed = Literal["public", "internal"]
HostRoad = Literal["private", "public"]
Role = Literal["service", "edge"]
Action = Literal["allow", "deny", "audit"]
GrantRoad = Literal["binding", "public"]
ExposureKind = Literal["route", "domain", "default-domain", "preview", "gateway", "listener"]
RangeKind = Literal["internal", "public", "egress"]


@dataclass(frozen=True, slots=True)
class Grant:
    """`caller` may call `callee`, or with another `action` may not. `environment` None means any.

    `binding` is the platform's own name for it. Of what is empty or None nothing is asked. Paths are regular
    expressions over the whole path, as in `Exposure`.
    """

    platform: str
    scope: str
    environment: str | None
    caller: str
    callee: str
    binding: str | None
    file: str
    line: int
    action: Action = "allow"
    kind: HopKind = "call"
    road: GrantRoad = "binding"
    """`public`: declared to go by the callee's public name, as between projects."""
    callee_scope: str | None = None
    """None: the scope of the caller."""
    entrypoint: str | None = None
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    protection: Protection | None = None
    """The least that the call must be protected by: `tls` or `mtls`."""
    used_within_days: int | None = None
    """A grant that is used this seldom is not unused yet."""
    traced: bool = True
    """False: no trace shows calls by it, so that it never counts as unused."""
    ruled: bool = False
    """A mesh's policy says so, which judges by itself; the grant only tells what that comes to by names."""


@dataclass(frozen=True, slots=True)
class Default:
    """What a platform does with a call that no grant speaks of; `service` None: any callee of the scope."""

    platform: str
    scope: str
    service: str | None
    action: Action
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Exposure:
    """A public path leads to `service`.

    `source` is as the manifest writes it, `pattern` the same as a regular expression over the whole path
    (`^…$`, in the common part of Python's `re` and RE2, except where the manifest's own expression leaves it).
    `host` (as in `Host`) None: any public host of the scope.
    """

    platform: str
    scope: str
    service: str
    source: str
    pattern: str
    file: str
    line: int
    kind: ExposureKind = "route"
    host: str | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class DeclaredService:
    """A service that a file names. `exposure` None: what the exposures say."""

    platform: str
    scope: str
    service: str
    exposure: Exposed | None
    file: str
    line: int
    environment: str | None = None
    sensitive: bool = False
    """Its data makes an undeclared call to it worse."""
    protection: Protection | None = None
    """The least that any call to it must be protected by."""
    outside: bool = False
    """Runs at its users' (a browser, a mobile app): its traces enter, and are no spoof."""
    forwarder: bool = False
    """Sends on the telemetry of others, a collector or gateway: what it sends is claimed."""
    delegates_for: tuple[str, ...] = ()
    """Services in whose name it calls."""
    environments: tuple[str, ...] = ()
    """Environments beside its own that share it: their calls to it cross no border."""
    only_through: tuple[str, ...] = ()
    """One of these services must be on every chain that reaches it."""
    issuer: bool = False
    """An authority: what it tells of credentials is believed where it proved to be this service."""


@dataclass(frozen=True, slots=True)
class Alias:
    """A name of one platform (a virtual service, a queue) that leads to `service`; grants to it lead there.

    `service` may be a reference to another such name. `service_scope` None: as `scope`.
    """

    platform: str
    scope: str
    name: str
    service: str
    file: str
    line: int
    service_scope: str | None = None


@dataclass(frozen=True, slots=True)
class Host:
    """A host name, lower case, `*` for any text in it, that leads to `service`; None: to the edge itself."""

    host: str
    service: str | None
    road: HostRoad
    platform: str = ""
    scope: str = ""
    environment: str | None = None
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class AddressRange:
    """Addresses (CIDR) that are `internal` or `public` whatever their class, or by which `service` goes out."""

    cidr: str
    kind: RangeKind
    service: str | None
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Probe:
    """Calls of a checker (load balancer, uptime, log shipper), which are no service's: all that is said must hold."""

    name: str
    cidrs: tuple[str, ...]
    user_agent: str | None
    paths: tuple[str, ...]
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Match:
    """Telemetry with the resource attribute `attribute` = `value` is of this service, or of this edge."""

    service: str
    role: Role
    attribute: str
    value: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """Findings that somebody accepted, why, and until when; None as caller or callee means any."""

    rule: str
    caller: str | None
    callee: str | None
    reason: str
    until_unix_nano: int
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a file that its author should repair. `fatal`: the file must not be judged by as it is.

    `column` (from 1) only where a file could not be parsed.
    """

    file: str
    line: int
    code: str
    message: str
    fix: str
    fatal: bool
    column: int | None = None

    @property
    def place(self) -> str:
        """`FILE:LINE`, or `FILE:LINE:COLUMN`."""
        return f"{self.file}:{self.line}" + ("" if self.column is None else f":{self.column}")

    def __str__(self) -> str:
        return f"{self.place}: {self.message} fix: {self.fix}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that one file says. `revision` is the first 16 hex digits of the SHA-256 of its bytes.

    `deployment` is the platform's id of the deployment or version that the file is of, where it says; `max_hops` how
    long a chain may be.
    """

    file: str
    platform: str
    scope: str
    revision: str
    services: tuple[DeclaredService, ...] = ()
    grants: tuple[Grant, ...] = ()
    exposures: tuple[Exposure, ...] = ()
    hosts: tuple[Host, ...] = ()
    matches: tuple[Match, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    problems: tuple[Problem, ...] = ()
    defaults: tuple[Default, ...] = ()
    aliases: tuple[Alias, ...] = ()
    ranges: tuple[AddressRange, ...] = ()
    probes: tuple[Probe, ...] = ()
    deployment: str | None = None
    max_hops: int | None = None
    policies: tuple[Policy, ...] = ()
    definitions: tuple[Definition, ...] = ()
    workloads: tuple[Workload, ...] = ()


REFERENCE_KINDS: Final = (
    "virtual-node", "virtual-service", "virtual-router", "virtual-gateway", "backend-group",
)  # fmt: skip


def reference(kind: str, name: str) -> str:
    """Something of a platform by its kind and name, which an alias leads on from."""
    return f"{kind} {name}"


def plain_name(text: str) -> str:
    """The name in a reference, without kind and namespace; any other text as it is."""
    kind, _, name = text.partition(" ")
    return name.rpartition("/")[2] if kind in REFERENCE_KINDS else text


def revision_of(content: bytes) -> str:
    """First 16 hex digits of the SHA-256 of a file's bytes."""
    return hashlib.sha256(content).hexdigest()[:16]
