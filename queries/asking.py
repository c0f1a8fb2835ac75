"""What every question does with its answer: ask, cut to the limit, write, and narrate what is missing. No SQL."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.vocabulary import ALL_REASONS, EXTERNAL, UNSEEN
from bindtrace.propagation.wording import counted
from bindtrace.queries import cells, render
from bindtrace.queries.options import Asked
from bindtrace.queries.query import FOREVER, Query
from bindtrace.queries.report_keys import keys_of
from bindtrace.queries.source import Row, Source, open_source
from bindtrace.queries.window import in_rfc3339

Filters = Mapping[str, str | None]

_NAMED: Final = ("caller", "callee", "through", "from", "to")
"""Filters that are names of services."""
_SPANS: Final = "send spans to its collector, or `bindtrace import FILE`"
_TO_BEGIN: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("services", "edges", "hops", "chains", "coverage", "senders", "latency", "health"), _SPANS
    ),
    "findings": "`bindtrace doctor` says whether spans arrive and what they are judged by",
    "grants": "give `bindtrace serve` a --manifest",
}
"""What to try where a report has nothing at all; of the others, nothing is good news or nothing unusual."""


@contextlib.contextmanager
def source_of(asked: Asked) -> Iterator[Source]:
    """The data that the options name, closed at the end. Raises `Refusal`."""
    source = open_source(asked.db, asked.url)
    try:
        yield source
    finally:
        source.close()


def answer(
    asked: Asked,
    report: str,
    filters: Filters | Callable[[Source], Filters] | None = None,
    *,
    people: Mapping[str, Callable[[Sequence[Row]], None]] | None = None,
) -> None:
    """Asks a report and writes its rows; `people` are forms that this report writes in its own way.

    `filters` may need the data first, as where a beginning stands for the whole id.
    """
    with source_of(asked) as source:
        wanted = filters(source) if callable(filters) else filters or {}
        rows = source.rows(report, asked.query(wanted))
        said = "" if rows else nothing(asked, report, wanted, source.describe(), names_in(source))
    write(asked, report, rows, people=people)
    if said:
        render.say(said)


def write(
    asked: Asked,
    report: str,
    rows: Sequence[Row],
    *,
    people: Mapping[str, Callable[[Sequence[Row]], None]] | None = None,
) -> None:
    """Writes rows that were asked with `Asked.query`, cut to the limit."""
    shown = rows[: asked.limit] if asked.limit else rows
    if people and asked.form in people:
        people[asked.form](shown)
    else:
        render.emit(report, shown, asked.form, keys_of(report))
    if len(shown) < len(rows):
        render.say(cut(asked.limit))


def cut(limit: int) -> str:
    """That `limit` rows are not all."""
    return f"cut after {counted(limit, 'row')}; --limit 0 shows all"


def names_in(source: Source) -> set[str]:
    """The names of all services that are known there, and of those outside."""
    return {str(row["service"]) for row in source.rows("services", Query())} | {EXTERNAL, UNSEEN}


def nothing(asked: Asked, report: str, filters: Filters, where: str, names: Collection[str] = ()) -> str:
    """What was looked for in vain, and what to try; `names` are those that a filter may have meant."""
    wanted = [f"{column} {value}" for column, value in filters.items() if value is not None]
    if asked.environment:
        wanted.append(f"environment {asked.environment}")
    if asked.since_unix_nano:
        wanted.append(f"since {in_rfc3339(asked.since_unix_nano)[:19]}Z")
    if asked.until_unix_nano < FOREVER:
        wanted.append(f"until {in_rfc3339(asked.until_unix_nano)[:19]}Z")
    if not wanted:
        return f"no {report} in {where}" + (f"; {hint}" if (hint := _TO_BEGIN.get(report)) else "")
    hint = "an earlier --since" if asked.since_unix_nano else "fewer filters"
    near = [name for column in _NAMED if (name := _meant(filters.get(column), names))]
    near += [name] if (name := _meant(filters.get("reason"), ALL_REASONS)) else []
    meant = (
        f"did you mean {' and '.join(near)}?"
        if near
        else f"try {hint}, or `bindtrace services` for the names"
    )
    return f"no {report} in {where} with {', '.join(wanted)}; {meant}"


def _meant(asked: str | None, names: Collection[str]) -> str | None:
    """The name that is most like one that nobody has."""
    if asked is None or asked in names:
        return None
    by_lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(asked.lower(), by_lower, n=1)
    return by_lower[near[0]] if near else None


def near_names(name: str, known: Sequence[str]) -> str:
    """The names nearest to one that is not known, or all of them."""
    return ", ".join(difflib.get_close_matches(name, known, n=3, cutoff=0.5) or sorted(known))


def unknown_name(what: str, name: str, known: Sequence[str]) -> Refusal:
    """A refusal with the nearest of the known names."""
    return Refusal(f"there is no {what} `{cells.visible(name)}`", fix=f"one of {near_names(name, known)}")
