"""App Mesh: who may call whom by its CRDs, whatever leads from one object to the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from reading_appmesh import api, crds, edges
from support import FIXTURES, fixture

from bindtrace.propagation.manifest import Manifest
from bindtrace.propagation.platforms import appmesh, kubernetes, problems_of, read_manifest
from bindtrace.propagation.platforms.linking import linked
from bindtrace.propagation.policies import policies_of
from bindtrace.propagation.workloads import Call

OBSERVED = "aws-app-mesh/observed-backends.json"
CRDS = """\
apiVersion: appmesh.k8s.aws/v1beta2
kind: Mesh
metadata: { name: shop }
spec: { egressFilter: { type: ALLOW_ALL } }
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: { name: checkout, namespace: shop }
spec:
  serviceDiscovery: { dns: { hostname: checkout.shop.svc.cluster.local } }
  listeners:
    - portMapping: { port: 8080, protocol: http }
      tls:
        mode: STRICT
        certificate: { sds: { secretName: "spiffe://shop.example/checkout" } }
        validation:
          trust: { sds: { secretName: "spiffe://shop.example" } }
          subjectAlternativeNames: { match: { exact: ["spiffe://shop.example/web"] } }
  backends:
    - virtualService: { virtualServiceRef: { name: ledger, namespace: money } }
    - virtualService:
        virtualServiceRef: { name: mailer }
        clientPolicy: { tls: { enforce: false } }
  backendGroups: [{ name: rest }]
  backendDefaults:
    clientPolicy:
      tls:
        certificate: { sds: { secretName: "spiffe://shop.example/checkout" } }
        validation: { trust: { sds: { secretName: "spiffe://shop.example" } } }
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: BackendGroup
metadata: { name: rest, namespace: shop }
spec: { virtualServices: [{ name: stock }] }
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualService
metadata: { name: ledger, namespace: money }
spec: { provider: { virtualRouter: { virtualRouterRef: { name: ledger } } } }
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualRouter
metadata: { name: ledger, namespace: money }
spec:
  routes:
    - name: split
      grpcRoute:
        action:
          weightedTargets:
            - { virtualNodeRef: { name: ledger-blue }, weight: 9 }
            - { virtualNodeRef: { name: ledger-green }, weight: 1 }
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: { name: ledger-blue, namespace: money }
spec: { listeners: [{ portMapping: { port: 1, protocol: grpc }, tls: { mode: PERMISSIVE } }] }
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: { name: ledger-green, namespace: money }
spec: { listeners: [{ portMapping: { port: 1, protocol: grpc }, tls: { mode: STRICT } }] }
"""


def observed() -> list[dict[str, Any]]:
    path = FIXTURES / OBSERVED
    return json.loads(path.read_text())["virtualNodes"] if path.exists() else []


@pytest.mark.parametrize("expected", observed(), ids=lambda node: node["virtualNode"])
def test_outside_nodes_have_the_backends_that_were_read_off_them(expected: dict[str, Any]) -> None:
    manifest = read_manifest(fixture(f"aws-app-mesh/{expected['file']}"))
    node = expected["virtualNode"]
    # An ARN that the walkthrough leaves to fill in can be followed nowhere, and is a problem instead.
    named = [b["virtualService"] for b in expected["backends"] if "ARN" not in b["virtualService"]]

    (own,) = linked([manifest])
    assert manifest.platform == "appmesh"
    assert (node, expected["namespace"]) in [(s.service, s.scope) for s in manifest.services]
    assert [g.callee for g in own.grants if g.caller == node] == named
    unnamed = len(expected["backends"]) - len(named)
    assert [p.code for p in manifest.problems] == ["UNKNOWN_REFERENCE"] * unnamed


def test_the_outside_application_is_linked_from_its_files() -> None:
    files = sorted(fixture("aws-app-mesh").glob("*yelb*.yaml"))

    assert edges(*map(read_manifest, files)) == [
        ("yelb-appserver", "yelb-db"),
        ("yelb-appserver", "redis-server"),
    ]


def test_an_outside_gateway_exposes_the_nodes_behind_its_routes() -> None:
    (manifest,) = linked([read_manifest(fixture("aws-app-mesh").joinpath(_LISTENERS))])

    assert [(e.service, e.kind, e.pattern, e.line) for e in manifest.exposures] == [
        ("multi-colors", "gateway", "^/.*$", 45),
        ("multi-colors", "gateway", "^/.*$", 62),
    ]
    assert {(g.caller, g.callee) for g in manifest.grants} == {("colors-gw", "multi-colors")}
    assert ("color-headers.colors.svc.cluster.local", "multi-colors") in [
        (h.host, h.service) for h in manifest.hosts
    ]
    # App Mesh drops what no backend names, unless the mesh says otherwise.
    assert [(d.action, d.line) for d in manifest.defaults] == [("deny", 10)]


_LISTENERS = "walkthroughs__howto-k8s-multiple-listeners__manifest.yaml"


def test_a_backend_leads_through_services_routers_and_groups_to_the_nodes() -> None:
    (manifest,) = linked([crds(CRDS)])

    assert [(g.caller, g.callee, g.callee_scope, g.protection, g.line) for g in manifest.grants] == [
        ("checkout", "ledger-blue", "money", "mtls", 20),
        ("checkout", "ledger-green", "money", "mtls", 20),
        ("checkout", "mailer", None, None, 21),
        ("checkout", "stock", None, "mtls", 24),
    ]
    assert {(g.platform, g.scope) for g in manifest.grants} == {("appmesh", "shop")}
    assert [(d.action, d.line) for d in manifest.defaults] == [("allow", 4)]
    # What leads to two nodes names neither.
    assert [h.service for h in manifest.hosts if h.host == "ledger.money"] == []


def test_what_listeners_ask_for_is_strict_or_nothing() -> None:
    needs = {service.service: service.protection for service in crds(CRDS).services}

    assert needs == {"checkout": "mtls", "ledger-blue": None, "ledger-green": "tls"}


def test_a_backend_that_validates_nobodys_certificate_is_a_warning() -> None:
    text = CRDS.replace(
        '        certificate: { sds: { secretName: "spiffe://shop.example/checkout" } }\n        validation: { trust',
        "        enforce: false\n        validation: { trust",
    )
    assert text != CRDS

    (with_policy,), (without,) = linked([crds(CRDS)]), linked([crds(text)])

    assert [p.code for p in with_policy.problems] == []
    assert [(p.code, p.line, p.fatal) for p in without.problems] == [("UNVALIDATED_TLS", 20, False)]
    assert "checkout calls ledger-green" in without.problems[0].message


@pytest.mark.parametrize(
    ("caller_id", "verdict"),
    [("spiffe://shop.example/web", "allowed"), ("spiffe://shop.example/cron", "denied"), (None, "unknown")],
)
def test_a_listeners_subject_names_are_who_may_call(caller_id: str | None, verdict: str) -> None:
    policies = policies_of([crds(CRDS)])

    ruling = policies.judge(Call("checkout", caller="web", caller_id=caller_id, protection="mtls"))

    # Nothing is denied because nothing shows who called.
    assert ruling.verdict == ("denied" if verdict == "denied" else "unknown")
    assert verdict != "denied" or (ruling.line, ruling.reason) == (18, "forbidden")


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"backends": [{}]}, "UNKNOWN_REFERENCE"),
        ({"backends": ["ledger"]}, "UNKNOWN_REFERENCE"),
        ({"backends": {"virtualService": {}}}, "BAD_SHAPE"),
        ({"backendGroups": [{}]}, "UNKNOWN_REFERENCE"),
        ({"backends": [{"virtualService": {"virtualServiceARN": "arn:x"}}]}, "UNKNOWN_REFERENCE"),
    ],
)
def test_a_backend_that_names_nothing_is_a_fatal_problem(spec: dict[str, Any], code: str) -> None:
    (manifest,) = api({"meshName": "shop", "virtualNodeName": "web", "spec": spec})

    assert [(p.code, p.fatal) for p in problems_of([manifest])] == [(code, True)]


def test_any_shape_is_read_without_raising() -> None:
    odd: tuple[Any, ...] = (None, 7, "x", [], {}, [None], [7], [{}], {"x": None})
    kinds = [kind for _, kind in appmesh.KINDS]
    keys = ("backends", "backendGroups", "backendDefaults", "listeners", "serviceDiscovery", "provider", "routes",
            "virtualServices", "httpRoute", "egressFilter", "awsName")  # fmt: skip
    for value in odd:
        assert isinstance(appmesh.read(Path("x.json"), json.dumps({"Resources": value})), Manifest)
        assert isinstance(
            appmesh.read(Path("x.json"), json.dumps({"meshName": value, "spec": value})), Manifest
        )
        for kind in kinds:
            thing = {"apiVersion": "appmesh.k8s.aws/v1beta2", "kind": kind, "metadata": {"name": "a"}}
            objects = [thing | {"spec": {key: value}} for key in keys] + [thing | {"spec": value}]
            text = json.dumps({"kind": "List", "apiVersion": "v1", "items": objects})
            assert isinstance(kubernetes.read(Path("x.json"), text), Manifest)
            template = {
                "Resources": {
                    "A": {"Type": f"AWS::AppMesh::{kind}", "Properties": {"Spec": dict.fromkeys(keys, value)}}
                }
            }
            assert isinstance(appmesh.read(Path("x.json"), json.dumps(template)), Manifest)
