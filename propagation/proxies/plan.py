"""What a proxy in front of one service is to do, as its manifests and options say. Values only, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.identity.spiffe import Service
from bindtrace.propagation.manifest import Grant, Manifest
from bindtrace.propagation.vocabulary import Mode

ProxyProof = Literal["mtls", "wpt"]


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who may call, by which binding; no methods or paths: every request. Paths are whole regular expressions."""

    binding: str
    service: Service
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Callee:
    """Who is called: the sidecar listens at `local` for it, and finds it at `address`."""

    binding: str
    variable: str | None
    service: Service
    local: Address
    address: Address


@dataclass(frozen=True, slots=True)
class Sidecar:
    """One proxy beside `service`. `files` is where its credentials are kept (`files.CredentialFiles`)."""

    service: Service
    files: Path
    mode: Mode
    proof: ProxyProof
    app: Address
    inbound: Address | None
    public: Address | None
    callers: tuple[Caller, ...]
    callees: tuple[Callee, ...]
    collector: Address | None
    authz: Address
    leaf_life_s: int = 3600
    follows_registry: bool = False
    """Whether callees are found by the files that `running.py` keeps up to date, instead of by their address."""

    @property
    def connection_age_s(self) -> int:
        return connection_age_s(self.leaf_life_s)

    @property
    def resource(self) -> dict[str, str]:
        """What its telemetry says of the service beside its name."""
        return {
            "deployment.environment.name": self.service.environment,
            "service.namespace": self.service.project,
        }


def connection_age_s(leaf_life_s: int) -> int:
    """After how long a connection ends: its certificate, renewed by 0.55 of its life, is still good then."""
    return max(1, leaf_life_s * 2 // 5)


def address(text: str) -> Address:
    """`HOST:PORT`. Raises Refusal."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise Refusal(f"`{text}` is not an address", fix="give HOST:PORT, such as 127.0.0.1:8443.")
    return Address(host.strip("[]"), int(port))


def binding_id(environment: str, caller: str, callee: str) -> str:
    """As `bindtrace authority register` names the binding of a grant."""
    return f"{environment}.{caller}.{callee}"


def callers_of(manifests: Iterable[Manifest], own: Service) -> tuple[Caller, ...]:
    """Everybody whom a grant of this environment lets call `own`, a row a grant."""
    return tuple(
        Caller(
            binding_id(own.environment, grant.caller, grant.callee),
            own._replace(service=grant.caller),
            grant.methods,
            grant.paths,
        )
        for grant in _grants(manifests, own)
        if grant.callee == own.service
    )


def callees_of(
    manifests: Iterable[Manifest], own: Service, addresses: Mapping[str, Address], local: Address
) -> tuple[Callee, ...]:
    """Every granted callee that has an address; their local ports count up from that of `local`, by name."""
    granted = {grant.callee: grant for grant in _grants(manifests, own) if grant.caller == own.service}
    if strangers := sorted(addresses.keys() - granted.keys()):
        raise Refusal(
            f"no manifest grants {own.service} a call to {strangers[0]} in {own.environment}",
            fix=f"declare it, or leave `--callee {strangers[0]}=…` out.",
        )
    return tuple(
        Callee(
            binding_id(own.environment, own.service, name),
            granted[name].binding,
            own._replace(service=name),
            Address(local.host, local.port + place),
            addresses[name],
        )
        for place, name in enumerate(sorted(addresses))
    )


def granted_callees(manifests: Iterable[Manifest], own: Service) -> dict[str, str]:
    """Everybody whom `own` may call, each with the variable that leads there."""
    return {
        grant.callee: grant.binding or f"{re.sub('[^A-Z0-9]', '_', grant.callee.upper())}_URL"
        for grant in _grants(manifests, own)
        if grant.caller == own.service
    }


def _grants(manifests: Iterable[Manifest], own: Service) -> list[Grant]:
    return [
        grant
        for manifest in manifests
        for grant in manifest.grants
        if grant.action == "allow" and grant.kind == "call" and grant.environment in (None, own.environment)
    ]
