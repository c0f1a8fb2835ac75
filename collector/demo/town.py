"""The authority of a guarded demo: who may call whom, an invitation a process, and what an intruder has found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bindtrace.collector.demo import plan
from bindtrace.collector.demo.stage import Stage
from bindtrace.propagation.absent import Absent
from bindtrace.propagation.authority.issuing import Authority, initialise
from bindtrace.propagation.authority.key_files import write_private
from bindtrace.propagation.authority.rotation import Lives
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.identity import certificates, keys
from bindtrace.propagation.identity.policy import Binding
from bindtrace.propagation.identity.spiffe import Workload
from bindtrace.propagation.platforms import read_manifests
from bindtrace.propagation.vocabulary import Mode
from bindtrace.propagation.workload import joining
from bindtrace.propagation.workload.identity import Identity

TRUST_DOMAIN: Final = "shop.example"
FOUNDED_BEFORE_S: Final = 3600
"""The authority is an hour old, so that there is a token that has expired."""


@dataclass(frozen=True, slots=True)
class Town:
    """`directory` is the authority's, `folder` that of invitations; `address` is where it listens."""

    folder: Path
    directory: Path
    address: str

    def invite(self, name: str) -> Path:
        """A new invitation for that service, to be used once."""
        opened = Authority(self.directory)
        path = self.folder / f"{name}-{len(list(self.folder.glob(f'{name}-*')))}.join"
        secret = opened.invite(workload(name), _now_s())
        joining.write(path, joining.Invitation(self.address, workload(name), secret, opened.bundle()))
        opened.store.close()
        return path

    def environment(self, name: str, mode: Mode) -> Mapping[str, str]:
        """What makes a part of the shop a guarded one; nothing for one that is no service of ours."""
        if name not in members():
            return {}
        return {
            "SHOP_JOIN": str(self.invite(name)),
            "SHOP_MODE": mode,
            "SHOP_LISTENER": "public" if name == "edge" else "internal",
            "SHOP_FOUND": str(self.folder / "found.json"),
        }


def members() -> tuple[str, ...]:
    """All parts that have an identity: those with telemetry."""
    return tuple(part.name for part in plan.PARTS if part.protocol != "none")


def workload(name: str) -> Workload:
    return Workload(TRUST_DOMAIN, "shop", "production", name, "1")


def found(folder: Path, stage: Stage) -> Town:
    """A new authority that grants what the manifests do, and to the edge what it forwards to. It does not run yet."""
    since_s = _now_s() - FOUNDED_BEFORE_S
    authority = initialise(folder / "ca", TRUST_DOMAIN, Lives(), since_s)
    for name in members():
        authority.register(workload(name), since_s)
    manifests = read_manifests(stage.manifests)
    calls = {(grant.caller, grant.callee) for manifest in manifests for grant in manifest.grants}
    calls |= {("edge", exposure.service) for manifest in manifests for exposure in manifest.exposures}
    for caller, callee in sorted(calls):
        services = workload(caller).of_service, workload(callee).of_service
        authority.bind(Binding(f"production.{caller}.{callee}", *services, 1))
    expired = _token(authority, "orders", "inventory", since_s)
    authority.store.close()
    with plan.bound_socket(0) as probe:
        address = plan.host_of(probe)
    write_private(folder / "expired", expired.encode("ascii"))
    return Town(folder, folder / "ca", address)


def leak(town: Town) -> None:
    """What the intruder finds: an old token of the orders, and one that the catalog left in its logs."""
    catalog = Identity.join(town.invite("catalog"))
    token = catalog.generation.tokens[catalog.callee("inventory"), "mtls"].text
    catalog.close()
    expired = (town.folder / "expired").read_text("ascii")
    loot = json.dumps({"expired": expired, "of-catalog": token})
    write_private(town.folder / "found.json", loot.encode("ascii"))


def _token(authority: Authority, caller: str, callee: str, now_s: int) -> str:
    """One that was issued at that time."""
    requests = [certificates.request(keys.generate()) for _ in range(2)]
    issued = authority.join(authority.invite(workload(caller), now_s), requests, now_s)
    assert not isinstance(issued, Absent)
    wanted = str(workload(callee).of_service)
    return next(token.token for token in issued.tokens if token.callee == wanted)


def _now_s() -> int:
    return now_unix_nano() // 10**9
