"""The property of tests/queries/test_call_graphs.py over 2,000 graphs; SEED moves the first, GRAPHS their number."""

from __future__ import annotations

import os
import random
import sys

import pytest
from call_graphs import graph
from graph_rows import declare_edge, differences, hops_by_graph, shuffled_loads, store

from bindtrace.queries.analyse import analyse, rebuild
from bindtrace.queries.database import open_database

GRAPHS = int(os.environ.get("GRAPHS", "2000"))
FIRST_SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(2**31))
BATCH = 500


def test_two_thousand_random_graphs_show_their_truth_and_no_false_edge() -> None:
    print(f"SEED={FIRST_SEED} GRAPHS={GRAPHS}", file=sys.stderr)
    wrong = []
    for first in range(FIRST_SEED, FIRST_SEED + GRAPHS, BATCH):
        con = open_database(None)
        declare_edge(con)
        graphs = [graph(seed, number) for number, seed in enumerate(range(first, first + BATCH))]
        store(con, [span for one in graphs for span in one.spans], 1)
        analyse(con)
        found = hops_by_graph(con)
        for one in graphs:
            wrong += [f"seed {one.seed}: {fault}" for fault in differences(one, found.get(one.number, []))]
        con.close()
    assert not wrong, f"SEED={FIRST_SEED}: {len(wrong)} differences\n" + "\n".join(wrong[:50])


@pytest.mark.parametrize("turn", range(20))
def test_any_order_of_loads_gives_the_hops_of_a_rebuild(turn: int) -> None:
    seed = FIRST_SEED + 10_000 + 100 * turn
    print(f"seed {seed}", file=sys.stderr)
    con = open_database(None)
    declare_edge(con)
    spans = [span for number in range(40) for span in graph(seed + number, number).spans]
    chance = random.Random(seed)
    for load_id, part in enumerate(shuffled_loads(spans, seed, 25), 1):
        store(con, part, load_id)
        if chance.random() < 0.5:
            analyse(con)
        if chance.random() < 0.2:  # killed between the load and its watermark
            con.execute("update analysis set load_id = load_id - least(load_id, 1)")
    analyse(con)
    grown = con.execute("select * from hops order by all").fetchall()
    rebuild(con)
    assert con.execute("select * from hops order by all").fetchall() == grown
    con.close()
