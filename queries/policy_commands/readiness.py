"""`bindtrace policy readiness`: may enforcement be switched on, binding by binding? It counts what was seen."""

from __future__ import annotations

from typing import Final

import click

from bindtrace.queries import cells, render
from bindtrace.queries.asking import cut, nothing, source_of
from bindtrace.queries.options import Asked, common
from bindtrace.queries.report_keys import keys_of
from bindtrace.queries.source import Row

DAYS: Final = 7
KEYS: Final = ("ready", *keys_of("readiness"), "why")


@click.command(short_help="May enforcement be switched on, binding by binding?")
@click.option("--days", type=click.IntRange(min=1), default=DAYS, show_default=True,
              help="Calls must have been seen on at least so many days.")  # fmt: skip
@click.option("--share", type=click.FloatRange(0, 1), default=0.99, show_default=True,
              help="At least this share of calls must be sure to pass.")  # fmt: skip
@click.option("--caller", metavar="SERVICE", help="Only calls of this service.")
@click.option("--callee", metavar="SERVICE", help="Only calls to this service.")
@common()
@click.pass_context
def readiness(
    ctx: click.Context, asked: Asked, days: int, share: float, caller: str | None, callee: str | None
) -> None:
    """Per binding: how many calls would pass, how sure that is, and whether enforcement may be switched on.

    Exit status 1 where a binding is not ready because calls of it would be refused.
    """
    filters = {"caller": caller, "callee": callee}
    with source_of(asked) as source:
        found = source.rows("readiness", asked.query(filters))
        where = source.describe()
    rows = [judged(row, days, share) for row in found]
    shown = rows[: asked.limit] if asked.limit else rows
    if shown or asked.form != "table":
        render.emit("policy-readiness", shown, asked.form, KEYS)
    if len(shown) < len(rows):
        render.say(cut(asked.limit))
    render.say(_told(rows) if rows else nothing(asked, "calls", filters, where))
    ctx.exit(1 if any(row["ready"] == "no" for row in rows) else 0)


def judged(row: Row, days: int, share: float) -> Row:
    """The row with `ready` and `why`: the first reason against it, and unknown is none of yes and no."""
    unclear = row["calls"] - row["passes"] - row["refused"]
    answers = (
        (row["calls"] == 0, "unknown", "no call was seen"),
        (
            row["refused"] > 0,
            "no",
            f"{cells.count(row['refused'])} of {cells.count(row['calls'])} would be refused",
        ),
        (unclear > 0, "unknown", f"{cells.count(unclear)} could not be judged"),
        (row["days"] < days, "unknown", f"seen on {row['days']} of {days} days"),
        (
            (row["share_at_least"] or 0) < share,
            "unknown",
            f"too few calls to be sure of {share:.0%}",
        ),
        (True, "yes", "every call that was seen passes"),
    )
    ready, why = next((word, reason) for holds, word, reason in answers if holds)
    return {"ready": ready, **row, "why": why}


def _told(rows: list[Row]) -> str:
    counts = {word: sum(row["ready"] == word for row in rows) for word in ("yes", "no", "unknown")}
    words = {"yes": "ready", "no": "not ready", "unknown": "not known yet"}
    return f"{len(rows)} bindings: " + ", ".join(f"{n} {words[word]}" for word, n in counts.items() if n)
