"""Every question that can be asked by name: reports and rules, each a SQL file, run the same way for every reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from bindtrace.propagation.vocabulary import EXTERNAL, UNSEEN
from bindtrace.queries import rules, sql_files
from bindtrace.queries.lake.kept_findings import with_kept
from bindtrace.queries.query import Query
from bindtrace.queries.report_keys import KEYS
from bindtrace.queries.unsigned import unsigned

Row = dict[str, Any]
GIVEN: Final = ("since", "until", "environment", "most", "trace")
"""Parameters that every question has, if only with a value that narrows nothing; others of a report must be given."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report by name, with the first line of its file as a title; `paged`: its rows can be had by pages."""

    name: str
    title: str
    run: Callable[[duckdb.DuckDBPyConnection, Query], list[Row]]
    paged: bool = True


def run_report(con: duckdb.DuckDBPyConnection, name: str, query: Query) -> list[Row]:
    """Rows ready for JSON: ids in lower-case hex, times as decimal strings, absent as None.

    Raises `KeyError` for an unknown report and `ValueError` for a filter on a column that it does not have.
    """
    return REPORTS[name].run(con, query)


def _sql_report(file: sql_files.SqlFile) -> Report:
    def run(con: duckdb.DuckDBPyConnection, query: Query) -> list[Row]:
        filters, own = dict(query.filters), file.parameters
        values: dict[str, Any] = {}
        for name in own:
            if name not in GIVEN:
                if name not in filters:
                    raise ValueError(f"report {file.name} needs {name}")
                values[name] = filters.pop(name)
        values |= {
            "since": query.since_unix_nano,
            "until": query.until_unix_nano,
            "environment": query.environment,
            "most": None if filters else query.limit,
            "trace": filters.get("trace_id"),
        }
        text, bound = _narrowed(file.text, filters, query.limit)
        if filters:
            _check_columns(con, file, {name: values[name] for name in own}, filters)
        cursor = con.execute(text, unsigned({name: values[name] for name in own}) | bound)
        return rows_of(cursor)

    return Report(file.name, file.title, run)


def _narrowed(text: str, filters: Mapping[str, str], limit: int | None) -> tuple[str, dict[str, Any]]:
    """The report's own text, kept whole inside a filter and a limit; values are bound, names were checked."""
    bound: dict[str, Any] = {f"filter_{place}": _asked(value) for place, value in enumerate(filters.values())}
    conditions = " and ".join(
        f'"{column}"::varchar is not distinct from $filter_{place}' for place, column in enumerate(filters)
    )
    if not filters and limit is None:
        return text, bound
    narrowed = f"select * from (\n{text}\n)" + (f" where {conditions}" if conditions else "")
    if limit is not None:
        bound["row_limit"] = limit
        narrowed += " limit $row_limit"
    return narrowed, bound


def _check_columns(
    con: duckdb.DuckDBPyConnection,
    file: sql_files.SqlFile,
    values: Mapping[str, Any],
    filters: Mapping[str, str],
) -> None:
    cursor = con.execute(f"select * from (\n{file.text}\n) limit 0", values)
    check_filters(file.name, [column[0] for column in cursor.description or ()], filters)


def check_filters(name: str, columns: Sequence[str], filters: Mapping[str, str]) -> None:
    """Raises `ValueError` naming the first filter that is no column of the report, and the columns there are."""
    for column in filters:
        if column not in columns:
            raise ValueError(f"report {name} has no column {column!r}; it has {', '.join(columns)}")


def rows_of(cursor: duckdb.DuckDBPyConnection) -> list[Row]:
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _kept(name: str, columns: Sequence[str], rows: list[Row], query: Query) -> list[Row]:
    check_filters(name, columns, query.filters)
    wanted = {column: _asked(value) for column, value in query.filters.items()}
    kept = [row for row in rows if all(_text(row[column]) == value for column, value in wanted.items())]
    return kept[: query.limit]


def _asked(value: str) -> str | None:
    """Tables show an absent caller as (external) and an absent callee as (unseen), so these words ask for them."""
    return None if value in (EXTERNAL, UNSEEN) else value


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _chain(con: duckdb.DuckDBPyConnection, query: Query) -> list[Row]:
    rows = _sql_report(sql_files.folder("reports")["chain"]).run(con, query)
    return nested(rows)


_PLACE: Final = ("id", "parent", "parent_trace_id", "depth")


def nested(rows: Sequence[Row]) -> list[Row]:
    """The hops of a chain, callers before callees, as trees: each row loses its place and gains `children`."""
    roots: list[Row] = []
    placed: dict[tuple[str, str], Row] = {}
    for row in rows:
        node = {key: value for key, value in row.items() if key not in _PLACE} | {"children": []}
        placed[row["trace_id"], row["id"]] = node
        parent = placed.get((row["parent_trace_id"], row["parent"]))
        (roots if parent is None else parent["children"]).append(node)
    return roots


def _findings(con: duckdb.DuckDBPyConnection, query: Query) -> list[Row]:
    found = with_kept(con, rules.findings(con, query), query)
    return _kept("findings", KEYS["findings"], found, query)


def _rules(con: duckdb.DuckDBPyConnection, query: Query) -> list[Row]:
    return _kept("rules", KEYS["rules"], [rule.row() for rule in rules.RULES.values()], query)


REPORTS: Final[Mapping[str, Report]] = {
    **{name: _sql_report(file) for name, file in sql_files.folder("reports").items()},
    "chain": Report("chain", sql_files.folder("reports")["chain"].title, _chain, paged=False),
    "findings": Report(
        "findings", "Findings: what should not have happened, how sure, and the fix.", _findings
    ),
    "rules": Report("rules", "Rules: every rule with its severity, status and reason.", _rules),
}
RULES: Final = rules.RULES
