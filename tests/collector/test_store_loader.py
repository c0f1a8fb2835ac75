"""The loader: each acknowledged span is stored once, whatever is sent again, damaged, or cut off between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from otlp_requests import as_request, one_span, spans_of

from bindtrace.collector.journal.reader import JournalReader
from bindtrace.collector.journal.record import Request
from bindtrace.collector.journal.segment import JournalWriter
from bindtrace.collector.otlp.readback import read_requests
from bindtrace.collector.store import ahead
from bindtrace.collector.store import writer as writing
from bindtrace.collector.store.drain import drain
from bindtrace.collector.store.loader import Loader
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.database import open_database
from bindtrace.queries.lock import acquire

CHAIN = "0af7651916cd43dd8448eb211c80319c"
NOW = 2**62  # later than any clock: what a test sends is recent


@pytest.fixture
def journal(db: Path) -> Iterator[JournalWriter]:
    writer = JournalWriter(journal_root(db) / "receiver")
    yield writer
    writer.close()


def journal_root(db: Path) -> Path:
    return db.with_name(f"{db.name}.journal")


def request(number: int, **attributes: str | int) -> Request:
    return as_request(one_span(number, **attributes), received=NOW)


def count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(con.execute(f"select count(*) from {table}").fetchall()[0][0])


def load_all(loader: Loader) -> None:
    while loader.step():
        pass


def test_what_is_journaled_is_stored_and_reads_back(
    con: duckdb.DuckDBPyConnection, db: Path, journal: JournalWriter
) -> None:
    position = journal.append([request(1), request(2, bindtrace__chain=CHAIN)])
    loader = Loader(con, journal_root(db))

    taken = loader.step()

    assert taken > 0
    assert loader.step() == 0
    assert loader.positions == {position.segment_id: position.offset}
    found = [spans_of(message) for message in read_requests(con)]
    assert sum(found[1:], start=found[0]) == spans_of(one_span(1)) + spans_of(
        one_span(2, bindtrace__chain=CHAIN)
    )
    tables = ("resources", "instrumentation_scopes", "trace_links", "requests", "journal_positions")
    assert [count(con, table) for table in tables] == [1, 1, 1, 2, 1]


def test_each_transaction_with_spans_has_the_next_load_id(
    con: duckdb.DuckDBPyConnection, db: Path, journal: JournalWriter
) -> None:
    loader = Loader(con, journal_root(db))
    journal.append([request(1)])
    loader.step()
    journal.append([request(1)])
    loader.step()
    journal.append([request(2)])
    loader.step()

    assert con.execute("select span_id, load_id from spans order by all").fetchall() == [(1, 1), (2, 2)]
    assert Loader(con, journal_root(db)).load_id == 2


def test_a_request_sent_again_changes_nothing(
    con: duckdb.DuckDBPyConnection, db: Path, journal: JournalWriter
) -> None:
    loader = Loader(con, journal_root(db))
    journal.append([request(1), request(1)])
    loader.step()
    journal.append([request(1)])
    loader.step()

    assert (count(con, "spans"), count(con, "requests"), loader.counts.deduplicated) == (1, 1, 2)


def test_a_group_that_is_decoded_in_pieces_is_one_load(
    con: duckdb.DuckDBPyConnection, db: Path, journal: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "CALL_BYTES", 1_000)
    broken = request(90)._replace(body=b"\xff", digest=bytes(16))
    again = [request(1), request(7)]
    journal.append([*(request(number) for number in range(1, 31)), broken, *again])
    loader = Loader(con, journal_root(db))

    loader.step()

    assert loader.step() == 0
    assert con.execute("select count(*), count(distinct span_id), max(load_id) from spans").fetchall() == [
        (30, 30, 1)
    ]
    assert (loader.counts.taken, loader.counts.deduplicated, loader.counts.quarantined) == (33, 2, 1)
    assert [path.read_bytes() for path in journal_root(db).glob("quarantine/*.bin")] == [b"\xff"]
    assert count(con, "resources") == 1


def test_a_limit_of_spans_ends_a_group_between_two_pieces(db: Path, journal: JournalWriter) -> None:
    made = [request(number) for number in range(1, 11)]
    journal.append(made)
    size = len(made[0].body) + 100  # a record in every piece, or two

    pieces = ahead.Ahead(JournalReader(journal_root(db)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ahead, "CALL_BYTES", size)
        group = pieces.take({}, 1 << 20, 7)

    assert [request.digest for request in group.requests] == [request.digest for request in made[:7]]
    assert group.decoded is not None
    assert group.decoded.tables.spans.num_rows == 7
    assert {request.body for request in group.requests} == {b""}


def test_a_restarted_loader_knows_what_was_loaded(
    con: duckdb.DuckDBPyConnection, db: Path, journal: JournalWriter
) -> None:
    journal.append([request(1)])
    load_all(Loader(con, journal_root(db)))
    journal.append([request(1), request(2)])
    second = Loader(con, journal_root(db))

    load_all(second)

    assert (count(con, "spans"), count(con, "resources"), second.counts.spans) == (2, 1, 1)


def test_the_oldest_digests_are_forgotten_beyond_the_bound(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "REMEMBERED", 2)
    writer = writing.Writer(con)

    writer.write([request(1), request(2), request(3)])

    assert writer.write([request(3)]).duplicate_requests == 1
    assert writer.write([request(1)]).duplicate_requests == 0
    assert writer.loaded_before([request(1).digest, request(9).digest]) == {request(1).digest}


def test_nothing_is_stored_when_the_transaction_fails(
    con: duckdb.DuckDBPyConnection, db: Path, journal: JournalWriter
) -> None:
    journal.append([request(1)])
    loader = Loader(con, journal_root(db))
    con.execute("alter table journal_positions rename to away")

    with pytest.raises(duckdb.Error):
        loader.step()

    assert (count(con, "spans"), count(con, "resources"), loader.positions) == (0, 0, {})
    con.execute("alter table away rename to journal_positions")
    load_all(loader)
    assert (count(con, "spans"), count(con, "resources")) == (1, 1)


def test_a_request_that_cannot_be_decoded_is_set_aside_and_the_rest_stored(
    con: duckdb.DuckDBPyConnection, db: Path, journal: JournalWriter
) -> None:
    broken = request(1)._replace(body=b"\x0a\xff", digest=b"x" * 16)
    journal.append([broken, request(2), broken._replace(digest=b"y" * 16)])
    loader = Loader(con, journal_root(db))

    load_all(loader)

    quarantine = journal_root(db) / "quarantine"
    entries = [json.loads(line) for line in (quarantine / "index.jsonl").read_text().splitlines()]
    assert [(quarantine / entry["file"]).read_bytes() for entry in entries] == [b"\x0a\xff"] * 2
    assert (count(con, "spans"), count(con, "requests"), loader.counts.quarantined) == (1, 1, 2)


def test_a_segment_goes_when_a_checkpoint_covers_it(
    con: duckdb.DuckDBPyConnection, db: Path, journal: JournalWriter
) -> None:
    journal.append([request(1)])
    loader = Loader(con, journal_root(db))
    load_all(loader)
    journal.close()
    segments = list(journal.directory.glob("*.seg"))
    assert (len(segments), loader.wal_bytes() > 0) == (1, True)

    assert loader.checkpoint()

    assert not journal.directory.exists()
    assert (loader.positions, count(con, "journal_positions")) == ({}, 0)
    assert count(con, "spans") == 1


def test_a_segment_that_is_still_written_stays(
    con: duckdb.DuckDBPyConnection, db: Path, journal: JournalWriter
) -> None:
    position = journal.append([request(1)])
    loader = Loader(con, journal_root(db))
    load_all(loader)

    loader.checkpoint()

    assert loader.on_disk(position.segment_id)
    assert loader.positions == {position.segment_id: position.offset}


def test_a_checkpoint_waits_for_another_writer(
    con: duckdb.DuckDBPyConnection, db: Path, journal: JournalWriter
) -> None:
    journal.append([request(1)])
    loader = Loader(con, journal_root(db))
    load_all(loader)
    other = con.cursor()
    other.execute("use bindtrace; begin; update meta set value = 'x'")

    postponed = loader.checkpoint()
    other.execute("rollback")

    assert (postponed, loader.checkpoint()) == (False, True)


def test_drain_stores_what_a_stopped_collector_left(db: Path, journal: JournalWriter) -> None:
    journal.append([request(1)])
    journal.close()

    drain(db)

    con = open_database(db)
    assert (count(con, "spans"), count(con, "hops")) == (1, 1)
    con.close()
    assert not journal_root(db).exists()


def test_drain_without_a_journal_touches_nothing(db: Path) -> None:
    drain(db)

    assert list(db.parent.iterdir()) == []


def test_drain_refuses_a_database_that_is_held(db: Path, journal: JournalWriter) -> None:
    journal.append([request(1)])
    lock = acquire(db)

    with pytest.raises(Refusal, match="is held by process"):
        drain(db)

    lock.release()
    assert not db.exists()


def test_a_resource_that_only_deleted_spans_named_goes_and_comes_again(
    con: duckdb.DuckDBPyConnection, db: Path, journal: JournalWriter
) -> None:
    journal.append([request(1), as_request(one_span(2, service="pod-of-last-week"), received=NOW)])
    loader = Loader(con, journal_root(db))
    load_all(loader)
    con.execute("delete from spans where span_id = 2")

    assert loader.forget_orphans() == 1
    assert con.execute("select service from resources").fetchall() == [("orders",)]

    journal.append([as_request(one_span(3, service="pod-of-last-week"), received=NOW)])
    load_all(loader)
    named = con.execute("select service from resources join spans using (resource_id) order by service")
    assert named.fetchall() == [("orders",), ("pod-of-last-week",)]
