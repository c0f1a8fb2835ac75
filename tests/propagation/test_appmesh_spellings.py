"""App Mesh in CloudFormation, in describe output and in create input: the same mesh, whatever its spelling."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reading_appmesh import api, edges

from bindtrace.propagation.platforms import appmesh, read_manifest
from bindtrace.propagation.platforms.linking import linked

TEMPLATE = """\
Parameters:
  Name: { Type: String, Default: shop }
  Secret: { Type: String }
Resources:
  Mesh:
    Type: AWS::AppMesh::Mesh
    Properties: { MeshName: !Sub "${Name}-mesh" }
  Checkout:
    Type: AWS::AppMesh::VirtualNode
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualNodeName: !Join ["-", [checkout, vn]]
      Spec:
        Backends:
          - VirtualService: { VirtualServiceName: !GetAtt LedgerService.VirtualServiceName }
        BackendDefaults:
          ClientPolicy: { TLS: { Enforce: true, Validation: { Trust: { File: { CertificateChain: /ca.pem } } } } }
        Listeners:
          - PortMapping: { Port: 8080, Protocol: http }
        ServiceDiscovery:
          AWSCloudMap: { NamespaceName: shop.local, ServiceName: checkout }
  LedgerNode:
    Type: AWS::AppMesh::VirtualNode
    Properties: { MeshName: !Ref Mesh, VirtualNodeName: ledger, Spec: {} }
  LedgerService:
    Type: AWS::AppMesh::VirtualService
    Properties:
      MeshName: !Ref Mesh
      VirtualServiceName: ledger.shop.local
      Spec: { Provider: { VirtualRouter: { VirtualRouterName: !GetAtt Router.VirtualRouterName } } }
  Router:
    Type: AWS::AppMesh::VirtualRouter
    Properties: { MeshName: !Ref Mesh, VirtualRouterName: ledger-router, Spec: { Listeners: [] } }
  Route:
    Type: AWS::AppMesh::Route
    Properties:
      MeshName: !Ref Mesh
      VirtualRouterName: !GetAtt Router.VirtualRouterName
      RouteName: all
      Spec:
        HttpRoute: { Action: { WeightedTargets: [{ VirtualNode: !GetAtt LedgerNode.VirtualNodeName, Weight: 1 }] } }
  Queue:
    Type: AWS::SQS::Queue
"""


def test_a_template_is_read_through_its_functions() -> None:
    (manifest,) = linked([appmesh.read(Path("mesh.yaml"), TEMPLATE)])

    assert [(g.caller, g.callee, g.scope, g.protection, g.line) for g in manifest.grants] == [
        ("checkout-vn", "ledger", "shop-mesh", "tls", 15)
    ]
    assert manifest.scope == "shop-mesh"
    assert ("checkout.shop.local", "checkout-vn") in [(h.host, h.service) for h in manifest.hosts]
    assert ("cds_egress_shop-mesh_checkout-vn_http_8080", "checkout-vn") in [
        (h.host, h.service) for h in manifest.hosts
    ]
    assert ("ledger.shop.local", "ledger") in [(h.host, h.service) for h in manifest.hosts]
    assert [(m.service, m.value) for m in manifest.matches if m.service == "ledger"] == [
        ("ledger", "mesh/shop-mesh/virtualNode/ledger"),
        ("ledger", "shop-mesh/ledger"),
    ]
    assert manifest.problems == ()


def test_a_template_as_json_says_the_same() -> None:
    documents = appmesh.parsing.parse_all("t.yaml", TEMPLATE)
    assert isinstance(documents, tuple)
    as_json = json.dumps(documents[0].root, indent=1)

    one = appmesh.read(Path("t.template"), as_json)

    assert edges(one) == [("checkout-vn", "ledger")]


def test_names_that_a_parameter_leaves_open_are_still_the_same_name() -> None:
    text = TEMPLATE.replace("Default: shop }", "}").replace(
        "VirtualServiceName: ledger.shop.local", 'VirtualServiceName: !Sub "ledger.${Secret}"'
    )
    (manifest,) = linked([appmesh.read(Path("mesh.yaml"), text)])

    assert [(g.caller, g.callee, g.scope) for g in manifest.grants] == [("checkout-vn", "ledger", "")]
    # But they are nothing that telemetry could show.
    assert {h.host for h in manifest.hosts} == {
        "checkout.shop.local",
        "cds_egress_*_checkout-vn_http_8080",
    }
    assert (manifest.matches, manifest.problems) == ((), ())


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        ("!GetAtt LedgerService.VirtualServiceName", "!ImportValue ledger", "UNKNOWN_REFERENCE", 15),
        ('!Join ["-", [checkout, vn]]', "!Ref Secret", "OPEN_NAME", 8),
    ],
)
def test_what_only_another_stack_or_a_person_knows_is_a_fatal_problem(
    old: str, new: str, code: str, line: int
) -> None:
    manifest = appmesh.read(Path("mesh.yaml"), TEMPLATE.replace(old, new))

    assert [(p.code, p.line, p.fatal) for p in manifest.problems] == [(code, line, True)]
    assert manifest.grants == ()


def test_describe_output_and_create_input_are_one_mesh() -> None:
    node = {
        "meshName": "shop",
        "virtualNodeName": "web",
        "spec": {"backends": [{"virtualService": {"virtualServiceName": "ledger.local"}}]},
        "metadata": {"arn": "arn:aws:appmesh:eu-west-1:1:mesh/shop/virtualNode/web"},
        "status": {"status": "ACTIVE"},
    }
    service = {
        "meshName": "shop",
        "virtualServiceName": "ledger.local",
        "spec": {"provider": {"virtualNode": {"virtualNodeName": "ledger"}}},
    }
    mesh = {"mesh": {"meshName": "shop", "spec": {"egressFilter": {"type": "DROP_ALL"}}}}
    gateway = {"meshName": "shop", "virtualGatewayName": "gw", "spec": {"listeners": []}}
    route = {
        "meshName": "shop",
        "gatewayRouteName": "r",
        "virtualGatewayName": "gw",
        "spec": {
            "httpRoute": {
                "action": {"target": {"virtualService": {"virtualServiceName": "ledger.local"}}},
                "match": {"prefix": "/api", "hostname": {"suffix": ".shop.example"}},
            }
        },
    }

    manifests = api({"virtualNode": node}, service, mesh, gateway, route)

    assert [m.scope for m in manifests] == ["shop"] * 5
    assert edges(*manifests) == [("web", "ledger"), ("gw", "ledger")]
    (exposure,) = [e for m in linked(manifests) for e in m.exposures]
    assert (exposure.service, exposure.source, exposure.pattern, exposure.host) == (
        "ledger", "/api*", "^/api.*$", "*.shop.example",
    )  # fmt: skip
    assert [d.scope for d in manifests[2].defaults] == ["shop"]


def test_an_arn_of_another_account_names_the_service() -> None:
    arn = "arn:aws:appmesh:eu-west-1:123456789012:mesh/shop@9/virtualService/ledger.local"
    (manifest,) = api(
        {
            "meshName": "shop",
            "virtualNodeName": "web",
            "spec": {"backends": [{"virtualService": {"virtualServiceARN": arn}}]},
        }
    )

    assert edges(manifest) == [("web", "ledger.local")]


@pytest.mark.parametrize(
    ("name", "text"),
    [("mesh.yaml", TEMPLATE), ("node.json", '{"meshName": "m", "virtualNodeName": "a", "spec": {}}')],
)
def test_its_files_are_known_by_content(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    assert read_manifest(tmp_path / name).platform == "appmesh"
