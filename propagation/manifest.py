"""What manifests say, as values: who may call whom, and what is open to the outside. No I/O here.

Every value carries the file and the line (from 1) that says so. `scope` is the project, mesh or namespace
a file speaks of; the empty string means any. Readers of files are in `platforms`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

Exposed = Literal["public", "internal"]
HostRoad = Literal["private", "public"]
Role = Literal["service", "edge"]


@dataclass(frozen=True, slots=True)
class Grant:
    """`caller` may call `callee`. `binding` is the platform's own name for it, `environment` None means any."""

    platform: str
    scope: str
    environment: str | None
    caller: str
    callee: str
    binding: str | None
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Exposure:
    """A public path leads to `service`.

    `source` is as the manifest writes it, `pattern` the same as a regular expression over the whole path
    (`^…$`, in the common part of Python's `re` and RE2, except where the manifest's own expression leaves it).
    """

    platform: str
    scope: str
    service: str
    source: str
    pattern: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class DeclaredService:
    """A service that a file names. `exposure` None: what the exposures say."""

    platform: str
    scope: str
    service: str
    exposure: Exposed | None
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Host:
    """A host name (lower case, `host`, `host:port` or `*.name`) that leads to `service`; None: the edge itself."""

    host: str
    service: str | None
    road: HostRoad


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
    """All that one file says. `revision` is the first 16 hex digits of the SHA-256 of its bytes."""

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


def revision_of(content: bytes) -> str:
    """First 16 hex digits of the SHA-256 of a file's bytes."""
    return hashlib.sha256(content).hexdigest()[:16]
