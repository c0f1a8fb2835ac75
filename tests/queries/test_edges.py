"""Edges are summed up by one column: its parts are the hops' own, whatever services are called; figures are exact."""

from __future__ import annotations

import duckdb
from drawing import CLIENT, SERVER, draw, span

from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.query import Query

ODD = ('a"b', "a\\", "a\x1fb", "a\x00b", "null", '["a"]', "é→", " ")
SIX = ("scope", "caller", "caller_env", "callee", "callee_env", "road")


def test_an_edge_is_of_the_hops_that_share_its_six_parts_and_of_no_other(
    con: duckdb.DuckDBPyConnection,
) -> None:
    number = 0
    for turn, callee in enumerate((*ODD, *ODD)):
        for caller in ODD:
            number += 10
            draw(
                con,
                span(caller, SERVER, number, trace=number, ms=90),
                span(caller, CLIENT, number + 1, number, trace=number, at_ms=1, ms=50),
                span(
                    callee,
                    SERVER,
                    number + 2,
                    number + 1,
                    trace=number,
                    at_ms=2,
                    ms=10 + turn,
                    error=turn > 9,
                ),
            )
    analyse(con)
    plain = con.execute(
        f"""
        select {", ".join(SIX)}, count(*), count(*) filter (error),
            round(quantile_cont(duration_nano, 0.5) / 1e6, 3), round(quantile_cont(duration_nano, 0.99) / 1e6, 3)
        from hops group by all
        """
    ).fetchall()

    rows = run_report(con, "edges", Query())
    told = [tuple(row[key] for key in (*SIX, "calls", "errors", "p50_ms", "p99_ms")) for row in rows]

    assert len(told) == len(ODD) * (len(ODD) + 1)
    assert sorted(told, key=repr) == sorted(plain, key=repr)
