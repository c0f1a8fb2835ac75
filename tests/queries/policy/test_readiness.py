"""Readiness: three answers per binding, and a margin where calls were sampled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result
from drawing import CLIENT, DAY_MS, SERVER, S, draw, span
from drawn_shop import UNDECLARED_ID, faulty_spans, good_spans, write_shop

from bindtrace.propagation.command import bindtrace
from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.policy_commands.readiness import KEYS, judged
from bindtrace.queries.query import Query

ROW: dict[str, Any] = {"calls": 100, "passes": 100, "refused": 0, "days": 9, "share_at_least": 1.0}


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(bindtrace, ["policy", "readiness", *map(str, words)])


def calls(number: int, *, days: int = 1, state: str | None = None) -> list[S]:
    """So many calls of orders to inventory, spread over days."""
    return [
        one
        for n in range(number)
        for one in (
            span("orders", CLIENT, 1, trace=n + 1, at_ms=n % days * DAY_MS, trace_state=state),
            span("inventory", SERVER, 2, 1, trace=n + 1, at_ms=n % days * DAY_MS, trace_state=state),
        )
    ]


def row(con: duckdb.DuckDBPyConnection, caller: str = "orders", callee: str = "inventory") -> dict[str, Any]:
    analyse(con)
    return run_report(con, "readiness", Query(filters={"caller": caller, "callee": callee}))[0]


@pytest.mark.parametrize(
    ("changed", "ready", "why"),
    [
        ({}, "yes", "every call that was seen passes"),
        ({"refused": 1, "passes": 99}, "no", "1 of 100 would be refused"),
        ({"passes": 98}, "unknown", "2 could not be judged"),
        ({"days": 3}, "unknown", "seen on 3 of 7 days"),
        ({"share_at_least": 0.97}, "unknown", "too few calls to be sure of 99%"),
        ({"calls": 0, "passes": 0, "share_at_least": None}, "unknown", "no call was seen"),
    ],
)
def test_each_reason_against_has_its_answer(changed: dict[str, Any], ready: str, why: str) -> None:
    answer = judged(ROW | changed, 7, 0.99)

    assert (answer["ready"], answer["why"]) == (ready, why)


def test_days_passes_and_reasons_are_counted(shop: duckdb.DuckDBPyConnection) -> None:
    draw(shop, *calls(7, days=3), *faulty_spans())

    passes, refused = row(shop), row(shop, "storefront", "ledger")

    assert (passes["calls"], passes["passes"], passes["days"], passes["line"]) == (8, 8, 3, 23)
    assert (refused["refused"], refused["reasons"]) == (1, {"undeclared": 1})
    assert refused["example_trace_id"] == UNDECLARED_ID


@pytest.mark.parametrize(
    ("state", "sampling", "at_least"),
    [
        ("ot=th:0", 1.0, 1.0),
        ("ot=th:8", 0.5, 0.7870),
        (None, None, 0.7870),
        ("x=1,ot=rv:1;th:c", 0.25, 0.7870),
    ],
)
def test_what_was_sampled_is_known_with_a_margin(
    shop: duckdb.DuckDBPyConnection, state: str | None, sampling: float | None, at_least: float
) -> None:
    draw(shop, *calls(10, state=state))

    found = row(shop)

    assert (found["share"], found["sampling"]) == (1.0, sampling)
    assert found["share_at_least"] == pytest.approx(at_least, abs=1e-4)


def test_more_calls_narrow_the_margin(shop: duckdb.DuckDBPyConnection) -> None:
    draw(shop, *calls(80))

    assert row(shop)["share_at_least"] == pytest.approx(80 / (80 + 2.7055), abs=1e-4)


def test_a_grant_without_a_call_is_unknown_and_not_ready(shop: duckdb.DuckDBPyConnection) -> None:
    draw(shop, *good_spans())

    found = row(shop, "billing", "ledger")

    assert (found["calls"], found["share"], found["binding"]) == (0, None, "LEDGER_URL")
    assert judged(found, 1, 0.0)["ready"] == "unknown"


@pytest.mark.slow
def test_the_command_fails_where_calls_would_be_refused(tmp_path: Path) -> None:
    db = write_shop(tmp_path / "shop.duckdb")

    all_of_them = run("--db", db, "-f", "json")
    one = run("--db", db, "--caller", "orders", "--callee", "inventory", "--days", "1", "--share", "0")

    assert (all_of_them.exit_code, one.exit_code) == (1, 0)
    assert {tuple(found) for found in json.loads(all_of_them.stdout)} == {KEYS}
    assert "1 ready" in one.stderr


@pytest.mark.parametrize("words", [("--days", "0"), ("--share", "1.5"), ("--since", "soon")])
def test_what_makes_no_sense_is_refused(words: tuple[str, str]) -> None:
    assert run(*words).exit_code == 2
