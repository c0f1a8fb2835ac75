"""`bindtrace watch`: new findings of a running collector, as they are found. Keeps nothing but their ids."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.options import format_option
from bindtrace.propagation.vocabulary import SEVERITIES
from bindtrace.propagation.wording import counted
from bindtrace.queries import render
from bindtrace.queries.explain import explain_each
from bindtrace.queries.live_source import LiveSource
from bindtrace.queries.options import data_options
from bindtrace.queries.query import FOREVER, Query
from bindtrace.queries.source import Row, open_source
from bindtrace.queries.window import Length, Moment
from bindtrace.queries.word_styles import severity_rank

REST: Final = 4
"""An answer is asked for again after at least so many times what it took: watching costs a fifth at most."""


@dataclass(slots=True)
class Watch:
    """Which findings were shown, and how bad each was then."""

    worst: str
    shown: dict[str, int] = field(default_factory=dict)

    def new(self, findings: list[Row]) -> Iterator[Row]:
        """Those that were not there before, or have become worse; silenced ones are not news."""
        for finding in findings:
            rank = severity_rank(finding["severity"])
            if rank > severity_rank(self.worst) or finding.get("silenced_until") is not None:
                continue
            if rank < self.shown.get(finding["id"], len(SEVERITIES) + 1):
                self.shown[finding["id"]] = rank
                yield finding


@click.command()
@click.option("--severity", type=click.Choice(SEVERITIES), default="low", show_default=True,
              help="Only findings as bad as this, or worse.")  # fmt: skip
@click.option("--all", "existing", is_flag=True, help="Begin with the findings that there are already.")
@click.option("--every", "every_nano", type=Length(), default="2s", show_default=True, metavar="LENGTH",
              help="How often to ask; less often where an answer takes long.")  # fmt: skip
@click.option("--for", "for_nano", type=Length(), metavar="LENGTH",
              help="End after so long, with status 1 if anything new was found.")  # fmt: skip
@click.option("--since", type=Moment(), default=0, show_default="everything", metavar="WHEN", envvar="BINDTRACE_SINCE",
              help="Judge only calls that began at or after.")  # fmt: skip
@click.option("--env", envvar="BINDTRACE_ENV", metavar="NAME", help="Only this environment.")
@format_option(("table", "jsonl"), "Blocks for people, or one JSON object a line.")
@data_options
@click.pass_context
def watch(
    ctx: click.Context,
    severity: str,
    existing: bool,
    every_nano: int,
    for_nano: int | None,
    since: int,
    env: str | None,
    form: str,
    db: Path | None,
    url: str | None,
) -> None:
    """Show new findings of a running collector as they are found, until Ctrl-C.

    A finding is new when its rule fires for a caller and callee for which it did not before, or when it became worse.
    """
    source = _live(db, url)
    query = Query(since_unix_nano=since, until_unix_nano=FOREVER, environment=env or None)
    watching = Watch(severity)
    found = 0
    begun = time.monotonic()
    try:
        there = list(watching.new(source.rows("findings", query)))
        render.say(
            f"watching {source.describe()}, Ctrl-C ends; findings there already: {len(there)}"
            + ("" if existing or not there else " (--all shows them)")
        )
        _show(there if existing else [], form, source.option())
        for findings in _answers(source, query, every_nano / 1e9, for_nano and begun + for_nano / 1e9):
            new = list(watching.new(findings))
            found += len(new)
            _show(new, form, source.option())
    except KeyboardInterrupt:
        _told(found)
        return
    _told(found)
    ctx.exit(1 if found else 0)


def _live(db: Path | None, url: str | None) -> LiveSource:
    source = open_source(db, url)
    if isinstance(source, LiveSource):
        return source
    source.close()
    raise Refusal(
        f"{source.describe()} is a stopped collector's file: nothing new comes into it",
        fix="start `bindtrace serve`, or ask `bindtrace findings` for what it holds",
    )


def _answers(source: LiveSource, query: Query, every_s: float, until: float | None) -> Iterator[list[Row]]:
    """One answer after another. A collector that is gone is waited for, and said to be gone once."""
    gone, took = False, 0.0
    while until is None or time.monotonic() < until:
        pause = max(every_s, REST * took)
        time.sleep(pause if until is None else max(0.0, min(pause, until - time.monotonic())))
        asked = time.monotonic()
        try:
            findings = source.rows("findings", query)
        except Refusal as refused:
            if not gone:
                render.say(f"{refused.message}; asking on until it answers")
            gone = True
            continue
        if gone:
            render.say(f"{source.describe()} answers again")
        gone, took = False, time.monotonic() - asked
        yield findings


def _show(findings: list[dict[str, Any]], form: str, option: str) -> None:
    if form == "jsonl":
        render.out(render.jsonl_text(findings))
    elif findings:
        render.show(explain_each(findings, option), prose=True)


def _told(found: int) -> None:
    render.say(counted(found, "new finding"))
