"""The policy snapshot: bindings, live deployments, and what is denied. Read from and written as JSON. No I/O.

A snapshot is optional at a receiver; where there is one, the stricter of token and snapshot wins.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.identity.compact import is_whole_number
from bindtrace.propagation.identity.encoding import read_object
from bindtrace.propagation.identity.spiffe import Service, parse_service
from bindtrace.propagation.vocabulary import Mode

Proof = Literal["any", "mtls", "wpt", "both"]
Replay = Literal["refuse", "report"]
MAX_POLICY_BYTES: Final = 4 * 1024 * 1024
MAX_DENIED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Route:
    """Requests with this method (`*`: any) and a path that is `prefix`, or continues it at a slash."""

    method: str
    prefix: str

    def matches(self, method: str, path: str) -> bool:
        if self.method not in ("*", method):
            return False
        stem = self.prefix.rstrip("/")
        return path == self.prefix or path == stem or path.startswith(stem + "/")


@dataclass(frozen=True, slots=True)
class Binding:
    """One declared right to call. No `routes` means every route; `mode` can only weaken that of the guard."""

    id: str
    caller: Service
    callee: Service
    epoch: int
    active: bool = True
    proof: Proof = "any"
    replay: Replay = "refuse"
    routes: tuple[Route, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    """Pinned (caller deployment, callee deployment); empty: any that is live."""
    mode: Mode = "enforce"


@dataclass(frozen=True, slots=True)
class DeniedNow:
    """What was taken back before it ended. `epochs`: per binding, the lowest epoch that is still good."""

    deployments: frozenset[str] = frozenset()
    tokens: frozenset[str] = frozenset()
    serials: frozenset[str] = frozenset()
    epochs: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Policy:
    """`deployments` are the live ones per service, active or in grace; a service that is not listed has any."""

    sequence: int
    bindings: Mapping[str, Binding]
    deployments: Mapping[Service, frozenset[str]]
    denied: DeniedNow


def parse(content: bytes) -> Policy | Absent:
    """The snapshot, or `Absent` with `length`, `json` or `policy`: half a policy is none."""
    if len(content) > MAX_POLICY_BYTES:
        return Absent("length")
    document = read_object(content, max_depth=6)
    if isinstance(document, Absent):
        return document
    try:
        return _policy(document)
    except (KeyError, TypeError, ValueError, AttributeError):
        return Absent("policy")


def _policy(document: dict[str, Any]) -> Policy:
    denied = document["denied"]
    bindings = [_binding(entry) for entry in document["bindings"]]
    if sum(len(entries) for entries in denied.values()) > MAX_DENIED:
        raise ValueError("more is denied than a snapshot may hold")
    return Policy(
        sequence=_whole(document["sequence"]),
        bindings=MappingProxyType({binding.id: binding for binding in bindings}),
        deployments=MappingProxyType(
            {_service(name): frozenset(live) for name, live in document["deployments"].items()}
        ),
        denied=DeniedNow(
            frozenset(denied["deployments"]),
            frozenset(denied["tokens"]),
            frozenset(denied["serials"]),
            MappingProxyType({name: _whole(epoch) for name, epoch in denied["epochs"].items()}),
        ),
    )


def _binding(entry: dict[str, Any]) -> Binding:
    for name, kind in (("proof", Proof), ("replay", Replay), ("mode", Mode)):
        if entry[name] not in get_args(kind):
            raise ValueError(f"`{entry[name]}` is no {name} of a binding")
    return Binding(
        id=entry["id"],
        caller=_service(entry["caller"]),
        callee=_service(entry["callee"]),
        epoch=_whole(entry["epoch"]),
        active=entry["active"] is True,
        proof=entry["proof"],
        replay=entry["replay"],
        routes=tuple(Route(method, prefix) for method, prefix in entry["routes"]),
        pairs=tuple((caller, callee) for caller, callee in entry["pairs"]),
        mode=entry["mode"],
    )


def _service(text: str) -> Service:
    service = parse_service(text)
    if isinstance(service, Absent):
        raise ValueError(f"`{text}` is not a Service id: {service.reason}")
    return service


def _whole(value: Any) -> int:
    if not is_whole_number(value):
        raise ValueError("not a whole number")
    return int(value)


def serialize(policy: Policy) -> bytes:
    """The same snapshot as JSON; equal snapshots give equal bytes."""
    denied = policy.denied
    document = {
        "sequence": policy.sequence,
        "bindings": [_entry(binding) for _, binding in sorted(policy.bindings.items())],
        "deployments": {str(name): sorted(live) for name, live in sorted(policy.deployments.items())},
        "denied": {
            "deployments": sorted(denied.deployments),
            "tokens": sorted(denied.tokens),
            "serials": sorted(denied.serials),
            "epochs": dict(sorted(denied.epochs.items())),
        },
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def _entry(binding: Binding) -> dict[str, Any]:
    return {
        "id": binding.id,
        "caller": str(binding.caller),
        "callee": str(binding.callee),
        "epoch": binding.epoch,
        "active": binding.active,
        "proof": binding.proof,
        "replay": binding.replay,
        "routes": [[route.method, route.prefix] for route in binding.routes],
        "pairs": [list(pair) for pair in binding.pairs],
        "mode": binding.mode,
    }
