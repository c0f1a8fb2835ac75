"""One evaluator for the policies of meshes and proxies: stages, ranks, and what a call does not show."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindtrace.propagation.conditions import (
    ALWAYS,
    NEVER,
    Condition,
    Known,
    either,
    every,
    from_json,
    hidden,
    named,
    negation,
)
from bindtrace.propagation.conditions import test as shows
from bindtrace.propagation.matching import Matcher, can_follow, matches
from bindtrace.propagation.policies import Clause, Definition, Policies, Policy, PolicyAction
from bindtrace.propagation.workloads import Call, Workload

GET = shows("method", Matcher("exact", "GET"))
LEDGER = shows("callee_name", Matcher("exact", "ledger"))


def policy(
    action: PolicyAction,
    *conditions: Condition,
    applies: Condition = LEDGER,
    stage: int = 0,
    rank: int = 0,
    line: int = 1,
    enforced: bool = True,
) -> Policy:
    clauses = tuple(Clause(condition, line + 1 + n) for n, condition in enumerate(conditions))
    return Policy("istio", "", "p", action, stage, applies, clauses, "p.yaml", line, rank, enforced)


def said(call: Call, *policies: Policy) -> tuple[str, str, int]:
    ruling = Policies(policies).judge(call)
    return ruling.verdict, ruling.reason, ruling.line


def test_an_allow_policy_lets_through_what_meets_it_and_nothing_else() -> None:
    only_get = policy("allow", GET)

    assert said(Call("ledger", method="GET"), only_get) == ("allowed", "declared", 2)
    assert said(Call("ledger", method="POST"), only_get) == ("denied", "undeclared", 1)


def test_what_the_call_does_not_show_is_unknown_and_named() -> None:
    ruling = Policies([policy("allow", GET)]).judge(Call("ledger"))

    assert (ruling.verdict, ruling.reason, ruling.missing) == ("unknown", "not_shown", ("method",))


def test_what_does_not_matter_is_not_asked_for() -> None:
    anyone = policy("allow", GET, ALWAYS)

    assert said(Call("ledger"), anyone) == ("allowed", "declared", 3)


def test_a_denial_stands_above_an_allowance() -> None:
    both = policy("deny", GET, stage=1), policy("allow", ALWAYS, stage=2)

    assert said(Call("ledger", method="GET"), *both) == ("denied", "forbidden", 2)
    assert said(Call("ledger", method="POST"), *both) == ("allowed", "declared", 2)
    assert said(Call("ledger"), *both)[0] == "unknown"


def test_a_callee_that_no_policy_selects_is_not_judged() -> None:
    assert said(Call("orders", method="POST"), policy("allow", GET)) == ("unknown", "no_manifest", 0)


def test_a_callee_with_denials_only_is_open_for_the_rest() -> None:
    assert said(Call("ledger", method="POST"), policy("deny", GET, line=7)) == ("allowed", "declared", 7)


def test_a_policy_without_clauses_lets_nothing_through() -> None:
    assert said(Call("ledger"), policy("allow")) == ("denied", "undeclared", 1)


def test_an_external_authorizer_makes_it_unknown() -> None:
    ruling = Policies([policy("external", GET, stage=-1), policy("allow", ALWAYS)]).judge(
        Call("ledger", method="GET")
    )

    assert (ruling.verdict, ruling.missing) == ("unknown", ("the answer of p's authorizer",))


def test_every_stage_must_be_passed() -> None:
    two = policy("allow", GET, stage=0), policy("allow", NEVER, stage=1)

    assert said(Call("ledger", method="GET"), *two)[0] == "denied"


def test_a_dry_run_judges_nothing() -> None:
    assert said(Call("ledger"), policy("deny", ALWAYS, enforced=False))[0] == "unknown"


def test_the_highest_rank_that_applies_counts_alone() -> None:
    grpc = every(LEDGER, shows("port", Matcher("exact", "81")))
    two = policy("allow", ALWAYS, rank=0), policy("allow", NEVER, applies=grpc, rank=1, line=5)

    assert said(Call("ledger", port="81"), *two) == ("denied", "undeclared", 5)
    assert said(Call("ledger", port="80"), *two) == ("allowed", "declared", 2)
    assert said(Call("ledger"), *two)[0] == "unknown"


def test_where_both_ways_agree_it_does_not_matter_which_applies() -> None:
    grpc = every(LEDGER, shows("port", Matcher("exact", "81")))

    assert said(Call("ledger"), policy("allow", ALWAYS, applies=grpc, rank=1))[0] == "allowed"
    assert (
        said(Call("ledger"), policy("allow", NEVER), policy("allow", NEVER, applies=grpc, rank=1))[0]
        == "denied"
    )


def test_required_protection_denies_only_what_shows_that_it_lacks_it() -> None:
    strict = policy("require", shows("protection", Matcher("exact", "mtls"))), policy("allow", ALWAYS)

    assert said(Call("ledger", protection="plaintext"), *strict) == ("denied", "forbidden", 1)
    assert said(Call("ledger", protection="unknown"), *strict)[0] == "allowed"
    assert said(Call("ledger", protection="mtls"), *strict)[0] == "allowed"


def test_a_plaintext_call_has_no_identity_so_a_negative_match_lets_it_through() -> None:
    """The trap of ISTIO-SECURITY-2021-004."""
    not_orders = negation(shows("caller_namespace", Matcher("exact", "orders")))

    assert said(Call("ledger", protection="plaintext"), policy("allow", not_orders))[0] == "allowed"
    assert said(Call("ledger", caller_namespace="orders"), policy("allow", not_orders))[0] == "denied"
    assert said(Call("ledger"), policy("allow", not_orders))[0] == "unknown"


def test_the_identity_is_the_proven_one_before_the_name() -> None:
    from_shop = policy("allow", shows("caller_namespace", Matcher("exact", "shop")))
    proven = Call("ledger", caller="orders.shop", caller_id="spiffe://cluster.local/ns/other/sa/orders")

    assert said(proven, from_shop)[0] == "denied"
    assert said(Call("ledger", caller="orders.shop"), from_shop)[0] == "allowed"


def test_the_account_of_a_workload_that_a_manifest_names_is_known() -> None:
    by_account = policy("allow", shows("caller_service_account", Matcher("exact", "payer")))
    workload = Workload("orders", "shop", (("app", "orders"),), "payer", (), "d.yaml", 1)

    def verdict(*workloads: Workload) -> str:
        return Policies([by_account], workloads=workloads).judge(Call("ledger", caller="orders.shop")).verdict

    assert verdict(workload) == "allowed"
    assert verdict() == "unknown"


def test_a_label_that_the_workload_lacks_is_not_there() -> None:
    version = policy("allow", ALWAYS, applies=shows("callee_label:version", Matcher("exact", "v1")))
    workload = Workload("ledger", "shop", (("app", "ledger"),), "default", (), "d.yaml", 1)

    assert Policies([version], workloads=[workload]).judge(Call("ledger.shop")).reason == "no_manifest"
    assert Policies([version]).judge(Call("ledger.shop", labels=(("version", "v2"),))).reason == "no_manifest"


def test_what_a_policy_names_is_found_wherever_it_is_defined() -> None:
    server = policy("allow", GET, applies=named("server web"))
    web = Definition("server web", LEDGER, "s.yaml", 1)

    assert Policies([server], [web]).judge(Call("ledger", method="GET")).verdict == "allowed"
    assert Policies([server]).judge(Call("ledger", method="POST")).missing == ("server web",)


def test_asked_are_the_fields_that_some_policy_tells_calls_apart_by() -> None:
    policies = Policies([policy("allow", GET, applies=named("x"))], [Definition("x", LEDGER, "f", 1)])

    assert policies.asks == {"method", "callee_name"}


VALUES = st.sampled_from(["a", "b"])
SELECTORS = st.lists(
    st.tuples(st.sampled_from(["callee_name", "callee_namespace", "callee_label:v"]), VALUES), max_size=2
).map(lambda tests: every(*(shows(field, Matcher("exact", value)) for field, value in tests)))
POLICIES = st.lists(
    st.builds(
        lambda action, applies, clause, rank: policy(action, clause, applies=applies, rank=rank),
        st.sampled_from(["allow", "deny", "require"]),
        SELECTORS | SELECTORS.map(negation),
        st.sampled_from([GET, ALWAYS]),
        st.integers(0, 1),
    ),
    max_size=5,
)  # fmt: skip


@given(POLICIES, VALUES, st.none() | VALUES, st.none() | VALUES, st.sampled_from([None, "GET", "PUT"]))
def test_the_index_leaves_out_none_that_may_apply(
    policies: list[Policy], name: str, namespace: str | None, version: str | None, method: str | None
) -> None:
    labels = (("v", version),) if version else ()
    call = Call(name, callee_namespace=namespace, labels=labels, method=method)
    # `either` of one and never is the same condition, but no single value can be read off it
    hidden_from_index = [
        replace(one, applies=Condition("either", parts=(one.applies, NEVER))) for one in policies
    ]

    assert Policies(policies).judge(call).verdict == Policies(hidden_from_index).judge(call).verdict
    assert Policies(policies).judge(call).reason == Policies(hidden_from_index).judge(call).reason


LEAVES = st.sampled_from([GET, LEDGER, hidden("a header"), ALWAYS, NEVER])
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda c: every(*c))
        | st.lists(inner, max_size=3).map(lambda c: either(*c))
        | inner.map(negation)
    ),
    max_leaves=8,
)


@given(CONDITIONS)
def test_a_condition_survives_json(condition: Condition) -> None:
    assert from_json(condition.as_json()) == condition


@given(CONDITIONS)
def test_what_is_known_of_half_a_call_never_contradicts_the_whole(condition: Condition) -> None:
    whole = {"method": "GET", "callee_name": "orders"}
    halves = [
        {k: whole[k] for k, kept in zip(whole, keep, strict=True) if kept}
        for keep in product((0, 1), repeat=2)
    ]

    answers = {condition.answer(Known(half)).holds for half in halves}

    assert not {True, False} <= answers


@pytest.mark.parametrize(
    ("matcher", "value", "result"),
    [
        (Matcher("exact", "GET"), "get", False),
        (Matcher("exact", "GET", ignore_case=True), "get", True),
        (Matcher("prefix", "/api"), "/api/x", True),
        (Matcher("suffix", "/x"), "/api/x", True),
        (Matcher("contains", "p"), "/api", True),
        (Matcher("present"), "", False),
        (Matcher("template", "/a/{*}/c"), "/a/b/c", True),
        (Matcher("template", "/a/{*}/c"), "/a/b/b/c", False),
        (Matcher("template", "/a/{*}"), "/a/", False),
        (Matcher("template", "/a/{**}"), "/a/b/c", True),
        (Matcher("template", "/a/{**}/z"), "/a/z", True),
        (Matcher("template", "/a/{**}/z"), "/a/b/c", False),
        (Matcher("regex", "/v[0-9]+/.*"), "/v12/x", True),
        (Matcher("regex", "/v[0-9]+/.*"), "x/v12/x", False),
        (Matcher("cidr", "10.0.0.0/8"), "10.1.2.3", True),
        (Matcher("cidr", "10.0.0.0/8"), "::1", False),
        (Matcher("cidr", "10.0.0.0/8"), "nonsense", False),
        (Matcher("range", "80-90"), "89", True),
        (Matcher("range", "80-90"), "90", False),
        (Matcher("range", "80-90"), "x", False),
    ],
)
def test_texts_match(matcher: Matcher, value: str, result: bool) -> None:
    assert matches(matcher, value) is result


@pytest.mark.parametrize("regex", ["(a+)+b", "(?=x)y", r"(a)\1", "(", ".*a.*b.*c", "(a|b)*", r"\p{L}"])
def test_an_expression_that_could_run_away_or_differs_from_re2_is_not_followed(regex: str) -> None:
    assert not can_follow(regex)
    assert matches(Matcher("regex", regex), "aaaa") is None


def test_a_long_text_is_not_run_through_an_expression() -> None:
    assert matches(Matcher("regex", ".*a.*"), "b" * 5000) is None


def test_the_port_that_a_caller_names_is_the_callees_only_where_a_manifest_has_it() -> None:
    """A Kubernetes Service may lead port 80 to port 8080 of the pod."""
    on_80 = policy("allow", shows("port", Matcher("exact", "80")))

    def verdict(*ports: tuple[str, int]) -> str:
        workload = Workload("ledger", "shop", (), "default", ports, "d.yaml", 1)
        return Policies([on_80], workloads=[workload]).judge(Call("ledger.shop", called_port="80")).verdict

    assert verdict(("http", 80)) == "allowed"
    assert verdict(("http", 8080)) == "unknown"


def test_no_policy_of_a_mesh_speaks_of_a_callee_that_another_platform_runs() -> None:
    whole = policy("allow", applies=shows("callee_namespace", Matcher("exact", "shop")))
    by_label = policy("allow", applies=shows("callee_label:app", Matcher("exact", "ledger")))
    workload = Workload("ledger", "shop", (("app", "ledger"),), "default", (), "d.yaml", 1)

    for one in (whole, by_label):
        assert Policies([one]).judge(Call("ledger", outside=True)).reason == "no_manifest"
        assert Policies([one], workloads=[workload]).judge(Call("ledger", outside=True)).verdict == "denied"
    assert Policies([whole]).judge(Call("ledger")).verdict == "unknown"
