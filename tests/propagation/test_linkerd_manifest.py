"""Linkerd's policies as calls meet them, beginning with the emojivoto policy of its own tests."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from support import fixture

from bindtrace.propagation.platforms import kubernetes
from bindtrace.propagation.policies import Policies, policies_of
from bindtrace.propagation.workloads import Call

NAMESPACE = "linkerd-stat-authz-test"


def identity(account: str, namespace: str = NAMESPACE) -> str:
    return f"{account}.{namespace}.serviceaccount.identity.linkerd.cluster.local"


def read(*texts: str) -> Policies:
    return policies_of(kubernetes.read(Path(f"{n}.yaml"), dedent(text)) for n, text in enumerate(texts))


@pytest.mark.parametrize(
    ("callee", "port", "caller_id", "verdict", "line"),
    [
        # all authenticated clients of the namespace may call emoji
        ("emoji-svc", "grpc", identity("web"), "allowed", 29),
        ("emoji-svc", "grpc", identity("anything"), "allowed", 29),
        ("emoji-svc", "grpc", identity("web", "other"), "denied", 2),
        ("emoji-svc", "grpc", None, "denied", 2),
        # only web may call voting
        ("voting-svc", "grpc", identity("web"), "allowed", 59),
        ("voting-svc", "grpc", identity("emoji"), "denied", 34),
        ("voting-svc", "grpc", None, "denied", 34),
        # everybody may call web
        ("web-svc", "http", identity("voting"), "allowed", 93),
        ("web-svc", "http", None, "allowed", 93),
        # nothing is said of other ports and pods
        ("voting-svc", "prom", identity("emoji"), "unknown", 0),
        ("vote-bot", "http", identity("emoji"), "unknown", 0),
    ],
)
def test_the_emojivoto_policy(callee: str, port: str, caller_id: str | None, verdict: str, line: int) -> None:
    policies = read(fixture("linkerd-policy/emoji-policy.yaml").read_text())
    protection = "mtls" if caller_id else "plaintext"

    ruling = policies.judge(
        Call(f"{callee}.{NAMESPACE}", port=port, caller_id=caller_id, protection=protection)  # type: ignore[arg-type]
    )

    assert (ruling.verdict, ruling.line) == (verdict, line)


def test_a_call_that_shows_no_port_is_unknown_only_where_it_matters() -> None:
    policies = read(fixture("linkerd-policy/emoji-policy.yaml").read_text())

    web = policies.judge(Call(f"voting-svc.{NAMESPACE}", caller_id=identity("web")))
    emoji = policies.judge(Call(f"voting-svc.{NAMESPACE}", caller_id=identity("emoji")))

    assert (web.verdict, emoji.verdict, emoji.missing) == ("allowed", "unknown", ("port_name",))


SERVER = """
    apiVersion: policy.linkerd.io/v1beta3
    kind: Server
    metadata: {name: ledger, namespace: shop, labels: {tier: books}}
    spec: {podSelector: {matchLabels: {app: ledger}}, port: 8080}
    """
POLICY = """
    apiVersion: policy.linkerd.io/v1alpha1
    kind: AuthorizationPolicy
    metadata: {{name: ledger, namespace: shop}}
    spec:
      targetRef: {{group: policy.linkerd.io, kind: {kind}, name: {name}}}
      requiredAuthenticationRefs: {refs}
    """
AUTHENTICATIONS = """
    apiVersion: policy.linkerd.io/v1alpha1
    kind: MeshTLSAuthentication
    metadata: {name: payers, namespace: shop}
    spec:
      identities: ["*.billing.serviceaccount.identity.linkerd.cluster.local"]
      identityRefs: [{kind: ServiceAccount, name: orders}]
    ---
    apiVersion: policy.linkerd.io/v1alpha1
    kind: NetworkAuthentication
    metadata: {name: inside, namespace: shop}
    spec: {networks: [{cidr: 10.0.0.0/8, except: [10.9.0.0/16]}]}
    """
PAYERS = "[{kind: MeshTLSAuthentication, name: payers}]"
BOTH = "[{kind: MeshTLSAuthentication, name: payers}, {kind: NetworkAuthentication, name: inside}]"


def judged(policies: Policies, account: str, namespace: str = "shop", **shown: str) -> str:
    call = Call("ledger.shop", port="8080", caller_id=identity(account, namespace), **shown)  # type: ignore[arg-type]
    return policies.judge(call).verdict


def test_objects_find_each_other_across_files() -> None:
    policies = read(POLICY.format(kind="Server", name="ledger", refs=PAYERS), AUTHENTICATIONS, SERVER)

    assert judged(policies, "orders") == "allowed"
    assert judged(policies, "any", "billing") == "allowed"
    assert judged(policies, "web") == "denied"


def test_what_no_file_defines_is_unknown_and_named() -> None:
    ruling = read(SERVER, POLICY.format(kind="Server", name="ledger", refs=PAYERS)).judge(
        Call("ledger.shop", port="8080")
    )

    assert (ruling.verdict, ruling.missing) == ("unknown", ("linkerd MeshTLSAuthentication shop/payers",))


def test_all_required_authentications_must_hold() -> None:
    policies = read(POLICY.format(kind="Server", name="ledger", refs=BOTH), AUTHENTICATIONS, SERVER)

    assert judged(policies, "orders", source_address="10.1.0.1") == "allowed"
    assert judged(policies, "orders", source_address="10.9.0.1") == "denied"
    assert judged(policies, "orders", source_address="192.0.2.1") == "denied"
    assert judged(policies, "web", source_address="10.1.0.1") == "denied"
    assert judged(policies, "orders") == "unknown"


def test_a_policy_of_the_namespace_is_for_all_its_servers() -> None:
    account = "[{kind: ServiceAccount, name: orders}]"
    policies = read(POLICY.format(kind="Namespace", name="shop", refs=account), SERVER)

    assert judged(policies, "orders") == "allowed"
    assert judged(policies, "web") == "denied"


def test_a_server_authorization_selects_servers_by_label() -> None:
    policies = read(
        SERVER,
        """
        apiVersion: policy.linkerd.io/v1beta1
        kind: ServerAuthorization
        metadata: {name: books, namespace: shop}
        spec:
          server: {selector: {matchLabels: {tier: books}}}
          client: {meshTLS: {serviceAccounts: [{name: orders}]}}
        """,
    )

    assert judged(policies, "orders") == "allowed"
    assert judged(policies, "web") == "denied"


ROUTE = """
    apiVersion: policy.linkerd.io/v1beta3
    kind: HTTPRoute
    metadata: {name: read, namespace: shop}
    spec:
      parentRefs: [{group: policy.linkerd.io, kind: Server, name: ledger}]
      rules:
      - matches: [{path: {type: PathPrefix, value: /v1/}, method: GET}, {path: {type: Exact, value: /}}]
    """


@pytest.mark.parametrize(
    ("method", "path", "verdict"),
    [
        ("GET", "/v1/x", "allowed"),
        ("GET", "/v1", "allowed"),
        ("GET", "/v10", "denied"),
        ("POST", "/v1/x", "denied"),
        ("POST", "/", "allowed"),
    ],
)
def test_a_route_is_open_to_those_of_its_policy_beside_those_of_its_server(
    method: str, path: str, verdict: str
) -> None:
    policies = read(
        SERVER,
        ROUTE,
        POLICY.format(kind="HTTPRoute", name="read", refs="[{kind: ServiceAccount, name: web}]"),
        POLICY.format(kind="Server", name="ledger", refs="[{kind: ServiceAccount, name: orders}]"),
    )

    assert judged(policies, "web", method=method, path=path) == verdict
    assert judged(policies, "orders", method=method, path=path) == "allowed"


DEFAULT = """
    apiVersion: v1
    kind: Namespace
    metadata: {name: shop, annotations: {config.linkerd.io/default-inbound-policy: deny}}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web, namespace: shop}
    spec:
      template:
        metadata:
          labels: {app: web}
          annotations: {config.linkerd.io/default-inbound-policy: all-unauthenticated}
        spec: {}
    """


def test_defaults_give_way_to_what_is_more_specific() -> None:
    policies = read(DEFAULT, SERVER.replace("port: 8080", "port: 8080, accessPolicy: all-authenticated"))

    assert policies.judge(Call("orders.shop")).verdict == "denied"
    assert policies.judge(Call("web.shop")).verdict == "allowed"
    assert judged(policies, "anybody") == "allowed"
    assert policies.judge(Call("ledger.shop", port="8080", protection="plaintext")).verdict == "denied"
    assert policies.judge(Call("ledger.shop", port="81", protection="plaintext")).verdict == "denied"


def test_selectors_by_expression() -> None:
    policies = read(
        """
        apiVersion: policy.linkerd.io/v1beta3
        kind: Server
        metadata: {name: some, namespace: shop}
        spec:
          podSelector:
            matchExpressions:
            - {key: app, operator: In, values: [ledger, orders]}
            - {key: env, operator: NotIn, values: [dev]}
            - {key: canary, operator: DoesNotExist}
          port: 80
        """
    )

    def verdict(app: str, *labels: tuple[str, str]) -> str:
        return policies.judge(Call(f"{app}.shop", port="80", labels=labels)).verdict

    assert verdict("ledger", ("env", "prod"), ("canary", "")) == "unknown"
    assert policies.judge(Call("ledger.shop", port="80")).missing == (
        "callee_label:canary",
        "callee_label:env",
    )
    assert policies.judge(Call("web.shop", port="80")).reason == "no_manifest"
    assert policies.judge(Call("ledger.shop", port="80", labels=(("env", "dev"),))).reason == "no_manifest"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (SERVER.replace("port: 8080", "prot: 8080"), [(5, "NO_PORT", True), (5, "UNKNOWN_KEY", True)]),
        (SERVER.replace("port: 8080", "port: 80, accessPolicy: open"), [(5, "BAD_MODE", True)]),
        (POLICY.format(kind="Pod", name="x", refs="[]"), [(6, "BAD_TARGET", True)]),
        (
            POLICY.format(kind="Server", name="x", refs="[{kind: Secret, name: y}]"),
            [(7, "BAD_AUTHENTICATION", True)],
        ),
        (AUTHENTICATIONS.replace("10.0.0.0/8", "ten"), [(12, "BAD_ADDRESS", True)]),
        (SERVER.replace(", namespace: shop", ""), [(2, "NO_NAMESPACE", False)]),
    ],
)
def test_every_problem_has_its_line(text: str, found: list[tuple[int, str, bool]]) -> None:
    problems = kubernetes.read(Path("p.yaml"), dedent(text)).problems

    assert sorted((p.line, p.code, p.fatal) for p in problems) == found
