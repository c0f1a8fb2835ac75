"""Istio's policies as calls meet them, with their lines and problems."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from reading_istio import read

from bindtrace.propagation.platforms import kubernetes
from bindtrace.propagation.workloads import Call


def problems(text: str) -> list[tuple[int, str, bool]]:
    found = kubernetes.read(Path("policy.yaml"), dedent(text)).problems
    return [(problem.line, problem.code, problem.fatal) for problem in found]


POLICY = """
    apiVersion: security.istio.io/v1
    kind: AuthorizationPolicy
    metadata: {{name: ledger, namespace: shop}}
    spec:
      selector: {{matchLabels: {{app: ledger}}}}
      action: {action}
      rules:
      - {rule}
    """


def judged(rule: str, action: str = "ALLOW", **shown: str) -> str:
    return read(POLICY.format(rule=rule, action=action)).judge(Call("ledger.shop", **shown)).verdict  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "shown", "verdict"),
    [
        (
            "to: [{operation: {methods: [GET, HEAD], paths: [/v1/*]}}]",
            {"method": "GET", "path": "/v1/x"},
            "allowed",
        ),
        (
            "to: [{operation: {methods: [GET, HEAD], paths: [/v1/*]}}]",
            {"method": "GET", "path": "/v2"},
            "denied",
        ),
        ("to: [{operation: {methods: [GET, HEAD], paths: [/v1/*]}}]", {"method": "GET"}, "unknown"),
        ("to: [{operation: {methods: [GET, HEAD], paths: [/v1/*]}}]", {"method": "POST"}, "denied"),
        ("to: [{operation: {paths: ['/{*}/pay/{**}']}}]", {"path": "/v1/pay/a/b"}, "allowed"),
        ("to: [{operation: {paths: ['*/pay']}}]", {"path": "/v1/pay"}, "allowed"),
        ("to: [{operation: {notPaths: [/admin*]}}]", {"path": "/admin/x"}, "denied"),
        ("to: [{operation: {notPaths: [/admin*]}}]", {"path": "/v1"}, "allowed"),
        ("to: [{operation: {ports: ['8080']}}]", {"port": "8080"}, "allowed"),
        ("to: [{operation: {ports: [8080]}}]", {"port": "81"}, "denied"),
        ("to: [{operation: {hosts: ['*.shop.example']}}]", {"host": "API.shop.example"}, "allowed"),
        ("from: [{source: {namespaces: [web]}}]", {"caller": "front.web"}, "allowed"),
        ("from: [{source: {namespaces: [web]}}]", {"caller": "front.other"}, "denied"),
        ("from: [{source: {namespaces: [web]}}]", {"caller": "front"}, "unknown"),
        ("from: [{source: {namespaces: [web]}}]", {"caller": "front", "caller_namespace": "web"}, "allowed"),
        (
            "from: [{source: {principals: [cluster.local/ns/web/sa/front]}}]",
            {"caller": "front.other"},
            "denied",
        ),
        (
            "from: [{source: {principals: [cluster.local/ns/web/sa/front]}}]",
            {"caller": "front.web"},
            "unknown",
        ),
        (
            "from: [{source: {principals: [cluster.local/ns/web/sa/front]}}]",
            {"caller_id": "spiffe://cluster.local/ns/web/sa/front"},
            "allowed",
        ),
        (
            "from: [{source: {serviceAccounts: [payer]}}]",
            {"caller_id": "spiffe://x/ns/shop/sa/payer"},
            "allowed",
        ),
        (
            "from: [{source: {serviceAccounts: [web/payer]}}]",
            {"caller_id": "spiffe://x/ns/shop/sa/payer"},
            "denied",
        ),
        ("from: [{source: {ipBlocks: [10.0.0.0/8, 192.0.2.7]}}]", {"source_address": "192.0.2.7"}, "allowed"),
        ("from: [{source: {notIpBlocks: [10.0.0.0/8]}}]", {"source_address": "10.0.0.1"}, "denied"),
        ("from: [{source: {requestPrincipals: ['*']}}]", {"caller": "front.web"}, "unknown"),
        ("when: [{key: 'request.headers[x-team]', values: [a]}]", {"caller": "front.web"}, "unknown"),
        ("when: [{key: source.namespace, notValues: [web]}]", {"caller": "front.web"}, "denied"),
        ("from: [{source: {namespaces: [web]}}, {source: {namespaces: [b]}}]", {"caller": "x.b"}, "allowed"),
        (
            "{from: [{source: {namespaces: [web]}}], to: [{operation: {methods: [GET]}}]}",
            {"caller": "x.web", "method": "POST"},
            "denied",
        ),
    ],
)
def test_what_a_rule_asks(rule: str, shown: dict[str, str], verdict: str) -> None:
    assert judged(rule, **shown) == verdict


def test_a_denial_by_a_rule() -> None:
    assert judged("to: [{operation: {methods: [DELETE]}}]", "DENY", method="DELETE") == "denied"
    assert judged("to: [{operation: {methods: [DELETE]}}]", "DENY", method="GET") == "allowed"


def test_a_custom_policy_asks_somebody_else() -> None:
    assert judged("to: [{operation: {paths: [/admin*]}}]", "CUSTOM", path="/admin") == "unknown"
    assert judged("to: [{operation: {paths: [/admin*]}}]", "CUSTOM", path="/v1") == "allowed"


def test_audit_and_dry_run_judge_nothing() -> None:
    dry = POLICY.replace("namespace: shop", 'namespace: shop, annotations: {{"istio.io/dry-run": "true"}}')

    assert judged("{}", "AUDIT") == "unknown"
    assert read(dry.format(action="DENY", rule="{}")).judge(Call("ledger.shop")).reason == "no_manifest"


def test_the_root_namespace_is_for_the_whole_mesh() -> None:
    mesh = read(POLICY.replace("namespace: shop", "namespace: istio-system").format(action="DENY", rule="{}"))

    assert mesh.judge(Call("ledger.anywhere")).verdict == "denied"
    assert mesh.judge(Call("orders.anywhere")).reason == "no_manifest"
    assert mesh.judge(Call("ledger")).missing == ("callee_namespace",)


STRICT = """
    apiVersion: security.istio.io/v1
    kind: PeerAuthentication
    metadata: {name: default, namespace: istio-system}
    spec: {mtls: {mode: STRICT}}
    ---
    apiVersion: security.istio.io/v1
    kind: PeerAuthentication
    metadata: {name: old, namespace: shop}
    spec:
      selector: {matchLabels: {app: ledger}}
      mtls: {mode: PERMISSIVE}
      portLevelMtls:
        8443: {mode: STRICT}
    ---
    apiVersion: security.istio.io/v1
    kind: AuthorizationPolicy
    metadata: {name: open, namespace: shop}
    spec: {rules: [{}]}
    """


@pytest.mark.parametrize(
    ("callee", "port", "protection", "verdict", "line"),
    [
        ("orders.shop", None, "plaintext", "denied", 5),
        ("orders.shop", None, "mtls", "allowed", 19),
        ("orders.shop", None, "unknown", "allowed", 19),
        ("ledger.shop", "80", "plaintext", "allowed", 19),
        ("ledger.shop", "8443", "plaintext", "denied", 14),
        ("ledger.shop", None, "plaintext", "allowed", 19),
    ],
)
def test_required_protection_by_mesh_workload_and_port(
    callee: str, port: str | None, protection: str, verdict: str, line: int
) -> None:
    ruling = read(STRICT).judge(Call(callee, port=port, protection=protection))  # type: ignore[arg-type]

    assert (ruling.verdict, ruling.line) == (verdict, line)


WORKLOADS = """
    apiVersion: v1
    kind: List
    items:
    - apiVersion: apps/v1
      kind: Deployment
      metadata: {name: productpage-v1, namespace: bookinfo}
      spec:
        template:
          metadata: {labels: {app: productpage, version: v1}}
          spec: {serviceAccountName: bookinfo-productpage, containers: [{name: a, ports: [{containerPort: 9080}]}]}
    - apiVersion: apps/v1
      kind: Deployment
      metadata: {name: reviews-v1, namespace: bookinfo}
      spec: {template: {metadata: {labels: {app: reviews, version: v1}}, spec: {serviceAccountName: r}}}
    - apiVersion: apps/v1
      kind: Deployment
      metadata: {name: reviews-v2, namespace: bookinfo}
      spec: {template: {metadata: {labels: {app: reviews, version: v2}}, spec: {serviceAccountName: r}}}
    - apiVersion: security.istio.io/v1
      kind: AuthorizationPolicy
      metadata: {name: reviews, namespace: bookinfo}
      spec:
        selector: {matchLabels: {app: reviews}}
        rules: [{from: [{source: {principals: [cluster.local/ns/bookinfo/sa/bookinfo-productpage]}}]}]
    """


def test_service_accounts_become_services_by_the_workloads_of_the_manifests() -> None:
    policies = read(WORKLOADS)

    assert policies.judge(Call("reviews.bookinfo", caller="productpage.bookinfo")).verdict == "allowed"
    assert policies.judge(Call("reviews.bookinfo", caller="reviews.bookinfo")).verdict == "denied"
    assert policies.judge(Call("reviews", caller="productpage")).verdict == "allowed"


def test_the_selector_of_a_version_is_unknown_where_a_name_has_two() -> None:
    policies = read(
        WORKLOADS.replace("{app: reviews}}\n        rules", "{version: v1, app: reviews}}\n        rules")
    )

    ruling = policies.judge(Call("reviews.bookinfo", caller="reviews.bookinfo"))

    assert (ruling.verdict, ruling.missing) == ("unknown", ("callee_label:version",))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (POLICY.format(action="ALOW", rule="{}"), [(6, "BAD_ACTION", True)]),
        (
            POLICY.format(action="ALLOW", rule="from: [{source: {principal: [a]}}]"),
            [(8, "UNKNOWN_KEY", True)],
        ),
        (POLICY.format(action="ALLOW", rule="to: [{operation: {paths: []}}]"), [(8, "BAD_SHAPE", True)]),
        (POLICY.format(action="ALLOW", rule="to: [{operation: {paths: /v1}}]"), [(8, "BAD_SHAPE", True)]),
        (
            POLICY.format(action="ALLOW", rule="to: [{operation: {paths: [{a: b}]}}]"),
            [(8, "BAD_SHAPE", True)],
        ),
        (
            POLICY.format(action="ALLOW", rule="from: [{source: {ipBlocks: [10.0.0/8]}}]"),
            [(8, "BAD_ADDRESS", True)],
        ),
        (
            POLICY.format(action="ALLOW", rule="from: [{source: {notNamespaces: [a]}}]"),
            [(8, "NEGATIVE_IDENTITY", False)],
        ),
        (POLICY.format(action="ALLOW", rule="from: [{}]"), [(8, "EMPTY", True)]),
        (POLICY.format(action="ALLOW", rule="to: [{operation: {}}]"), [(8, "EMPTY", True)]),
        (
            POLICY.format(action="ALLOW", rule="from: [{sourc: {}}]"),
            [(8, "UNKNOWN_KEY", True), (8, "EMPTY", True)],
        ),
        (
            POLICY.format(action="ALLOW", rule="from: [{source: {principals: ['spiffe://a/ns/b/sa/c']}}]"),
            [(8, "SPIFFE_PREFIX", True)],
        ),
        (STRICT.replace("PERMISSIVE", "STRIKT"), [(11, "BAD_MODE", True)]),
        ("kind: [\napiVersion: v1", [(2, "BAD_YAML", True)]),
        ("apiVersion: v1\nkind: Pod\nkind: Pod\n", [(3, "REPEATED_KEY", False)]),
    ],
)
def test_every_problem_has_its_line(text: str, found: list[tuple[int, str, bool]]) -> None:
    assert problems(text.lstrip("\n")) == found


@pytest.mark.parametrize(
    "text", ["apiVersion: v1\nkind: List\nitems: 3", "apiVersion: 1\nkind: {a: b}", "- - 1", "3"]
)
def test_odd_objects_are_passed_over(text: str) -> None:
    assert kubernetes.read(Path("odd.yaml"), text).policies == ()
