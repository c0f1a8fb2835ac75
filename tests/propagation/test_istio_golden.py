"""Istio's golden cases of its builder, read both as policy and as the filter that Envoy gets."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest
from reading_istio import read
from support import fixture

from bindtrace.propagation.platforms import envoy
from bindtrace.propagation.policies import Policies, Ruling, policies_of
from bindtrace.propagation.workloads import Call

LABELS = (("app", "httpbin"), ("version", "v1"))
CALLERS = (
    "spiffe://deny",
    "spiffe://allow",
    "spiffe://cluster.local/ns/foo/sa/web",
    "spiffe://another.local/ns/foo/sa/web",
    "spiffe://bad.example/ns/foo/sa/web",
    "spiffe://untrusted/ns/foo/sa/web",
    "spiffe://third.local/ns/foo/sa/rule[0]-from[1]-principal[0]",
    "spiffe://foobar/ns/foo/sa/rule[0]-from[1]-principal[1]",
    "spiffe://foo/ns/foo/sa/rule[0]-from[1]-principal[1]",
    None,
)


def golden(name: str) -> str:
    return fixture(f"istio-authz/builder-golden/http/{name}").read_text()


def call_of(caller_id: str | None) -> Call:
    protection = "mtls" if caller_id else "plaintext"
    return Call("httpbin.foo", caller_id=caller_id, protection=protection, labels=LABELS)  # type: ignore[arg-type]


def as_envoy(*filters: str) -> Policies:
    """The filters that Istio must make of a policy, in the configuration of httpbin's sidecar."""
    from bindtrace.propagation.platforms.yaml_lines import load_all

    manager = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    config = {
        "node": {"cluster": "httpbin.foo"},
        "static_resources": {
            "listeners": [
                {
                    "filter_chains": [
                        {
                            "filters": [
                                {
                                    "typed_config": {
                                        "@type": manager,
                                        "http_filters": [load_all(text)[0].root for text in filters],
                                    }
                                }
                            ]
                        }
                    ]
                }
            ]
        },
    }
    return policies_of([envoy.read(Path("envoy.json"), json.dumps(config))])


GOLDEN = {
    "allow-empty-rule": ("allow-empty-rule-out.yaml",),
    "allow-nil-rule": ("allow-nil-rule-out.yaml",),
    "deny-and-allow": ("deny-and-allow-out1.yaml", "deny-and-allow-out2.yaml"),
    "simple-policy-principal-with-wildcard": ("simple-policy-principal-with-wildcard-out.yaml",),
    "trust-domains": ("trust-domains-out.yaml",),
}


@pytest.mark.parametrize(("name", "caller"), [*product(GOLDEN, CALLERS)])
def test_a_policy_and_the_filter_that_istio_makes_of_it_judge_alike(name: str, caller: str | None) -> None:
    policy = read(golden(f"{name}-in.yaml")).judge(call_of(caller))
    filters = as_envoy(*map(golden, GOLDEN[name])).judge(call_of(caller))

    # Only whether `cluster.local` means the mesh's own domain is more than the policy alone can tell.
    alike = policy.verdict == filters.verdict
    assert alike or policy.missing == ("whether cluster.local stands for the caller's trust domain",)


@pytest.mark.parametrize(
    ("name", "caller", "verdict", "line"),
    [
        ("allow-empty-rule", None, "allowed", 12),
        ("allow-nil-rule", CALLERS[2], "denied", 1),
        ("deny-and-allow", "spiffe://deny", "denied", 9),
        ("deny-and-allow", "spiffe://allow", "allowed", 21),
        ("deny-and-allow", CALLERS[2], "denied", 13),
        ("simple-policy-principal-with-wildcard", CALLERS[2], "allowed", 12),
        ("simple-policy-principal-with-wildcard", None, "denied", 1),
        ("trust-domains", "spiffe://another.local/ns/foo/sa/web", "allowed", 12),
        ("trust-domains", "spiffe://bad.example/ns/foo/sa/web", "unknown", 12),
    ],
)
def test_the_golden_verdicts_and_their_lines(name: str, caller: str | None, verdict: str, line: int) -> None:
    ruling = read(golden(f"{name}-in.yaml")).judge(call_of(caller))

    assert (ruling.verdict, ruling.line) == (verdict, line)


def test_another_callee_is_not_spoken_of() -> None:
    ruling = read(golden("allow-nil-rule-in.yaml")).judge(Call("ratings.foo", caller="web.foo"))

    assert ruling == Ruling("unknown", "no_manifest")
