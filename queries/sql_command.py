"""`bindtrace sql`: a person's own SQL over the file of a stopped collector, read-only and locked down."""

from __future__ import annotations

import math
import sys
import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.options import format_option
from bindtrace.queries import render
from bindtrace.queries.asking import cut
from bindtrace.queries.options import TABLE_FORMATS, file_option
from bindtrace.queries.source import DEFAULT_DB, Row, ready_file

if TYPE_CHECKING:
    import duckdb

_SAFE_INTEGER: Final = 2**53


@click.command(context_settings={"ignore_unknown_options": True})  # SQL may begin with `-- a comment`
@click.argument("query")
@file_option(DEFAULT_DB)
@format_option(TABLE_FORMATS)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="At most so many rows; 0 for all.",
)
def sql(query: str, db: Path, form: str, limit: int) -> None:
    """One's own SQL, read-only; `-` reads it from standard input. A running collector has the file to itself."""
    text = sys.stdin.read() if query == "-" else query
    ready_file(db)
    from bindtrace.queries.database import open_read_only

    con = open_read_only(db)
    try:
        names, rows = _run(con, text, limit)
    finally:
        con.close()
    render.emit("sql", rows[:limit] if limit else rows, form, names)
    if limit and len(rows) > limit:
        render.say(cut(limit))


def json_ready(name: str, value: Any) -> Any:
    """A DuckDB value as the reports write it: ids in hex, wide integers and times as text, absent as None."""
    match value:
        case bool() | None | str():
            return value
        case int():
            if name.endswith("span_id"):
                return f"{value:016x}"
            return (
                value if -_SAFE_INTEGER < value < _SAFE_INTEGER and not name.endswith("_nano") else str(value)
            )
        case float():
            return value if math.isfinite(value) else None
        case uuid.UUID():
            return value.hex
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta() | Decimal():
            return str(value)
        case dict():
            return {str(key): json_ready(str(key), item) for key, item in value.items()}
        case list() | tuple():
            return [json_ready(name, item) for item in value]
        case _:
            return str(value)


def _run(con: duckdb.DuckDBPyConnection, text: str, limit: int) -> tuple[list[str], list[Row]]:
    import duckdb

    try:
        cursor: duckdb.DuckDBPyConnection | None = con.execute(text)
        if cursor is None:  # what DuckDB's Python answers to no statement at all, against its own type hints
            raise Refusal("there is no statement in this SQL", fix="try `bindtrace sql 'show tables'`")
        names = _distinct([column[0] for column in cursor.description or ()])
        raw = cursor.fetchmany(limit + 1) if limit else cursor.fetchall()
    except duckdb.Error as error:
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise Refusal(
            first.rstrip("!"),
            fix="it reads this database's own tables, which `bindtrace sql 'show tables'` lists",
        ) from None
    return names, [
        {name: json_ready(name, value) for name, value in zip(names, row, strict=True)} for row in raw
    ]


def _distinct(names: list[str]) -> list[str]:
    """Column names with a number behind those that came before: an object cannot hold a key twice."""
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return distinct
