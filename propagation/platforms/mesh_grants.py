"""Policies of meshes as grants, where names tell it: which workload may call which, by which line. No I/O.

Policies judge; these grants say for people and reports what those that allow come to. A policy speaks of labels and
service accounts, which the workloads of the same manifests have. A service is named as Istio's telemetry names it,
`name.namespace`. What a policy that denies takes away again is not taken away here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bindtrace.propagation.conditions import Condition, Known
from bindtrace.propagation.manifest import ANY, Grant, Manifest
from bindtrace.propagation.policies import Clause, Policy
from bindtrace.propagation.policy_index import PolicyIndex
from bindtrace.propagation.workloads import IN_OWN_DOMAIN, OWN_DOMAIN, Call, Workload, Workloads, names_of

OF_THE_REQUEST: Final = frozenset(
    {"method", "path", "host", "port", "port_name", "listener_port", "protection"}
)
"""Fields that no manifest can know: a grant for some requests is a grant."""
MAX_ASKED: Final = 200_000
"""Pairs of workloads that are looked at: some seconds. Above, policies judge all the same, and no grant is told."""

_CALLER: Final = ("caller_namespace", "caller_service_account")


@dataclass(frozen=True, slots=True)
class _Service:
    name: str
    workload: Workload


def with_grants(manifests: Sequence[Manifest]) -> tuple[Manifest, ...]:
    """The same manifests, each with the grants that its own policies come to among all of their workloads."""
    workloads = [workload for manifest in manifests for workload in manifest.workloads]
    policies = [p for manifest in manifests for p in manifest.policies if p.action == "allow" and p.enforced]
    if not workloads or not policies:
        return tuple(manifests)
    definitions = {OWN_DOMAIN: IN_OWN_DOMAIN}
    definitions |= {d.name: d.condition for manifest in manifests for d in manifest.definitions}
    found: dict[str, list[Grant]] = {}
    for grant in _grants(policies, definitions, workloads):
        found.setdefault(grant.file, []).append(grant)
    return tuple(
        replace(manifest, grants=(*manifest.grants, *found[manifest.file]))
        if manifest.file in found
        else manifest
        for manifest in manifests
    )


@dataclass(slots=True)
class _Mesh:
    """The workloads by name, and what conditions of policies are asked of them."""

    known: Workloads
    definitions: Mapping[str, Condition]
    asks: frozenset[str]

    def may(self, condition: Condition, callee: str, caller: str | None = None) -> bool:
        """Whether it holds, or only the request can tell."""
        facts = Known(self.known.facts(Call(callee, caller), self.asks), self.definitions)
        answer = condition.answer(facts)
        return answer.holds or (answer.holds is None and answer.missing <= OF_THE_REQUEST)


def _grants(
    policies: Sequence[Policy], definitions: Mapping[str, Condition], workloads: Sequence[Workload]
) -> dict[Grant, None]:
    asks = frozenset().union(*(policy.applies.fields(definitions) for policy in policies))
    mesh = _Mesh(Workloads(workloads), definitions, asks)
    services = {(s.name, s.workload.service_account): s for s in map(_service, workloads)}
    index = PolicyIndex(policies, definitions)
    left, told = MAX_ASKED, dict[Grant, None]()
    for callee in dict.fromkeys(service.name for service in services.values()):
        for policy in index.candidates(Known(mesh.known.facts(Call(callee), asks), definitions)):
            if not mesh.may(policy.applies, callee):
                continue
            for clause in policy.clauses:
                near = _near(clause.condition, definitions, services.values())
                left -= len(near)
                if left < 0:
                    return {}
                callers = _callers(mesh, clause.condition, callee, near)
                told |= {_grant(policy, clause, caller, callee): None for caller in callers}
    return told


def _callers(mesh: _Mesh, condition: Condition, callee: str, near: Iterable[_Service]) -> list[str]:
    """Names of those that may call; whoever it is, where the clause asks nothing of the caller."""
    if mesh.may(condition, callee):
        return [ANY]
    return [service.name for service in near if mesh.may(condition, callee, service.name)]


def _near(
    condition: Condition, definitions: Mapping[str, Condition], services: Iterable[_Service]
) -> list[_Service]:
    """Those that a condition may be about: of its namespaces, or with its accounts; all where it names neither."""
    wanted = {field: set(_exact(condition, field, definitions)) for field in _CALLER}
    if not any(wanted.values()):
        return list(services)
    return [
        service
        for service in services
        if service.workload.namespace in wanted["caller_namespace"]
        or service.workload.service_account in wanted["caller_service_account"]
    ]


def _exact(condition: Condition, field: str, definitions: Mapping[str, Condition]) -> Iterator[str]:
    """The texts that it compares a field with."""
    if condition.op == "named" and condition.field in definitions:
        yield from _exact(definitions[condition.field], field, definitions)
    if condition.op == "negation":
        return
    yield from (matcher.text for matcher in condition.matchers if condition.field == field)
    for part in condition.parts:
        yield from _exact(part, field, definitions)


def _service(workload: Workload) -> _Service:
    name = names_of(workload)[0]
    return _Service(f"{name}.{workload.namespace}" if workload.namespace else name, workload)


def _grant(policy: Policy, clause: Clause, caller: str, callee: str) -> Grant:
    methods = tuple(dict.fromkeys(_exact(clause.condition, "method", {})))
    return Grant(
        policy.platform, "", None, caller, callee, None, policy.file, clause.line, methods=methods, ruled=True
    )
