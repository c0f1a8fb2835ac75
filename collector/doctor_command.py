"""`bindtrace doctor`: asks the collector, or a stopped one's file, all that a newcomer would, and says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bindtrace.collector.diagnosis import FAIL, OK, WARN, Found, Line, diagnose, diagnose_silent
from bindtrace.collector.journal.quarantine import Quarantine
from bindtrace.collector.store.faults import recorded
from bindtrace.collector.store.opening import journal_of
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.options import format_option
from bindtrace.queries import cells, render
from bindtrace.queries.live_source import LiveSource
from bindtrace.queries.options import data_options
from bindtrace.queries.query import Query
from bindtrace.queries.source import DEFAULT_DB, LAKE, Source, is_there, open_source

INDENT = 5
_COLOURS = {OK: "green", WARN: "yellow", FAIL: "bold red"}


@click.command()
@data_options
@format_option(("table", "json"))
def doctor(db: Path | None, url: str | None, form: str) -> None:
    """Is it set up right: what arrives, from whom, what is missing, and what to do next.

    Exit status 1 where something fails, 0 with warnings.
    """
    lines = _look(db, url)
    if form == "json":
        keys = ("state", "question", "evidence", "next")
        render.emit(
            "doctor",
            [dict(zip(keys, (*line[:3], line.next_step or None), strict=True)) for line in lines],
            "json",
            keys,
        )
    else:
        for line in lines:
            render.show(Group(*_drawn(line)), prose=True)
    if any(line.state == FAIL for line in lines):
        click.get_current_context().exit(1)


def _look(db: Path | None, url: str | None) -> list[Line]:
    try:
        source = open_source(db, url)
    except Refusal as refusal:
        stored = db is not None or (url.startswith(LAKE) if url is not None else is_there(DEFAULT_DB))
        return [_unanswered(refusal, stored=stored)]
    try:
        return _asked(source)
    except Refusal as refusal:
        return [_unanswered(refusal, stored=not isinstance(source, LiveSource))]
    finally:
        source.close()


def _unanswered(refusal: Refusal, *, stored: bool) -> Line:
    """A file or a lake that cannot be read is no question of whether a collector runs."""
    if stored:
        return Line(FAIL, "can the data be read", f"no: {refusal.message}", refusal.fix)
    return Line(FAIL, "is a collector running", refusal.message, refusal.fix)


def _asked(source: Source) -> list[Line]:
    status = source.status() if isinstance(source, LiveSource) else None
    names = (
        *("health", "instrumentation", "crossings", "senders", "services", "grants", "findings"),
        *("issuers", "gaps"),
    )
    try:
        rows = {name: source.rows(name, Query()) for name in names}
    except Refusal as refusal:
        if status is None:
            raise
        return diagnose_silent(_found(source, status, {}), refusal)
    return diagnose(_found(source, status, rows))


def _found(
    source: Source, status: dict[str, object] | None, rows: dict[str, list[dict[str, object]]]
) -> Found:
    path = Path(str(status["database"])) if status else Path(source.describe())
    path = path if path.exists() else DEFAULT_DB
    return Found(
        status,
        rows.get("health", []),
        rows.get("instrumentation", []),
        rows.get("crossings", []),
        rows.get("senders", []),
        rows.get("services", []),
        rows.get("grants", []),
        rows.get("findings", []),
        rows.get("issuers", []),
        rows.get("gaps", []),
        len(Quarantine(journal_of(path)).entries()),
        recorded(path, "set-aside"),
        now_unix_nano(),
        source.describe(),
        source.option(),
    )


def _drawn(line: Line) -> Iterator[RenderableType]:
    grid = Table.grid()
    grid.add_column(no_wrap=True, min_width=INDENT)
    grid.add_column(overflow="fold")
    said = Text.assemble((line.question, "bold"), f": {cells.visible(line.evidence)}")
    grid.add_row(Text(line.state, _COLOURS[line.state]), said)
    yield grid
    if line.next_step:
        # Lines to copy stay lines.
        for mark, step in zip(chain("→", repeat(" ")), line.next_step.split("\n"), strict=False):
            yield Text(f"{' ' * INDENT}{mark} {cells.visible(step)}", no_wrap=True, overflow="ignore")
