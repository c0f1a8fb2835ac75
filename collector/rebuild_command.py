"""`bindtrace rebuild`: every hop anew from the stored spans, in a stopped collector's file."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import duckdb
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bindtrace.collector.storing import held_database
from bindtrace.propagation.errors import Refusal
from bindtrace.queries.analyse import cores
from bindtrace.queries.analyse import rebuild as rebuild_hops
from bindtrace.queries.options import file_option
from bindtrace.queries.render import say
from bindtrace.queries.source import DEFAULT_DB


@click.command()
@file_option(DEFAULT_DB)
def rebuild(db: Path) -> None:
    """Compute every hop anew from the stored spans. Changes nothing where the stored hops are right.

    Stopped half-way it loses nothing: the next command that opens the file goes on from there.
    """
    if not db.exists():
        raise Refusal(f"no database at {db}", fix="name the file that `bindtrace serve --db` wrote")
    with held_database(db) as con:
        spans, began = _count(con, "spans"), time.monotonic()
        with _progress(spans) as done:
            rebuild_hops(
                con,
                on_run=lambda load: done(_count(con, f"spans where load_id <= {load}")),
                shares=cores(con),
            )
        took_s = time.monotonic() - began
        say(f"rebuilt {_count(con, 'hops'):,} hops of {spans:,} spans in {db}, {took_s:.1f} s")


def _count(con: duckdb.DuckDBPyConnection, what: str) -> int:
    (count,) = con.execute(f"select count(*) from {what}").fetchone() or (0,)
    return int(count)


@contextlib.contextmanager
def _progress(spans: int) -> Iterator[Callable[[int], None]]:
    """Told how many spans are done, it draws a bar on a terminal's standard error."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (
        TextColumn("rebuild"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("spans"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("rebuild", total=spans)
        yield lambda count: bar.update(task, completed=count)
