"""Runs of the analysis: late spans, small bites and a run that fails end with the same hops."""

from __future__ import annotations

import random
import uuid

import duckdb
import pytest
from drawing import CLIENT, CONSUMER, INTERNAL, PRODUCER, SERVER, draw, span
from folding import hops

from bindtrace.queries.analyse import analyse, rebuild

Con = duckdb.DuckDBPyConnection


def test_a_late_span_reopens_its_trace(con: Con) -> None:
    draw(con, span("web", SERVER, 1), span("web", CLIENT, 2, 1, server_host="api.internal"))
    assert hops(con) == [(None, "web"), ("web", "api.internal")]

    draw(con, span("api", SERVER, 3, 2))

    assert hops(con) == [(None, "web"), ("web", "api")]


@pytest.mark.slow
def test_incremental_runs_and_a_rebuild_give_the_same_hops(con: Con) -> None:
    """Random traces cut into random loads."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    spans = [
        span(
            dice.choice("abcd"),
            dice.choice([SERVER, CLIENT, INTERNAL, PRODUCER, CONSUMER]),
            place,
            dice.choice([None, *range(1, place)]) if place > 1 else None,
            trace=dice.randrange(1, 6),
            at_ms=dice.random() * 100,
            component=dice.choice([None, None, "proxy"]),
        )
        for place in range(1, 120)
    ]
    dice.shuffle(spans)
    while spans:
        cut = dice.randrange(1, 30)
        draw(con, *spans[:cut])
        spans = spans[cut:]
        analyse(con)
    incremental = con.execute("from hops order by all").fetchall()

    rebuild(con)

    assert incremental
    assert con.execute("from hops order by all").fetchall() == incremental


@pytest.mark.slow
def test_runs_in_small_bites_end_with_the_same_hops_as_one_run(con: Con) -> None:
    for number in range(1, 8):
        draw(con, span("web", CLIENT, 1, trace=number), span("api", SERVER, 2, 1, trace=number))
    draw(con, span("db", SERVER, 3, 2, trace=1))

    analyse(con, spans_at_once=3)
    bites = con.execute("from hops order by all").fetchall()
    con.execute("delete from analysis")
    analyse(con)

    assert con.execute("from hops order by all").fetchall() == bites
    assert con.execute("select count(*), count(distinct trace_id) from traces").fetchone() == (7, 7)


def test_a_run_that_fails_leaves_hops_and_watermark_as_they_were(con: Con) -> None:
    draw(con, span("web", CLIENT, 1), span("api", SERVER, 2, 1))
    analyse(con)
    before = con.execute("from hops order by all").fetchall(), con.execute("from analysis").fetchall()
    draw(con, span("db", SERVER, 3, 2))
    con.execute("alter table address_ranges rename to hidden")

    with pytest.raises(duckdb.Error):
        analyse(con)
    con.execute("alter table hidden rename to address_ranges")

    assert (
        con.execute("from hops order by all").fetchall(),
        con.execute("from analysis").fetchall(),
    ) == before
    assert analyse(con) == 1
    assert uuid.UUID(int=1) in {row[0] for row in con.execute("select trace_id from hops").fetchall()}
