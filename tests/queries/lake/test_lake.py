"""What was sealed is asked like everything else: same rows from every report, late spans taken in, nothing twice."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import Any

import duckdb
import pytest
from drawing import CLIENT, SERVER, draw, span, trace_id
from drawn_shop import GOOD, GOOD_ID
from sealed import FAR, Con, hot, rows, seal_all

from bindtrace.queries.analyse import analyse, rebuild
from bindtrace.queries.catalog import REPORTS, Row, run_report
from bindtrace.queries.database import join_lake, open_database, reader
from bindtrace.queries.lake import sealing
from bindtrace.queries.query import Query
from bindtrace.queries.stored_traces import of_traces, spans_of, wanted
from bindtrace.queries.tempo.judgements import judgements

NEEDS = {"trace_id": GOOD_ID}


def answers(con: Con) -> dict[str, list[dict[str, Any]]]:
    """Every report, as a reader is answered."""
    own = reader(con)
    found = {}
    for name in REPORTS:
        filters = NEEDS if name == "chain" else {"traces": GOOD_ID} if name == "traces" else {}
        try:
            found[name] = run_report(own, name, Query(filters=filters, settled=True))
        except ValueError:  # a report that asks for more
            continue
    own.close()
    return {name: sorted(map(repr, rows)) for name, rows in found.items()}


@pytest.mark.slow
def test_every_report_answers_the_same_once_everything_is_sealed(con: Con) -> None:
    before, spans, hops = answers(con), rows(con, "spans"), rows(con, "hops")

    assert seal_all(con) == 15

    assert (hot(con), hot(con, "hops"), hot(con, "traces")) == (0, 0, 0)
    assert (rows(con, "spans"), rows(con, "hops")) == (spans, hops)
    assert answers(con) == before
    assert len(before) > 15
    assert all(before[name] for name in ("hops", "chain", "chains", "findings", "edges", "services"))


@pytest.mark.slow
def test_a_part_that_is_sealed_and_a_part_that_is_not_are_one(con: Con) -> None:
    before = answers(con)
    draw(con, span("late", SERVER, 99, trace=77))
    analyse(con)
    whole = answers(con)
    for table in ("spans", "hops", "traces"):
        con.execute(f"delete from {table} where trace_id = ?", [uuid.UUID(int=77)])

    seal_all(con)
    draw(con, span("late", SERVER, 99, trace=77))
    analyse(con)

    assert hot(con) == 1
    assert whole != before
    assert answers(con) == whole


def _read(own: Con, trace: uuid.UUID) -> tuple[list[Row], list[Row]]:
    traces = wanted(own, [trace])
    return spans_of(own, traces), of_traces(own, "summaries", traces)


def test_a_whole_trace_is_found_by_its_id_wherever_it_is(con: Con) -> None:
    trace = uuid.UUID(GOOD_ID)
    own = reader(con)
    before = _read(own, trace)
    judged = judgements(own, wanted(own, [trace]))

    seal_all(con)

    assert _read(own, trace) == before
    assert judgements(own, wanted(own, [trace])) == judged
    assert len(before[0]) == 7


@pytest.mark.slow
def test_a_late_span_takes_its_trace_back_and_both_are_one_again(con: Con) -> None:
    late = span("audit", SERVER, 70, 4, trace=GOOD, at_ms=14, ms=5)
    draw(con, late)
    analyse(con)
    together = rows(con, "hops"), rows(con, "spans")
    con.execute("delete from spans where span_id = 70")
    rebuild(con)
    seal_all(con)

    draw(con, late)
    assert rows(con, "spans") == together[1]  # not analysed yet, and there already
    analyse(con)

    assert hot(con) == 8
    assert (rows(con, "hops"), rows(con, "spans")) == together
    seal_all(con)
    assert (rows(con, "hops"), rows(con, "spans")) == together
    assert (hot(con), hot(con, "recalled")) == (0, 0)


def test_of_a_span_that_comes_again_the_sealed_one_is_kept(con: Con) -> None:
    """A sender's retry after hours: `conflicting-copies`, and the first one counts."""
    seal_all(con)
    again = span("orders", SERVER, 3, 2, trace=GOOD, at_ms=8, ms=1)
    draw(con, again)
    analyse(con)

    own = reader(con)
    kept = own.execute(
        "select duration_nano, marks from hops where trace_id = ? and callee_span_id = 3",
        [uuid.UUID(GOOD_ID)],
    ).fetchall()
    assert kept == [(100_000_000, ["conflicting-copies"])]


def test_a_late_half_in_another_trace_finds_its_sealed_other_half(con: Con) -> None:
    chain = trace_id(500)
    caller = span(
        "storefront", CLIENT, 501, trace=500, claimed_chain=chain, claimed_hop=1, claimed_callee="orders"
    )
    callee = span(
        "orders",
        SERVER,
        601,
        trace=600,
        at_ms=1,
        claimed_chain=chain,
        claimed_hop=1,
        claimed_caller="storefront",
    )
    con.execute("insert into trace_links values (?, ?, 2)", [uuid.UUID(chain), uuid.UUID(int=600)])
    draw(con, caller)
    seal_all(con)
    draw(con, callee)
    analyse(con)
    seal_all(con)
    con.execute("delete from trace_links")

    own = reader(con)
    joined = "select caller, callee, pairing from hops where callee_span_id = 601"
    assert own.execute(joined).fetchall() == [("storefront", "orders", "binding-header")]
    (tree,) = run_report(own, "chain", Query(filters={"trace_id": trace_id(600)}))
    assert tree["trace_id"] in (chain, trace_id(600))


def test_a_late_span_of_a_trace_that_is_forgotten_is_told_by_its_own_start(con: Con) -> None:
    before = rows(con, "hops")
    seal_all(con)
    sealing.forget(con, FAR + 1)
    assert hot(con, "sealed_traces") == 0

    draw(con, span("audit", SERVER, 70, 3, trace=GOOD, at_ms=14, ms=5))
    analyse(con)

    assert hot(con) == 8
    assert len(rows(con, "hops")) == len(before) + 1


@pytest.mark.parametrize("broken", ["before the lake", "in the lake", "after the lake", "in the file"])
def test_a_crash_in_the_middle_of_a_seal_neither_loses_nor_doubles(
    con: Con, path: Path, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans, hops = rows(con, "spans"), rows(con, "hops")
    ran = sealing._run

    def crash(own: Con, folder: str, name: str, values: Any) -> int:
        at = {
            "before the lake": ("plan", "closing"),
            "in the lake": ("write", "hops"),
            "in the file": ("clear", "hops"),
        }
        if at.get(broken) == (folder, name):
            raise duckdb.IOException("the machine went away")
        return ran(own, folder, name, values)

    def late() -> None:
        if broken == "after the lake":
            raise duckdb.IOException("the machine went away")

    monkeypatch.setattr(sealing, "_run", crash)
    upto = sealing.due(con, FAR, FAR, FAR)
    assert upto is not None
    with pytest.raises(duckdb.IOException):
        sealing.seal(con, upto, FAR, late)
    assert (rows(con, "spans"), rows(con, "hops")) == (spans, hops)  # while nobody knows

    monkeypatch.undo()
    con.close()
    again = open_database(path)
    assert join_lake(again)

    assert (rows(again, "spans"), rows(again, "hops")) == (spans, hops)
    assert hot(again) == (0 if broken in ("after the lake", "in the file") else 15)
    seal_all(again)
    assert (rows(again, "spans"), rows(again, "hops")) == (spans, hops)
    again.close()


@pytest.mark.slow
def test_a_file_that_is_older_than_its_lake_gives_up_what_was_sealed_since(con: Con, path: Path) -> None:
    """A restored backup, or a database whose damaged log was moved away."""
    con.execute("checkpoint")
    draw(con, span("early", SERVER, 98, trace=76))
    analyse(con)
    sealing.seal(con, 2, 10)
    con.execute("checkpoint")
    older = path.with_name("older")
    shutil.copy(path, older)
    draw(con, span("late", SERVER, 99, trace=77))
    analyse(con)
    sealing.seal(con, 3, 20)
    before = rows(con, "spans"), rows(con, "hops")
    con.close()

    draw(again := open_database(older), span("late", SERVER, 99, trace=77))
    analyse(again)
    join_lake(again)

    assert (rows(again, "spans"), rows(again, "hops")) == before
    assert hot(again) == 0
    again.close()


def test_seals_are_bounded_and_take_the_oldest_first(con: Con) -> None:
    for number in range(10):
        draw(con, *(span("many", SERVER, 1, trace=1000 + number * 10 + each) for each in range(10)))
    analyse(con)

    first = sealing.due(con, FAR, FAR, 40)

    assert first is not None
    assert 0 < sealing.seal(con, first, FAR).spans < 60  # of 115: by the average trace
    assert seal_all(con, 40) > 0
    assert hot(con) == 0


def test_a_trace_that_is_still_open_or_not_analysed_is_not_due(con: Con) -> None:
    began = rows(con, "spans")[0]
    assert sealing.due(con, 0, 0, 1) is None
    draw(con, span("late", SERVER, 99, trace=77))

    seal_all_but_new = sealing.due(con, FAR, FAR, FAR)

    assert began
    assert seal_all_but_new == 1


def test_the_account_of_spans_stays_true_through_sealing_and_recalling(con: Con) -> None:
    def stored() -> int:
        return hot(con) + sealing.moved_spans(con)

    assert stored() == 15
    seal_all(con)
    assert (stored(), hot(con)) == (15, 0)
    draw(con, span("audit", SERVER, 70, 4, trace=GOOD, at_ms=14))
    analyse(con)
    assert (stored(), hot(con)) == (16, 8)
    seal_all(con)
    assert (stored(), hot(con)) == (16, 0)
