"""What cannot be stored is listed with its place and window, tried again by command, and then gone from quarantine."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from otlp_requests import as_request, one_span

from bindtrace.collector.journal.quarantine import Quarantine
from bindtrace.collector.journal.segment import HEADER_SIZE, JournalWriter
from bindtrace.collector.quarantine_command import quarantine
from bindtrace.collector.store.drain import drain
from bindtrace.collector.store.faults import record
from bindtrace.collector.store.loader import Loader
from bindtrace.collector.store.opening import journal_of
from bindtrace.queries.database import cursor, open_database
from bindtrace.queries.lock import acquire

CHAIN = "0af7651916cd43dd8448eb211c80319c"
NOW = 2**62


def picky(db: Path) -> duckdb.DuckDBPyConnection:
    """A database that refuses any request with a chain: stands for a value that DuckDB cannot store."""
    con = open_database(db)
    con.execute("drop table trace_links")
    con.execute(
        "create table trace_links (chain uuid, trace_id uuid, load_id ubigint check (load_id > 1000000))"
    )
    return con


def ask(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(quarantine, [*arguments])
    return done.exit_code, done.stdout, done.stderr


def load(con: duckdb.DuckDBPyConnection, db: Path) -> Loader:
    loader = Loader(cursor(con), journal_of(db))
    while loader.step():
        pass
    return loader


def journaled(db: Path, *bad: int, count: int = 20) -> None:
    writer = JournalWriter(journal_of(db) / "receiver")
    marks = {number: {"bindtrace__chain": CHAIN} for number in bad}
    writer.append([as_request(one_span(n, **marks.get(n, {})), received=NOW) for n in range(1, count + 1)])
    writer.close()


def span_ids(con: duckdb.DuckDBPyConnection) -> list[int]:
    return [row[0] for row in con.execute("select span_id from spans order by all").fetchall()]


@pytest.mark.parametrize("bad", [(1,), (20,), (7, 8), (3, 11, 19)])
def test_only_the_request_that_the_database_refuses_is_set_aside(db: Path, bad: tuple[int, ...]) -> None:
    journaled(db, *bad)
    con = picky(db)

    loader = load(con, db)

    assert span_ids(con) == [number for number in range(1, 21) if number not in bad]
    counts = loader.counts
    assert (counts.taken, counts.spans, counts.quarantined) == (20, 20 - len(bad), len(bad))
    entries = Quarantine(journal_of(db)).entries()
    assert [(entry["sender"], entry["spans"]) for entry in entries] == [("s/sdk", 1)] * len(bad)
    con.close()


def test_retry_stores_what_can_be_stored_now_and_lets_it_go(db: Path) -> None:
    journaled(db, 5, 6)
    con = picky(db)
    load(con, db)
    con.execute("drop table trace_links")
    con.close()
    open_database(db).close()
    code, listed, _ = ask("list", "--db", str(db), "-f", "json")
    assert (code, [row["what"] for row in json.loads(listed)]) == (0, ["request", "request"])

    code, _, said = ask("retry", "--db", str(db))

    assert (code, said) == (0, "2 spans stored, 0 left in quarantine\n")
    assert not Quarantine(journal_of(db)).entries()
    con = open_database(db)
    assert span_ids(con) == list(range(1, 21))
    con.close()


def test_damage_has_its_place_and_window_and_stays(db: Path) -> None:
    writer = JournalWriter(journal_of(db) / "receiver")
    ends = [writer.append([as_request(one_span(n), received=n * 10**18)]).offset for n in (1, 2, 3)]
    writer.close()
    (segment,) = writer.directory.glob("*.seg")
    data = bytearray(segment.read_bytes())
    data[ends[0] + 40] ^= 1
    segment.write_bytes(data)
    drain(db)

    _, listed, _ = ask("list", "--db", str(db), "-f", "json")
    (row,) = json.loads(listed)
    code, _, said = ask("retry", "--db", str(db))

    assert (row["what"], row["start"], row["end"]) == ("damage", ends[0], ends[1])
    assert (row["lost_from"], row["lost_until"]) == (str(10**18), str(3 * 10**18))
    assert (code, said) == (1, "0 spans stored, 1 left in quarantine\n")
    assert row["start"] > HEADER_SIZE


def test_the_table_is_headed_as_every_table_and_shows_times(db: Path) -> None:
    journaled(db, 5)
    con = picky(db)
    load(con, db)
    con.close()
    record(
        db, "set-aside", reason="torn", folder="1", lost_from_unix_nano="0", lost_until_unix_nano=str(10**18)
    )

    heading, request, damaged = ask("list", "--db", str(db))[1].splitlines()

    assert heading.split()[:5] == ["WHAT", "REASON", "SENDER", "SPANS", "BYTES"]
    assert "LOST FROM (UTC)" in heading
    assert request.split()[0] == "request"
    assert "the beginning" in damaged
    assert "2001-09-09 01:46:40" in damaged


def test_without_entries_the_forms_are_empty_and_headed_all_the_same(db: Path) -> None:
    open_database(db).close()

    assert ask("list", "--db", str(db), "-f", "json")[1] == "[]\n"
    assert ask("list", "--db", str(db), "-f", "csv")[1].startswith("what,reason,segment,")
    assert ask("list", "--db", str(db))[1].split()[:2] == ["WHAT", "REASON"]


def test_retry_is_refused_while_a_collector_has_the_database(db: Path) -> None:
    journaled(db, 5)
    con = picky(db)
    load(con, db)
    con.close()
    lock = acquire(db)
    try:
        code, _, said = ask("retry", "--db", str(db))
    finally:
        lock.release()

    assert code == 2
    assert "is held by process" in said


@pytest.mark.parametrize("verb", ["list", "retry"])
def test_where_there_is_no_database_it_says_so(db: Path, verb: str) -> None:
    code, _, said = ask(verb, "--db", str(db))

    assert (code, f"no database at {db}" in said) == (2, True)


def test_an_empty_quarantine_says_so(db: Path) -> None:
    open_database(db).close()

    assert ask("list", "--db", str(db))[2] == f"nothing is in quarantine for {db}\n"
