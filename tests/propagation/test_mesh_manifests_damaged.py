"""Manifests of meshes with anything in any place: a reader never raises, and what it reads can be judged by."""

# ruff: noqa: E501  # the manifests are written densely, so that all of their kinds are seen at once

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bindtrace.propagation.manifest import Manifest
from bindtrace.propagation.platforms import envoy, kubernetes
from bindtrace.propagation.platforms.yaml_lines import load_all
from bindtrace.propagation.policies import policies_of
from bindtrace.propagation.workloads import Call
from bindtrace.queries.stored_policies import policies_from, rows_of

MESH = """
kind: List
apiVersion: v1
items:
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: n}, spec: {template: {metadata: {labels: {app: a},
   annotations: {config.linkerd.io/default-inbound-policy: deny}}, spec: {serviceAccountName: s, containers: [{ports: [
   {name: http, containerPort: 80}]}]}}}}
- {apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p, namespace: n}, spec: {selector: {
   matchLabels: {app: a}}, action: DENY, rules: [{from: [{source: {principals: [a], notNamespaces: [b], ipBlocks: [10.0.0.0/8]}}],
   to: [{operation: {paths: ["/{*}"], ports: ["80"]}}], when: [{key: source.ip, values: [10.0.0.1]}]}]}}
- {apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: q, namespace: n}, spec: {mtls: {mode: STRICT},
   portLevelMtls: {"80": {mode: DISABLE}}}}
- {apiVersion: policy.linkerd.io/v1beta3, kind: Server, metadata: {name: s, namespace: n, labels: {k: v}}, spec: {podSelector: {
   matchLabels: {app: a}, matchExpressions: [{key: k, operator: In, values: [v]}]}, port: http, accessPolicy: deny}}
- {apiVersion: policy.linkerd.io/v1beta1, kind: ServerAuthorization, metadata: {name: t, namespace: n}, spec: {server: {
   selector: {matchLabels: {k: v}}}, client: {networks: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}], meshTLS: {identities: ["*"],
   serviceAccounts: [{name: s}]}}}}
- {apiVersion: policy.linkerd.io/v1alpha1, kind: AuthorizationPolicy, metadata: {name: u, namespace: n}, spec: {targetRef: {
   kind: HTTPRoute, name: r}, requiredAuthenticationRefs: [{kind: MeshTLSAuthentication, name: m}, {kind: NetworkAuthentication,
   name: o}]}}
- {apiVersion: policy.linkerd.io/v1alpha1, kind: MeshTLSAuthentication, metadata: {name: m, namespace: n}, spec: {identities: [x],
   identityRefs: [{kind: ServiceAccount, name: s}]}}
- {apiVersion: policy.linkerd.io/v1alpha1, kind: NetworkAuthentication, metadata: {name: o, namespace: n}, spec: {networks: [
   {cidr: 10.0.0.0/8}]}}
- {apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r, namespace: n}, spec: {parentRefs: [{kind: Server,
   name: s}], rules: [{matches: [{path: {type: Exact, value: /x}, method: GET, headers: []}]}]}}
- {apiVersion: v1, kind: Namespace, metadata: {name: n, annotations: {config.linkerd.io/default-inbound-policy: deny}}}
"""
MANAGER = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
ENVOY = f"""
node: {{cluster: a, id: b}}
static_resources: {{listeners: [{{name: l, address: {{socket_address: {{address: 0.0.0.0, port_value: 80}}}}, filter_chains: [{{
  filter_chain_match: {{}}, transport_socket: {{typed_config: {{"@type": x.DownstreamTlsContext, require_client_certificate: true,
  common_tls_context: {{validation_context: {{match_typed_subject_alt_names: [{{san_type: URI, matcher: {{exact: s}}}}]}}}}}}}},
  filters: [{{typed_config: {{"@type": {MANAGER}, route_config: {{virtual_hosts: [{{routes: [{{typed_per_filter_config: {{}}}}]}}]}},
  http_filters: [{{name: r, typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC, rules: {{
  action: ALLOW, policies: {{p: {{permissions: [{{and_rules: {{rules: [{{url_path: {{path: {{safe_regex: {{regex: .*}}}}}}}},
  {{header: {{name: ":method", string_match: {{exact: GET}}}}}}, {{destination_port_range: {{start: 1, end: 2}}}}]}}}}],
  principals: [{{or_ids: {{ids: [{{authenticated: {{principal_name: {{prefix: s}}}}}}, {{not_id: {{direct_remote_ip: {{
  address_prefix: 10.0.0.0, prefix_len: 8}}}}}}]}}}}]}}}}}}}}}}]}}}}]}}]}}]}}
"""
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2**70), st.floats(), st.text(max_size=6), st.just([]), st.just({}),
    st.lists(st.none() | st.text(max_size=3), max_size=2), st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)  # fmt: skip
CALLS = (
    Call("a.n"),
    Call(
        "a.n", "b.n", port="80", method="GET", path="/x", protection="mtls", caller_id="spiffe://x/ns/n/sa/s"
    ),
    Call("a", source_address="10.1.2.3", called_port="80", protection="plaintext"),
)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    for key, below in (
        value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    ):
        yield from places(below, (*at, key))


def damaged(root: Any, place: tuple[Any, ...], odd: Any) -> Any:
    if not place:
        return odd
    root = copy.deepcopy(root)
    holder = root
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = odd
    return root


def judged(manifest: Manifest) -> None:
    """Every call is ruled on, alike by what was read and by what was stored of it."""
    read, stored = policies_of([manifest]), policies_from(row[1:3] for row in rows_of(manifest))
    for call in CALLS:
        assert read.judge(call).verdict == stored.judge(call).verdict
    assert all(problem.line >= 1 and problem.fix for problem in manifest.problems)
    for policy in manifest.policies:
        assert str(policy.applies) is not None


MESH_ROOT, ENVOY_ROOT = (load_all(text)[0].root for text in (MESH, ENVOY))


def test_the_undamaged_ones_have_no_problem() -> None:
    for manifest in (kubernetes.read(Path("m.yaml"), MESH), envoy.read(Path("e.yaml"), ENVOY)):
        assert [problem for problem in manifest.problems if problem.fatal] == []
        assert manifest.policies
        judged(manifest)


@pytest.mark.slow
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(list(places(MESH_ROOT))), odd=ODD)
def test_anything_in_any_place_of_a_mesh(place: tuple[Any, ...], odd: Any) -> None:
    judged(kubernetes.read(Path("m.json"), json.dumps(damaged(MESH_ROOT, place, odd))))


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(list(places(ENVOY_ROOT))), odd=ODD)
def test_anything_in_any_place_of_an_envoy(place: tuple[Any, ...], odd: Any) -> None:
    judged(envoy.read(Path("e.json"), json.dumps(damaged(ENVOY_ROOT, place, odd))))
