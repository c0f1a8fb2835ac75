"""The critical path that the analysis stores is the one that the pictures draw."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from drawing import CLIENT, SERVER, S, draw, span, trace_id

from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.critical_path import waited_for
from bindtrace.queries.query import Query

SEEDS = range(1, 9)


def calls(seed: int) -> Iterator[S]:
    """A tree of calls with random times inside their callers' times: no two are alike."""
    draw_ = random.Random(seed)
    todo, number = [(1, "root", 0.0, 100.0, 0)], 2
    yield span("root", SERVER, 1, trace=seed, ms=100)
    while todo:
        parent, caller, begin, end, depth = todo.pop()
        for _ in range(draw_.randrange(4) if depth < 4 else 0):
            at, until = sorted((draw_.uniform(begin, end), draw_.uniform(begin, end)))
            callee = f"s{number}"
            yield span(caller, CLIENT, number, parent, trace=seed, at_ms=at, ms=until - at)
            yield span(callee, SERVER, number + 1, number, trace=seed, at_ms=at, ms=until - at)
            todo.append((number + 1, callee, at, until, depth + 1))
            number += 2


def every(roots: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for hop in roots:
        yield hop
        yield from every(hop["children"])


@pytest.fixture
def analysed(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    con.begin()
    draw(con, *(one for seed in SEEDS for one in calls(seed)))
    con.commit()
    analyse(con)
    return con


def test_pictures_and_reports_agree_on_what_was_waited_for(analysed: duckdb.DuckDBPyConnection) -> None:
    for seed in SEEDS:
        roots = run_report(analysed, "chain", Query(filters={"trace_id": trace_id(seed)}))
        stored = [(hop["callee"], hop.pop("critical"), hop["critical_ms"]) for hop in every(roots)]

        waited = waited_for(roots)

        drawn = [
            (
                hop["callee"],
                id(hop) in waited,
                sum(end - start for start, end in waited.get(id(hop), ())) / 1e6,
            )
            for hop in every(roots)
        ]
        assert [(name, on) for name, on, _ in drawn] == [(name, on) for name, on, _ in stored], f"seed {seed}"
        assert [own for *_, own in drawn] == pytest.approx([own for *_, own in stored], abs=0.005), (
            f"seed {seed}"
        )
