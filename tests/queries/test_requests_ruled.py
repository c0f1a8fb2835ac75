"""Grants for some requests, and the policies of meshes: what they make of a call's verdict, and by which line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import duckdb
import pytest
from drawing import CLIENT, NOON, SERVER, draw, span
from shop_policy import settings, vercel

from bindtrace.propagation.conditions import every
from bindtrace.propagation.conditions import test as shows
from bindtrace.propagation.manifest import Default, Grant, Manifest
from bindtrace.propagation.matching import Matcher
from bindtrace.propagation.policies import Clause, Policy
from bindtrace.propagation.workloads import Workload
from bindtrace.queries.analyse import analyse
from bindtrace.queries.policy import install_policy
from bindtrace.queries.stored_policies import policies_from, rows_of

Con = duckdb.DuckDBPyConnection
TOML = "bindtrace.toml"
READS = Grant(
    "bindtrace", "", None, "storefront", "ledger", None, TOML, 50, methods=("GET",), paths=("^/book/.*$",)
)
MESH = "spiffe://cluster.local/ns/shop/sa"


def is_(field: str, text: str) -> Any:
    return shows(field, Matcher("exact", text))


def policy(action: Any, *clauses: Any, stage: int = 2, line: int = 8) -> Policy:
    return Policy(
        "istio", "shop", "ledger", action, stage, is_("callee_name", "ledger"),
        tuple(Clause(clause, line) for clause in clauses), "mesh.yaml", line,
    )  # fmt: skip


def mesh(*policies: Policy) -> Manifest:
    return Manifest("mesh.yaml", "istio", "shop", "m1", policies=policies)


def called(
    con: Con, *, method: str | None = "GET", path: str | None = "/book/7", **callee: Any
) -> tuple[Any, ...]:
    draw(
        con,
        span("storefront", CLIENT, 1, http_method=method, url_path=path),
        span("ledger-api", SERVER, 2, 1, **callee),
    )
    analyse(con)
    (row,) = con.execute("select verdict, reason, grant_file, grant_line from hops").fetchall()
    return row


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/book/7", ("allowed", "declared", TOML, 50)),
        ("POST", "/book/7", ("denied", "route_not_allowed", TOML, 50)),
        ("GET", "/admin", ("denied", "route_not_allowed", TOML, 50)),
        (None, "/book/7", ("unknown", "not_shown", TOML, 50)),
        (None, "/admin", ("denied", "route_not_allowed", TOML, 50)),
    ],
)
def test_a_grant_with_methods_and_paths_is_for_those_requests(
    con: Con, method: str | None, path: str, expected: tuple[Any, ...]
) -> None:
    install_policy(con, [vercel(), replace(settings(), grants=(READS,))])

    assert called(con, method=method, path=path) == expected


def test_a_grant_for_all_requests_comes_before_one_for_some(con: Con) -> None:
    install_policy(
        con, [vercel(), replace(settings(), grants=(READS, replace(READS, methods=(), paths=(), line=60)))]
    )

    assert called(con, method="DELETE")[:2] == ("allowed", "declared")


def test_paths_are_told_apart_only_where_somebody_asks(con: Con) -> None:
    install_policy(con, [vercel(), settings(), mesh(policy("allow", is_("method", "GET")))])
    for number in range(5):
        draw(
            con,
            span("storefront", CLIENT, 1, trace=number + 1, http_method="GET", url_path=f"/book/{number}"),
            span("ledger-api", SERVER, 2, 1, trace=number + 1),
        )
    analyse(con, keep_steps=True)

    assert con.execute("select count(*) from requests_seen").fetchone() == (1,)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([policy("allow", is_("method", "GET"))], ("allowed", "declared", "mesh.yaml", 8)),
        ([policy("allow", is_("method", "PUT"))], ("denied", "undeclared", "mesh.yaml", 8)),
        ([policy("allow", is_("method", "GET")), policy("deny", is_("path", "/book/7"), stage=1, line=3)],
         ("denied", "forbidden", "mesh.yaml", 3)),
        ([policy("allow", is_("request_header:x", "1"))], ("unknown", "not_shown", "mesh.yaml", 8)),
    ],
)  # fmt: skip
def test_a_meshs_policy_rules_whatever_else_is_declared(
    con: Con, rules: list[Policy], expected: tuple[Any, ...]
) -> None:
    install_policy(con, [settings(), mesh(*rules)])

    assert called(con) == expected


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (f"{MESH}/storefront", ("allowed", "declared")),
        (f"{MESH}/other", ("denied", "undeclared")),
        (None, ("unknown", "not_shown")),
    ],
)
def test_an_identity_is_what_a_certificate_proved(
    con: Con, identity: str | None, expected: tuple[str, str]
) -> None:
    wanted = shows("caller_id", Matcher("exact", f"{MESH}/storefront"))
    install_policy(con, [settings(), mesh(policy("allow", wanted))])

    assert called(con, peer_id=identity)[:2] == expected


def test_a_rule_that_denies_asks_nothing_of_a_caller_that_is_not_known(con: Con) -> None:
    install_policy(con, [settings(), mesh(policy("deny", is_("method", "GET"), stage=1))])
    draw(con, span("ledger-api", SERVER, 2, http_method="GET"))
    analyse(con)

    assert con.execute("select caller, verdict, reason from hops").fetchall() == [
        (None, "denied", "forbidden")
    ]


def test_policies_of_their_time_rule(con: Con) -> None:
    install_policy(con, [settings(), mesh(policy("deny", is_("method", "GET"), stage=1))], NOON - 100)
    install_policy(
        con, [settings(), replace(mesh(policy("allow", is_("method", "GET"))), revision="m2")], NOON - 50
    )

    assert called(con)[:2] == ("allowed", "declared")


@pytest.mark.parametrize(
    ("action", "expected"), [("allow", ("allowed", "declared")), ("deny", ("denied", "undeclared"))]
)
def test_a_default_judges_the_calls_of_which_no_grant_speaks(
    con: Con, action: Any, expected: tuple[str, str]
) -> None:
    default = Default("appmesh", "", "ledger", action, "mesh.json", 2)
    install_policy(con, [settings(), Manifest("mesh.json", "appmesh", "", "d1", defaults=(default,))])

    assert called(con)[:2] == expected


def test_policies_are_the_same_when_read_back() -> None:
    either = shows("path", Matcher("prefix", "/a"), Matcher("exact", "/z"))
    manifest = replace(
        mesh(policy("allow", every(is_("method", "GET"), either))),
        workloads=(
            Workload("ledger", "shop", (("app", "ledger"),), "ledger-sa", (("http", 80),), "mesh.yaml", 4),
        ),
    )

    stored = [(kind, content) for _, kind, content, _ in rows_of(manifest)]

    again = policies_from(stored)
    assert again.asks == {"method", "path", "callee_name"}
    assert again.enforced == manifest.policies


def test_a_policy_for_a_whole_namespace_leaves_the_services_of_other_platforms_alone(con: Con) -> None:
    whole = replace(policy("allow"), applies=is_("callee_namespace", "shop"))
    granted = replace(settings(), grants=(replace(READS, methods=(), paths=()),))
    install_policy(con, [vercel(), granted, mesh(whole)])

    assert called(con) == ("allowed", "declared", TOML, 50)


def test_a_grant_for_some_requests_that_only_a_deployment_has_is_for_the_calls_that_it_fits(con: Con) -> None:
    narrow = replace(vercel(), grants=())
    own = replace(narrow, revision="old", file="deploy-manifest.json", deployment="dpl_9", grants=(READS,))
    install_policy(con, [narrow, own, settings()], NOON - 2)
    install_policy(con, [narrow, settings()], NOON - 1)
    for trace, method in enumerate(("GET", "PUT"), 1):
        draw(
            con,
            span(
                "storefront",
                CLIENT,
                1,
                trace=trace,
                deployment="dpl_9",
                http_method=method,
                url_path="/book/7",
            ),
            span("ledger-api", SERVER, 2, 1, trace=trace),
        )
    analyse(con)

    assert con.execute("select http_method, verdict, reason from hops order by all").fetchall() == [
        ("GET", "allowed", "declared"),
        ("PUT", "denied", "route_not_allowed"),
    ]
