"""T21: texts that want to be SQL find what is literally so called, and cause no statement that others do not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hostile import SQL, sample
from injecting import INNOCENT, Asked, asked_raw, called, database, expected_of, found_by

from bindtrace.queries.catalog import run_report
from bindtrace.queries.query import Query

PAYLOADS = sample(SQL, 40)
ASKED = sample(PAYLOADS, 3)
"""Of each a dozen questions; all of them are asked in tests/campaign."""


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    con = database(PAYLOADS, declared=True)
    yield Asked(con)
    con.close()


@pytest.fixture(scope="module")
def innocent(asked: Asked) -> set[str]:
    """The statements of innocent texts."""
    with asked.statements() as seen:
        for number, text in enumerate(INNOCENT, len(PAYLOADS)):
            assert found_by(asked, text) == expected_of(text, number)
    return seen


@pytest.mark.parametrize("payload", ASKED)
def test_a_payload_finds_what_is_called_so_by_the_statements_of_innocent_texts(
    asked: Asked, innocent: set[str], payload: str
) -> None:
    with asked.statements() as seen:
        assert found_by(asked, payload) == expected_of(payload, PAYLOADS.index(payload))

    assert seen <= innocent


@pytest.mark.slow
@pytest.mark.parametrize("payload", sample(SQL, 5))
def test_a_payload_in_the_place_of_a_query_is_answered_or_refused(asked: Asked, payload: str) -> None:
    before = asked.con.execute("select count(*) from spans").fetchall()

    asked_raw(asked, payload)

    assert asked.con.execute("select count(*) from spans").fetchall() == before


def test_every_name_of_a_policy_is_matched_literally(asked: Asked) -> None:
    hops = run_report(asked.con, "hops", Query())
    judged = {
        (row["caller"], row["callee"]): (row["binding"], row["verdict"]) for row in hops if row["caller"]
    }
    grants = run_report(asked.con, "grants", Query())

    assert all(judged[one, called(one)] == (one, "allowed") for one in PAYLOADS)
    assert {(row["caller"], row["callee"], row["file"]) for row in grants} == {
        (one, called(one), one) for one in PAYLOADS
    }
