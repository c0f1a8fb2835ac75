"""What a lake needs now and then: old days dropped, their findings kept, small files merged."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawing import SERVER, draw, span
from drawn_shop import faulty_spans
from sealed import Con, rows, seal_all

from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import reader
from bindtrace.queries.lake import upkeep
from bindtrace.queries.lake.naming import lake_beside
from bindtrace.queries.lake.upkeep import Upkeep
from bindtrace.queries.query import Query

DAY = 86_400 * 10**9


def test_old_days_are_dropped_by_table_and_their_bytes_go(con: Con, path: Path) -> None:
    draw(con, *(span("many", SERVER, 1, trace=1000 + each) for each in range(20)))
    analyse(con)
    hops = rows(con, "hops")
    seal_all(con)
    folder = Path(lake_beside(path).data)
    (day,) = con.execute("select max(day) - date '1970-01-01' from lake.main.spans").fetchone() or (0,)
    now = (int(day) + 8) * DAY

    upkeep.drop_old(con, now, Upkeep({"spans": 9 * DAY, "hops": 30 * DAY}))
    assert rows(con, "spans") != []
    upkeep.drop_old(con, now, Upkeep({"spans": 7 * DAY, "hops": 30 * DAY}))
    upkeep.clean(con, 2**61, Upkeep())

    assert rows(con, "spans") == []
    assert rows(con, "hops") == hops
    assert list((folder / "main" / "spans").glob("*.parquet")) == []
    assert len(list((folder / "main" / "hops").glob("*.parquet"))) == 1


@pytest.mark.slow
def test_findings_outlive_the_hops_that_they_were_found_in(con: Con) -> None:
    own = reader(con)
    before = run_report(own, "findings", Query(settled=True))
    seal_all(con)
    (day,) = con.execute("select max(day) - date '1970-01-01' from lake.main.hops").fetchone() or (0,)
    now = (int(day) + 8) * DAY

    upkeep.drop_old(con, now, Upkeep({"hops": 7 * DAY, "findings": 90 * DAY}))

    after = run_report(own, "findings", Query(settled=True))
    of_calls = [row for row in before if row["rule"] in ("public-route", "undeclared-call")]
    assert rows(con, "hops") == []
    assert of_calls
    assert [row for row in after if row in of_calls] == of_calls
    later = Query(settled=True, since_unix_nano=2**61)
    assert [row for row in run_report(own, "findings", later) if row in of_calls] == []

    draw(con, *faulty_spans()[:3])
    con.execute("delete from bindtrace.main.sealed_traces")
    con.execute("insert into recalled select distinct trace_id, 0 from lake.main.spans")
    analyse(con)
    (again,) = [
        row for row in run_report(own, "findings", Query(settled=True)) if row["rule"] == "undeclared-call"
    ]
    assert again["count"] == 2

    upkeep.drop_old(con, now + 90 * DAY, Upkeep({"findings": 90 * DAY}))
    (newest,) = [
        row for row in run_report(own, "findings", Query(settled=True)) if row["rule"] == "undeclared-call"
    ]
    assert newest["count"] == 1


@pytest.mark.slow
def test_small_files_are_merged_and_nothing_changes(
    con: Con, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "FEW_FILES", 3)
    for number in range(3):
        draw(con, *(span("more", SERVER, 1, trace=1000 * number + each) for each in range(20)))
        seal_all(con)
    before = rows(con, "spans"), rows(con, "hops")
    files = Path(lake_beside(path).data) / "main" / "spans"
    assert len(list(files.glob("*.parquet"))) == 3

    upkeep.merge(con, 0, Upkeep())
    upkeep.clean(con, 2**61, Upkeep())

    assert len(list(files.glob("*.parquet"))) == 1
    assert (rows(con, "spans"), rows(con, "hops")) == before
