"""The moments that people write after --since and --until."""

from __future__ import annotations

import pytest

from bindtrace.queries.query import FOREVER
from bindtrace.queries.window import in_rfc3339, parse_moment

SECOND = 1_000_000_000
NOW = 1_790_000_000 * SECOND


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("15m", 900), ("2h", 7200), ("7d", 604_800), ("1w", 604_800), ("1h30m", 5400), ("0s", 0)],
)
def test_a_time_span_is_before_now(text: str, seconds: int) -> None:
    assert parse_moment(text, NOW) == NOW - seconds * SECOND


def test_milliseconds_are_not_minutes() -> None:
    assert parse_moment("5ms", NOW) == NOW - 5_000_000


def test_a_span_longer_than_history_begins_with_1970() -> None:
    assert parse_moment("100000w", NOW) == 0


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31t12:00:00z",
        "2026-01-31 12:00:00+00:00",
        "2026-01-31T14:30:00+02:30",
        "2026-01-31T07:00:00.000-05:00",
        "2026-01-31T12:00",
        " 2026-01-31T12:00:00Z ",
    ],
)
def test_rfc_3339_is_read_with_its_offset_and_without_one_as_utc(text: str) -> None:
    assert parse_moment(text, NOW) == 1_769_860_800 * SECOND


def test_a_date_is_its_first_moment_in_utc() -> None:
    assert parse_moment("1970-01-02", NOW) == 86_400 * SECOND


def test_nanoseconds_survive_the_round_trip_to_a_collector() -> None:
    assert in_rfc3339(1_769_860_800_000_000_001) == "2026-01-31T12:00:00.000000001Z"
    assert parse_moment(in_rfc3339(1_769_860_800_000_000_001), NOW) == 1_769_860_800_000_000_001
    assert parse_moment(in_rfc3339(1), NOW) == 1


@pytest.mark.parametrize(
    "text", ["1769860800", "1769860800.0", "1769860800000", "1769860800000000", "1769860800000000000"]
)
def test_an_epoch_is_read_in_the_unit_that_its_size_tells(text: str) -> None:
    assert parse_moment(text, NOW) == 1_769_860_800 * SECOND


def test_the_largest_moment_is_the_end_of_time() -> None:
    assert parse_moment(str(FOREVER), NOW) == FOREVER
    assert parse_moment("now", NOW) == NOW


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "-15m", "15 m", "15M", "1.5h", "2026-13-01", "2026-01-31T25:00:00Z", "2300-01-01",
     "1969-12-31", "99999999999999999999", "1769860800000.5", "٣d", "2026-01-31T12:00:00+99:00"],
)  # fmt: skip
def test_anything_else_is_refused_in_a_sentence_that_names_it(text: str) -> None:
    with pytest.raises(ValueError, match="`"):
        parse_moment(text, NOW)
