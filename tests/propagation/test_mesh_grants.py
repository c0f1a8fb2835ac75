"""What policies of meshes come to by names."""

from __future__ import annotations

from pathlib import Path

from bindtrace.propagation.conditions import ALWAYS, Condition, every
from bindtrace.propagation.conditions import test as shows
from bindtrace.propagation.manifest import Manifest
from bindtrace.propagation.matching import Matcher
from bindtrace.propagation.platforms import kubernetes, mesh_grants
from bindtrace.propagation.platforms.mesh_grants import with_grants
from bindtrace.propagation.policies import Clause, Policy
from bindtrace.propagation.workloads import Workload


def is_(field: str, text: str) -> Condition:
    return shows(field, Matcher("exact", text))


def workload(name: str, namespace: str = "shop") -> Workload:
    return Workload(name, namespace, (("app", name),), f"{name}-account", (("http", 80),), "d.yaml", 1)


def told(
    *clauses: Condition, applies: Condition = ALWAYS, action: str = "allow"
) -> list[tuple[str, str, int]]:
    policy = Policy(
        "istio", "shop", "p", action, 0, applies,  # type: ignore[arg-type]
        tuple(Clause(clause, line) for line, clause in enumerate(clauses, 2)), "p.yaml", 1,
    )  # fmt: skip
    workloads = (workload("web"), workload("orders"), workload("ops", "admin"))
    given = (
        Manifest("p.yaml", "istio", "", "r", policies=(policy,)),
        Manifest("d.yaml", "k", "", "s", workloads=workloads),
    )
    return [(grant.caller, grant.callee, grant.line) for one in with_grants(given) for grant in one.grants]


LEDGER = is_("callee_name", "orders")


def test_an_account_and_a_namespace_become_those_that_have_them() -> None:
    by_account = every(is_("caller_namespace", "shop"), is_("caller_service_account", "web-account"))

    assert told(by_account, applies=LEDGER) == [("web.shop", "orders.shop", 2)]
    assert told(is_("caller_namespace", "admin"), applies=LEDGER) == [("ops.admin", "orders.shop", 2)]


def test_what_only_the_request_tells_is_granted_and_what_nothing_tells_is_not() -> None:
    assert told(is_("method", "GET"), applies=LEDGER) == [("*", "orders.shop", 2)]
    assert told(is_("caller_id", "spiffe://elsewhere/x"), applies=LEDGER) == []


def test_a_port_of_the_callee_is_taken_to_be_called() -> None:
    assert told(ALWAYS, applies=every(LEDGER, is_("port_name", "http"))) == [("*", "orders.shop", 2)]


def test_policies_that_deny_grant_nothing() -> None:
    assert told(ALWAYS, action="deny") == []


def test_too_many_pairs_are_not_looked_at(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(mesh_grants, "MAX_ASKED", 2)

    assert told(is_("caller_namespace", "shop")) == []


def test_grants_stand_in_the_file_of_their_policy() -> None:
    policy = kubernetes.read(
        Path("p.yaml"),
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: shop}\n"
        "spec:\n  rules:\n  - from: [{source: {namespaces: [shop]}}]\n    to: [{operation: {methods: [GET]}}]\n",
    )
    workloads = Manifest("d.yaml", "k", "", "s", workloads=(workload("web"),))

    one, other = with_grants([policy, workloads])

    assert [(g.caller, g.callee, g.file, g.line, g.methods, g.ruled) for g in one.grants] == [
        ("web.shop", "web.shop", "p.yaml", 6, ("GET",), True)
    ]
    assert other.grants == ()
