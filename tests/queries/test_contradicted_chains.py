"""A chain with a call whose witnesses disagree is told of wherever chains are, however good its verdict is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click.testing
import duckdb
import pytest
from drawing import CLIENT, SERVER, S, draw, span
from grading import ORDERS, VERIFIED
from shop_policy import settings, vercel

from bindtrace.propagation.command import bindtrace
from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import open_database
from bindtrace.queries.drawing.facts import violating
from bindtrace.queries.policy import install_policy
from bindtrace.queries.query import Query
from bindtrace.queries.web.layout import View
from bindtrace.queries.web.pages import chains_table


def spans() -> tuple[S, ...]:
    """All is granted; but who calls orders says that it is billing, and mail is sent to nobody who was seen."""
    return (
        span("storefront", CLIENT, 2, trace=1, at_ms=1, ms=80),
        span("orders", SERVER, 3, 2, trace=1, at_ms=2, ms=70, claimed_caller="billing"),
        span("orders", CLIENT, 4, 3, trace=1, at_ms=3, ms=60),
        span("inventory", SERVER, 5, 4, trace=1, at_ms=4, ms=50),
        span("billing", CLIENT, 1, trace=2),
        span("ledger-api", SERVER, 2, 1, trace=2),
        span("mail", CLIENT, 1, trace=3),
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("contradicted") / "bindtrace.duckdb"
    con = open_database(path)
    install_policy(con, [vercel(), settings()])
    draw(con, *spans())
    analyse(con)
    con.close()
    return path


@pytest.fixture
def rows(file: Path) -> list[dict[str, Any]]:
    con = duckdb.connect(file, read_only=True)
    found = run_report(con, "chains", Query())
    con.close()
    return found


def run(*words: str | Path) -> str:
    result = click.testing.CliRunner().invoke(bindtrace, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_chain_has_the_worst_grade_that_its_calls_have(rows: list[dict[str, Any]]) -> None:
    assert {row["signature"][-1]: row["grade"] for row in rows} == {
        "inventory": "contradicted", "ledger": "claimed", "(unseen)": "claimed",
    }  # fmt: skip


@pytest.mark.parametrize(("peer", "grade"), [(None, "verified"), (ORDERS, "contradicted")])
def test_the_entry_of_a_chain_counts_only_where_its_witnesses_disagree(
    peer: str | None, grade: str, con: duckdb.DuckDBPyConnection
) -> None:
    """What comes from outside is inferred by its nature: it says nothing of the calls inside."""
    entered = VERIFIED | {"peer_id": peer} if peer else {}
    install_policy(con, [vercel(), settings()])
    draw(
        con,
        span("billing", SERVER, 1, ms=90, **entered),
        span("billing", CLIENT, 2, 1, at_ms=1, ms=80),
        span("ledger-api", SERVER, 3, 2, at_ms=2, ms=70, **VERIFIED),
    )
    analyse(con)

    assert [row["grade"] for row in run_report(con, "chains", Query())] == [grade]


def test_only_violations_are_also_chains_with_a_contradicted_call(file: Path) -> None:
    narrowed = json.loads(run("chains", "--db", file, "--only-violations", "-f", "json"))

    assert [(row["signature"], row["verdict"]) for row in narrowed] == [
        (["storefront", "orders", "inventory"], "allowed")
    ]


@pytest.mark.parametrize(
    ("words", "called"),
    [
        (("chains",), "inventory"),
        (("chains", "-f", "tree"), "inventory"),
        (("hops",), "orders"),
        (("edges",), "orders"),
    ],
)
def test_tables_do_not_call_it_allowed(file: Path, words: tuple[str, ...], called: str) -> None:
    heading, *lines = run(*words, "--db", file).splitlines()
    place = heading.index("VERDICT")
    told = {
        name: line[place:].split()[0] for line in lines for name in (called, "ledger") if f" {name} " in line
    }

    assert told == {called: "contradicted", "ledger": "allowed"}


def test_the_page_shows_it_as_a_violation(rows: list[dict[str, Any]]) -> None:
    wrong = [row for row in rows if violating(row)]
    page = str(chains_table(wrong, View()))

    assert 'class="wrong">storefront → orders → inventory' in page
    assert "contradicted" in page
    assert "ledger" not in page


def test_a_node_graph_colours_it_as_a_denied_one(file: Path) -> None:
    con = duckdb.connect(file, read_only=True)
    colours = {row["target"]: row["color"] for row in run_report(con, "graph_edges", Query())}
    con.close()

    assert (colours["orders"], colours["ledger"]) == ("#d55e00", "#0072b2")


@pytest.mark.parametrize("words", [("chains",), ("chains", "-f", "tree"), ("edges",), ("hops",)])
def test_a_callee_that_nobody_saw_has_one_name_in_every_table(file: Path, words: tuple[str, ...]) -> None:
    assert run(*words, "--db", file).count("(unseen)") == 1


def test_a_callee_that_nobody_saw_is_asked_for_by_that_name(file: Path) -> None:
    edges = json.loads(run("edges", "--db", file, "--callee", "(unseen)", "-f", "json"))
    chains = json.loads(run("chains", "--db", file, "--to", "(unseen)", "-f", "json"))

    assert [(row["caller"], row["callee"]) for row in edges] == [("mail", None)]
    assert [row["signature"] for row in chains] == [["mail", "(unseen)"]]
