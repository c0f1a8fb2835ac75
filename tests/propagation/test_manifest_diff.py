"""What differs between two manifests, and whether it lets more through."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bindtrace.propagation.conditions import ALWAYS
from bindtrace.propagation.conditions import test as shows
from bindtrace.propagation.manifest import Accepted, DeclaredService, Default, Exposure, Grant, Manifest
from bindtrace.propagation.manifest_diff import differences, exposure_of
from bindtrace.propagation.matching import Matcher
from bindtrace.propagation.policies import Clause, Policy

GRANT = Grant("vercel", "shop", None, "orders", "ledger", "LEDGER_URL", "vercel.json", 7)
ROUTE = Exposure("vercel", "shop", "ledger", "/ledger", "^/ledger$", "vercel.json", 9)
LEDGER = DeclaredService("vercel", "shop", "ledger", None, "vercel.json", 3)
REFUSE = Default("istio", "mesh", "ledger", "deny", "policy.yaml", 4)
ACCEPTED = Accepted("public-route", "orders", None, "moves soon", 10, "bindtrace.toml", 2)


def manifest(**parts: Any) -> list[Manifest]:
    return [Manifest("vercel.json", "vercel", "shop", "1", **parts)]


def told(before: list[Manifest], after: list[Manifest]) -> list[tuple[str, str, str]]:
    return [(one.change, one.what, one.effect) for one in differences(before, after)]


def test_a_line_that_moved_is_no_difference() -> None:
    assert told(manifest(grants=(GRANT,)), manifest(grants=(replace(GRANT, line=99, file="b.json"),))) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {"grants": (GRANT,)}, ("added", "grant", "widens")),
        ({"grants": (GRANT,)}, {}, ("removed", "grant", "narrows")),
        ({}, {"grants": (replace(GRANT, action="deny"),)}, ("added", "grant", "narrows")),
        ({"grants": (replace(GRANT, action="deny"),)}, {}, ("removed", "grant", "widens")),
        ({"grants": (GRANT,)}, {"grants": (replace(GRANT, binding="URL"),)}, ("changed", "grant", "neither")),
        (
            {"grants": (replace(GRANT, methods=("GET",)),)},
            {"grants": (GRANT,)},
            ("changed", "grant", "widens"),
        ),
        (
            {"grants": (replace(GRANT, methods=("GET", "POST")),)},
            {"grants": (replace(GRANT, methods=("GET",)),)},
            ("changed", "grant", "narrows"),
        ),
        (
            {"grants": (replace(GRANT, paths=("^/a$",)),)},
            {"grants": (replace(GRANT, paths=("^/b$",)),)},
            ("changed", "grant", "neither"),
        ),
        (
            {"grants": (GRANT,)},
            {"grants": (replace(GRANT, protection="mtls"),)},
            ("changed", "grant", "narrows"),
        ),
        (
            {"grants": (replace(GRANT, action="deny", methods=("GET",)),)},
            {"grants": (replace(GRANT, action="deny"),)},
            ("changed", "grant", "narrows"),
        ),
        ({"defaults": (REFUSE,)}, {}, ("removed", "default", "widens")),
        (
            {"defaults": (REFUSE,)},
            {"defaults": (replace(REFUSE, action="allow"),)},
            ("changed", "default", "widens"),
        ),
        ({}, {"accepted": (ACCEPTED,)}, ("added", "exception", "widens")),
        (
            {"accepted": (ACCEPTED,)},
            {"accepted": (replace(ACCEPTED, until_unix_nano=5),)},
            ("changed", "exception", "narrows"),
        ),
        (
            {"services": (replace(LEDGER, exposure="public"),)},
            {"services": (LEDGER,)},
            ("changed", "service", "narrows"),
        ),
    ],
)
def test_a_difference_says_whether_more_gets_through(
    before: dict[str, Any], after: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    assert told(manifest(**before), manifest(**after)) == [expected]


def test_a_route_makes_its_service_public_by_that_line() -> None:
    found = differences(manifest(services=(LEDGER,)), manifest(services=(LEDGER,), exposures=(ROUTE,)))

    assert [(one.what, one.before, one.after, one.line) for one in found] == [
        ("exposure", None, "route /ledger", 9),
        ("service", "internal", "public", 9),
    ]


def test_two_bindings_of_one_pair_are_told_apart() -> None:
    second = replace(GRANT, binding="LEDGER_ADMIN_URL", line=8)

    found = differences(manifest(grants=(GRANT, second)), manifest(grants=(second,)))

    assert [(one.change, one.before) for one in found] == [("removed", "allow by LEDGER_URL")]


def test_what_lets_more_through_comes_first() -> None:
    other = replace(GRANT, caller="billing")

    found = differences(manifest(grants=(GRANT,)), manifest(grants=(other,), exposures=(ROUTE,)))

    assert [one.effect for one in found] == ["widens", "widens", "narrows"]


def test_exposure_is_what_several_manifests_say_together() -> None:
    files = manifest(services=(LEDGER,)) + manifest(exposures=(ROUTE,))

    assert exposure_of(files) == {"ledger": "public"}


DENY = Policy(
    "istio",
    "shop",
    "ledger",
    "deny",
    2,
    ALWAYS,
    (Clause(shows("method", Matcher("exact", "PUT")), 9),),
    "p.yaml",
    4,
)


def test_a_policy_that_denies_narrows_and_one_that_allows_says_so_by_its_grants() -> None:
    assert told(manifest(), manifest(policies=(DENY,))) == [("added", "policy", "narrows")]
    assert told(manifest(policies=(DENY,)), manifest()) == [("removed", "policy", "widens")]
    assert told(manifest(), manifest(policies=(replace(DENY, action="allow"),))) == [
        ("added", "policy", "neither")
    ]
    assert (
        told(manifest(policies=(DENY,)), manifest(policies=(replace(DENY, enforced=False),)))[0][2]
        == "widens"
    )


def test_a_policy_whose_lines_moved_is_no_difference_and_one_that_asks_otherwise_tells_what() -> None:
    moved = replace(DENY, line=40, clauses=(Clause(DENY.clauses[0].condition, 45),))
    other = replace(DENY, clauses=(Clause(shows("method", Matcher("exact", "POST")), 9),))

    assert told(manifest(policies=(DENY,)), manifest(policies=(moved,))) == []
    (one,) = differences(manifest(policies=(DENY,)), manifest(policies=(other,)))
    assert (one.before, one.after) == ("ledger (deny): method=PUT", "ledger (deny): method=POST")
