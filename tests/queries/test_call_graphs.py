"""Random call graphs with known truth: what the evidence allows is found, the rest is marked, and no edge is false."""

from __future__ import annotations

import json
import os
from typing import Any

import duckdb
import pytest
from call_graphs import Graph, graph
from drawing import CONSUMER, PRODUCER, span, trace_id
from drawing import draw as draw_spans
from graph_rows import declare_edge, differences, hops_by_graph, shuffled_loads, store

from bindtrace.queries.analyse import ALONE, Shares, analyse, rebuild

Con = duckdb.DuckDBPyConnection
ONCE_WRONG = (7, 14, 42, 84, 89, 99, 159, 193, 197, 566, 681, 889, 1122, 2708, 2712, 2873)
FIRST_SEED = int(os.environ.get("SEED", "1"))
IN_TWO = Shares(2, 1)


def draw(con: Con, seeds: range) -> list[Graph]:
    declare_edge(con)
    graphs = [graph(seed, number) for number, seed in enumerate(seeds)]
    store(con, [span for one in graphs for span in one.spans], 1)
    return graphs


def faults(con: Con, graphs: list[Graph]) -> list[str]:
    found = hops_by_graph(con)
    return [
        f"seed {one.seed}: {fault}" for one in graphs for fault in differences(one, found.get(one.number, []))
    ]


def test_hops_and_chains_of_random_graphs_are_their_truth(con: Con) -> None:
    graphs = draw(con, range(FIRST_SEED, FIRST_SEED + 60))

    analyse(con)

    wrong = faults(con, graphs)
    assert not wrong, "\n".join(wrong[:30])


def test_graphs_that_were_once_wrong_stay_right(con: Con) -> None:
    """A gateway with its client span lost, a redirect before a hedged call, retries of a callee half seen."""
    declare_edge(con)
    graphs = [graph(seed, number) for number, seed in enumerate(ONCE_WRONG)]
    store(con, [span for one in graphs for span in one.spans], 1)

    analyse(con)

    wrong = faults(con, graphs)
    assert not wrong, "\n".join(wrong[:30])


@pytest.mark.slow
@pytest.mark.parametrize("shares", [ALONE, IN_TWO])
def test_a_late_span_reopens_a_whole_row_of_linked_traces(con: Con, shares: Shares) -> None:
    """Each trace's consumer names the producer in the trace before: redoing the second needs the third."""
    for place in (2, 3, 1):
        before = trace_id(place - 1)
        link = json.dumps([{"trace_id": before, "span_id": f"{10 * (place - 1) + 1:016x}"}])
        heard: dict[str, Any] = {"links": link} if place > 1 else {}
        draw_spans(
            con,
            span(f"s{place}", CONSUMER, 10 * place, trace=place, **heard),
            span(f"s{place}", PRODUCER, 10 * place + 1, 10 * place, trace=place, messaging_system="kafka"),
        )
        analyse(con)
    grown = con.execute("select * from hops order by all").fetchall()

    rebuild(con, shares=shares)

    assert con.execute("select * from hops order by all").fetchall() == grown


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "shares"), [(0, ALONE), (1, IN_TWO)])
def test_loads_in_any_order_give_the_hops_of_a_rebuild_bit_by_bit(
    con: Con, seed: int, shares: Shares
) -> None:
    """Some analyses are repeated, as after a crash between the load and its watermark."""
    declare_edge(con)
    spans = [span for number in range(8) for span in graph(FIRST_SEED + 100 * seed + number, number).spans]
    for load_id, part in enumerate(shuffled_loads(spans, seed, 6), 1):
        store(con, part, load_id)
        if load_id % 3 == 0:
            analyse(con)
            con.execute("update analysis set load_id = load_id - least(load_id, 1)")
        if load_id % 2 == 0:
            analyse(con)
    analyse(con)
    grown = con.execute("select * from hops order by all").fetchall()

    rebuild(con, shares=shares)

    assert con.execute("select * from hops order by all").fetchall() == grown
