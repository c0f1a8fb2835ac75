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
    index, nearby = PolicyIndex(policies, definitions), _Near(services.values())
    left, told = MAX_ASKED, dict[Grant, None]()
    for callee in dict.fromkeys(service.name for service in services.values()):
        for policy in index.candidates(Known(mesh.known.facts(Call(callee), asks), definitions)):
            if not mesh.may(policy.applies, callee):
                continue
            for clause in policy.clauses:
                near = sorted(nearby.callers(clause.condition, definitions), key=lambda service: service.name)
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


class _Near:
    """Services by the account and the namespace that a condition may ask a caller for."""

    def __init__(self, services: Iterable[_Service]) -> None:
        self.all = frozenset(services)
        self._by: dict[tuple[str, str], set[_Service]] = {}
        for service in self.all:
            workload = service.workload
            for key in zip(_CALLER, (workload.namespace, workload.service_account), strict=True):
                self._by.setdefault(key, set()).add(service)

    def callers(self, condition: Condition, definitions: Mapping[str, Condition]) -> frozenset[_Service]:
        """No caller that may meet it is left out."""
        if condition.op == "named" and condition.field in definitions:
            return self.callers(definitions[condition.field], definitions)
        parts = [self.callers(part, definitions) for part in condition.parts]
        if condition.op == "every":
            return self.all.intersection(*parts)
        if condition.op == "either":
            return frozenset().union(*parts)
        exact = all(matcher.kind == "exact" for matcher in condition.matchers)
        if condition.op == "test" and condition.field in _CALLER and exact:
            keys = ((condition.field, matcher.text) for matcher in condition.matchers)
            return frozenset().union(*(self._by.get(key, ()) for key in keys))
        return self.all


def _exact(condition: Condition, field: str) -> Iterator[str]:
    """The texts that it compares a field with."""
    if condition.op != "negation":
        yield from (matcher.text for matcher in condition.matchers if condition.field == field)
        for part in condition.parts:
            yield from _exact(part, field)


def _service(workload: Workload) -> _Service:
    name = names_of(workload)[0]
    return _Service(f"{name}.{workload.namespace}" if workload.namespace else name, workload)


def _grant(policy: Policy, clause: Clause, caller: str, callee: str) -> Grant:
    methods = tuple(dict.fromkeys(_exact(clause.condition, "method")))
    return Grant(
        policy.platform, "", None, caller, callee, None, policy.file, clause.line, methods=methods, ruled=True
    )
