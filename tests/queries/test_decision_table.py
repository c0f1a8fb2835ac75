"""The decision over every combination of facts: Python, the collector's own path, and the table as SQL agree."""

from __future__ import annotations

import duckdb
import pytest

from bindtrace.propagation.decision import TABLE, Facts, decide, every_combination
from bindtrace.queries import sql_files
from bindtrace.queries.analysis_steps import judge
from bindtrace.queries.ruling import replace_temp

NAMES = [f"fact_{field}" for field in Facts._fields]


@pytest.fixture
def judged(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Every combination of facts, as the analysis has them before it judges, three times over."""
    replace_temp(con, "facts", ", ".join(f"{name} varchar" for name in NAMES), every_combination() * 3)
    con.execute(sql_files.folder("analysis")["facts_seen"].text)
    judge(con, {})
    return con


def test_the_collector_decides_as_a_shim_does_and_once_per_combination(
    judged: duckdb.DuckDBPyConnection,
) -> None:
    rows = judged.execute(f"select {', '.join(NAMES)}, verdict, reason from decisions").fetchall()

    assert len(rows) == len(every_combination())
    assert {Facts(*row[:-2]): row[-2:] for row in rows} == {
        facts: decide(facts) for facts in every_combination()
    }


def test_the_table_says_the_same_as_sql(judged: duckdb.DuckDBPyConnection) -> None:
    cases = " ".join(
        f"when {_all_of(conditions)} then ('{verdict}', {repr(reason) if reason else 'fact_receiver'})"
        for conditions, verdict, reason in TABLE
    )

    differing = judged.execute(
        f"select * from decisions where (verdict, reason) <> case {cases} end"
    ).fetchall()

    assert differing == []


def _all_of(conditions: object) -> str:
    assert hasattr(conditions, "items")
    parts = [f"fact_{field} in ({', '.join(map(repr, values))})" for field, values in conditions.items()]
    return " and ".join(parts) or "true"


def test_a_reason_that_only_a_newer_shim_knows_judges_nothing(con: duckdb.DuckDBPyConnection) -> None:
    row = Facts("quantum_mismatch", "present", "service", "service", "yes", "unknown")
    replace_temp(con, "facts", ", ".join(f"{name} varchar" for name in NAMES), [row])
    con.execute(sql_files.folder("analysis")["facts_seen"].text)

    judge(con, {})

    assert con.execute("select fact_receiver, verdict, reason from decisions").fetchall() == [
        ("quantum_mismatch", "allowed", "declared")
    ]
