"""Which columns give way when the terminal is narrow."""

from __future__ import annotations

from typing import Any

import pytest
from rich.cells import cell_len

from bindtrace.queries import render
from bindtrace.queries.columns import LAYOUTS, columns_of
from bindtrace.queries.layout import GAP, Fitted, fit

EDGE: dict[str, Any] = {
    "scope": "shop", "caller": "storefront", "caller_env": "production", "callee": "inventory",
    "callee_env": "production", "kind": "call", "calls": 1234567, "errors": 12, "denied": 0, "road": "binding",
    "protection": "plaintext", "verdict": "allowed", "grade": "contradicted", "p50_ms": 12.3, "p95_ms": 123.4,
    "p99_ms": 1234.5,
}  # fmt: skip


def edges(width: int | None, *rows: dict[str, Any]) -> Fitted:
    return fit(LAYOUTS["edges"], rows or (EDGE,), width)


def headings(fitted: Fitted) -> list[str]:
    return [column.heading for column in fitted.columns]


def cells_wide(fitted: Fitted) -> int:
    return sum(fitted.widths) + GAP * (len(fitted.widths) - 1)


def test_without_a_terminal_nothing_is_left_out() -> None:
    fitted = edges(None)

    assert fitted.left_out == ()
    assert {"ENV", "GRADE", "P50", "P95", "P99"} <= set(headings(fitted))


def test_one_endless_name_stays_whole_and_does_not_widen_every_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [{"service": "x" * 5000, "spans": 1}, {"service": "orders", "spans": 2}]

    render.show(render.table("services", rows))

    head, endless, orders = capsys.readouterr().out.splitlines()
    assert "x" * 5000 in endless
    assert max(len(head), len(orders)) < 300


@pytest.mark.parametrize("width", [100, 80, 60])
def test_the_least_important_columns_go_first_and_the_rest_fits(width: int) -> None:
    fitted = edges(width)

    assert cells_wide(fitted) <= width
    assert {"CALLER", "CALLEE", "CALLS", "ROAD", "VERDICT"} <= set(headings(fitted))
    assert {"GRADE", "PROTECTION", "P50"} & set(fitted.left_out)


def test_a_narrower_terminal_never_shows_more() -> None:
    shown = [len(edges(width).columns) for width in (60, 80, 100, 120, 200)]

    assert shown == sorted(shown)


def test_a_column_that_was_too_wide_makes_room_for_a_narrower_one() -> None:
    fitted = edges(78)

    assert cells_wide(fitted) > 78 - 12


def test_long_names_are_cut_before_the_verdict_is_lost() -> None:
    fitted = edges(80, EDGE | {"caller": "a" * 70, "callee": "b" * 70})

    assert cells_wide(fitted) <= 80
    assert "VERDICT" in headings(fitted)
    assert fitted.widths[headings(fitted).index("VERDICT")] >= len("allowed")


def test_bare_names_are_enough_where_all_rows_are_of_one_scope() -> None:
    assert "SCOPE" not in headings(edges(None))
    assert "SCOPE" not in edges(None).left_out
    assert "SCOPE" in headings(edges(None, EDGE, EDGE | {"scope": "other"}))


def test_one_environment_is_a_name_and_a_crossing_shows_both() -> None:
    fitted = edges(None, EDGE, EDGE | {"caller_env": "preview"}, EDGE | {"callee_env": None})
    place = headings(fitted).index("ENV")

    assert [row[place] for row in fitted.cells] == ["production", "preview>production", "production"]


def test_trace_ids_are_shortened_before_a_column_goes() -> None:
    row = {"signature": ["a", "b"], "calls": 1, "example_trace_id": "f" * 32, "verdict": "denied"}
    fitted = fit(LAYOUTS["chains"], [row], 45)

    assert "f" * 12 in fitted.cells[0]


def test_wide_letters_count_for_the_cells_they_take() -> None:
    fitted = edges(None, EDGE | {"caller": "服务" * 4})

    assert fitted.widths[headings(fitted).index("CALLER")] == cell_len("服务" * 4) == 16


def test_no_rows_keep_the_headings_that_every_row_would_have() -> None:
    assert headings(fit(LAYOUTS["edges"], [], 100))[:2] == ["CALLER", "CALLEE"]


def test_what_is_no_report_of_ours_shows_its_own_keys() -> None:
    columns = columns_of("sql", [{"trace_id": "ff", "hops": 3}])

    assert [(column.heading, column.right) for column in columns] == [("trace_id", False), ("hops", True)]


def test_a_report_without_a_layout_writes_each_key_as_its_name_says() -> None:
    row = {"trace_id": "ff" * 16, "hops": 3, "first_seen": "1769860800000000000"}

    columns = columns_of("traces", [row])

    shown = {column.heading: column.text(row) for column in columns}
    assert shown["TRACE"] == "ff" * 16
    assert shown["FIRST SEEN (UTC)"] == "2026-01-31 12:00:00"
