"""Tables of the analysis go when no later step reads them, and nothing that is read is gone."""

from __future__ import annotations

import duckdb
import pytest
from drawing import CLIENT, SERVER, draw, span
from drawn_shop import faulty_spans, good_spans
from shop_policy import settings, vercel

from bindtrace.queries.analyse import analyse
from bindtrace.queries.lifetimes import found_in
from bindtrace.queries.policy import install_policy


def temporary(con: duckdb.DuckDBPyConnection) -> set[str]:
    names = con.execute("select table_name from duckdb_tables() where temporary").fetchall()
    return {name for (name,) in names} & {"nodes", "traits", "walk", "calls", "sightings", "judged"}


def test_a_table_goes_after_the_last_step_that_names_it_or_a_view_of_it() -> None:
    steps = [
        ("one", "create or replace temp table one as select 1"),
        ("two", "create or replace temp view two as select * from one"),
        ("three", "create or replace temp table three as select * from two"),
        ("four", "select * from three"),
        ("five", "select 2"),
    ]

    assert found_in(steps) == {"three": ("one",), "four": ("three",)}


def test_what_a_repair_names_stays_until_the_walk_is_done() -> None:
    steps = [
        ("nodes", "create or replace temp table nodes as select 1"),
        ("walk", "create or replace temp table walk as select 2"),
        ("store", "select * from walk"),
    ]

    assert found_in(steps, ["delete from nodes"]) == {"walk": ("nodes",), "store": ("walk",)}


def test_a_run_leaves_no_large_table_unless_it_is_asked_to(con: duckdb.DuckDBPyConnection) -> None:
    install_policy(con, [vercel(), settings()])
    draw(con, *good_spans(), *faulty_spans())

    analyse(con)
    left = temporary(con)
    draw(
        con,
        span("web", SERVER, 91, trace=9),
        span("web", CLIENT, 92, 91, trace=9),
        span("api", SERVER, 93, 92, trace=9),
    )
    analyse(con, keep_steps=True)

    assert left == set()
    assert len(temporary(con)) == 6


def test_a_run_that_fails_leaves_no_large_table(con: duckdb.DuckDBPyConnection) -> None:
    install_policy(con, [vercel(), settings()])
    draw(con, *good_spans(), *faulty_spans())
    con.execute("alter table address_ranges rename to hidden")

    with pytest.raises(duckdb.Error):
        analyse(con)
    left = temporary(con)
    con.execute("alter table hidden rename to address_ranges")
    analyse(con)

    assert left == set()
    assert con.execute("select count(*) > 0 from hops").fetchone() == (True,)
