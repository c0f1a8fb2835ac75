"""Policies of meshes judge what real proxies sent: a bookinfo call through Istio, refused calls at an Envoy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
from loading import load
from support import fixture

from bindtrace.propagation.platforms import read_manifests
from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.policy import install_policy
from bindtrace.queries.query import Query

Con = duckdb.DuckDBPyConnection

INGRESS, PRODUCT, REVIEWS, DETAILS, RATINGS = (
    "istio-ingressgateway.istio-system", "productpage.bookinfo", "reviews.bookinfo", "details.bookinfo",
    "ratings.bookinfo",
)  # fmt: skip

WORKLOAD = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}-v1, namespace: bookinfo}}
spec: {{template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{serviceAccountName: bookinfo-{name}}}}}}}
---
"""
WORKLOADS = "".join(WORKLOAD.format(name=name) for name in ("productpage", "reviews", "details", "ratings"))
POLICY = """apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: {name}, namespace: bookinfo}}
spec: {{selector: {{matchLabels: {{app: {name}}}}}, action: {action}, rules: [{rule}]}}
---
"""
NOTHING = """apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: allow-nothing, namespace: bookinfo}
spec: {}
---
"""


def allow(name: str, rule: str, action: str = "ALLOW") -> str:
    return POLICY.format(name=name, rule=f"{{{rule}}}", action=action)


def account(name: str) -> str:
    return f"from: [{{source: {{principals: [cluster.local/ns/bookinfo/sa/bookinfo-{name}]}}}}]"


def judged(con: Con, folder: Path, traffic: str, **files: str) -> dict[tuple[Any, Any], tuple[Any, ...]]:
    """Verdict, reason, file and line of every edge."""
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    install_policy(con, read_manifests([folder]))
    load(con, fixture(traffic))
    analyse(con)
    rows = con.execute("select caller, callee, verdict, reason, grant_file, grant_line from hops").fetchall()
    return {
        (caller, callee): (verdict, reason, Path(file).name if file else None, line)
        for caller, callee, verdict, reason, file, line in rows
    }


KIALI = "kiali-istio-trace/otlp/responseTrace.otlp.json"


def test_every_edge_of_the_istio_trace_is_allowed_or_denied_by_the_line_that_says_so(
    con: Con, tmp_path: Path
) -> None:
    expected = json.loads(fixture("kiali-istio-trace/observed-chain.json").read_text())["edges"]
    policies = (
        NOTHING
        + allow(
            "productpage",
            "from: [{source: {namespaces: [istio-system]}}], to: [{operation: {methods: [GET]}}]",
        )
        + allow("reviews", account("productpage"))
        + allow("ratings", f"{account('reviews')}, to: [{{operation: {{paths: [/ratings/*]}}}}]")
    )

    found = judged(con, tmp_path, KIALI, workloads_yaml=WORKLOADS, policies_yaml=policies)

    assert {edge for edge in found if edge[0]} == {tuple(edge) for edge in expected}
    assert found[INGRESS, PRODUCT] == ("allowed", "declared", "policies.yaml", 9)
    assert found[PRODUCT, REVIEWS] == ("allowed", "declared", "policies.yaml", 14)
    assert found[REVIEWS, RATINGS] == ("allowed", "declared", "policies.yaml", 19)
    assert found[PRODUCT, DETAILS] == ("denied", "undeclared", "policies.yaml", 1)


def test_what_policies_come_to_by_names_is_told_as_grants_with_their_use(con: Con, tmp_path: Path) -> None:
    policies = (
        allow("reviews", f"{account('productpage')}, to: [{{operation: {{methods: [GET]}}}}]")
        + allow("ratings", f"{account('reviews')}")
        + allow("details", "")
    )
    judged(con, tmp_path, KIALI, workloads_yaml=WORKLOADS, policies_yaml=policies)

    rows = run_report(con, "grants", Query())

    assert [(row["caller"], row["callee"], row["platform"], row["line"], row["calls"]) for row in rows] == [
        (PRODUCT, REVIEWS, "istio", 4, 1),
        (REVIEWS, RATINGS, "istio", 9, 1),
        ("*", DETAILS, "istio", 14, 0),
    ]


def test_a_grant_by_a_policy_makes_no_policy_for_its_caller(con: Con, tmp_path: Path) -> None:
    """productpage may call reviews; whom else it may call, nothing says."""
    policies = allow("reviews", account("productpage"))

    found = judged(con, tmp_path, KIALI, workloads_yaml=WORKLOADS, policies_yaml=policies)

    assert found[PRODUCT, REVIEWS][0] == "allowed"
    assert found[PRODUCT, DETAILS][:2] == ("unknown", "no_manifest")


def test_a_denial_names_its_rule(con: Con, tmp_path: Path) -> None:
    deny = allow("ratings", "to: [{operation: {methods: [GET]}}]", "DENY")

    found = judged(con, tmp_path, KIALI, policies_yaml=allow("ratings", "") + deny)

    assert found[REVIEWS, RATINGS] == ("denied", "forbidden", "policies.yaml", 9)
    assert found[PRODUCT, REVIEWS][:2] == ("unknown", "no_manifest")


def test_an_account_that_no_manifest_gives_to_the_caller_is_unknown_and_not_denied(
    con: Con, tmp_path: Path
) -> None:
    found = judged(con, tmp_path, KIALI, policies_yaml=allow("reviews", account("productpage")))

    assert found[PRODUCT, REVIEWS][:2] == ("unknown", "not_shown")


def test_a_sidecars_url_is_no_proof_of_plaintext(con: Con, tmp_path: Path) -> None:
    """Envoy's `http.url` has the scheme of the first request (seen: http://192.168.49.2 on mutual TLS)."""
    strict = (
        "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n"
        "metadata: {name: default, namespace: istio-system}\nspec: {mtls: {mode: STRICT}}\n---\n"
    )

    found = judged(con, tmp_path, KIALI, policies_yaml=strict + allow("productpage", ""))

    assert found[INGRESS, PRODUCT][0] == "allowed"
    assert con.execute("select distinct protection from hops").fetchall() == [("unknown",)]


def test_calls_that_a_real_envoy_refused_are_denied_by_its_configuration(con: Con, tmp_path: Path) -> None:
    manager = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    rbac = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"
    edge = {"authenticated": {"principal_name": {"exact": "spiffe://corp.internal/gw/edge"}}}
    reads = {"header": {"name": ":method", "string_match": {"exact": "GET"}}}
    rules = {"policies": {"edge": {"permissions": [reads], "principals": [edge]}}}
    config = {
        "node": {"cluster": "orders"},
        "static_resources": {
            "listeners": [
                {
                    "filter_chains": [
                        {
                            "filters": [
                                {
                                    "typed_config": {
                                        "@type": manager,
                                        "http_filters": [{"typed_config": {"@type": rbac, "rules": rules}}],
                                    }
                                }
                            ]
                        }
                    ]
                }
            ]
        },
    }
    (tmp_path / "orders.json").write_text(json.dumps(config))
    install_policy(con, read_manifests([tmp_path]))
    load(con, fixture("captured/envoy-denied-spans.json"))

    analyse(con)

    found = con.execute(
        "select http_status, http_method, verdict from hops where callee = 'orders' order by all"
    ).fetchall()
    # 401: the certificate and the method were right, the token was missing, which RBAC does not ask for
    assert found == [(401, "GET", "allowed"), (403, "GET", "denied"), (403, "POST", "denied")]
