"""`bindtrace chains`: the paths from entry to leaf, narrowed by their services, beside those of before. No SQL here."""

from __future__ import annotations

from dataclasses import replace

import click

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.queries import render
from bindtrace.queries.asking import nothing, source_of, write
from bindtrace.queries.comparing import compared
from bindtrace.queries.drawing.facts import violating
from bindtrace.queries.options import TABLE_FORMATS, Asked, common
from bindtrace.queries.query import FOREVER
from bindtrace.queries.source import Row, Source
from bindtrace.queries.tree import chains_tree
from bindtrace.queries.window import Length


@click.command()
@click.option("--through", metavar="SERVICE", help="Only chains that this service is on, anywhere.")
@click.option("--from", "first", metavar="SERVICE", help="Only chains that begin with this service.")
@click.option("--to", "last", metavar="SERVICE", help="Only chains that end with this service.")
@click.option(
    "--only-violations",
    is_flag=True,
    help="Only chains with a call that was denied, or whose witnesses disagree, or that took a public road inside.",
)
@click.option(
    "--compare",
    "back",
    type=Length(),
    metavar="LENGTH",
    help="Compare with the time before, of this length, as `1d`: which chains are new, gone or slower. Without "
    "--since, the window itself is as long.",
)
@common((*TABLE_FORMATS, "tree"))
def chains(
    asked: Asked,
    through: str | None,
    first: str | None,
    last: str | None,
    only_violations: bool,
    back: int | None,
) -> None:
    """Paths that calls take from entry to leaf, the most frequent first."""

    def wanted(row: Row) -> bool:
        services = list(row["signature"])
        return (
            (through is None or through in services)
            and (first is None or services[:1] == [first])
            and (last is None or services[-1:] == [last])
            and (not only_violations or violating(row))
        )

    if back is not None:
        asked = _window(asked, back)
    with source_of(asked) as source:
        narrowed = only_violations or any((through, first, last, back))
        rows = _asked(source, asked, whole=narrowed)
        if back is not None:
            rows = compared(rows, _asked(source, _earlier(asked, back), whole=True))
        where = source.describe()
    kept = [row for row in rows if wanted(row)]
    write(asked, "chains", kept, people={"tree": lambda shown: render.show(chains_tree(shown))})
    if not kept:
        looked_for = {
            "through": through,
            "from": first,
            "to": last,
            "only": "violations" if only_violations else None,
        }
        render.say(
            nothing(asked, "chains", looked_for, where, {name for row in rows for name in row["signature"]})
        )


def _window(asked: Asked, back: int) -> Asked:
    """A window with an end, and a beginning that is `back` nanoseconds before it unless one was given."""
    until = asked.until_unix_nano if asked.until_unix_nano < FOREVER else now_unix_nano()
    since = asked.since_unix_nano or max(0, until - back)
    if since >= until:
        raise click.BadParameter("the window is empty: --since is not before now", param_hint="'--since'")
    return replace(asked, since_unix_nano=since, until_unix_nano=until)


def _earlier(asked: Asked, back: int) -> Asked:
    return replace(
        asked,
        since_unix_nano=max(0, asked.since_unix_nano - back),
        until_unix_nano=max(0, asked.until_unix_nano - back),
    )


def _asked(source: Source, asked: Asked, *, whole: bool) -> list[Row]:
    """`whole`: all rows, as they are narrowed and cut to the limit here."""
    return source.rows("chains", replace(asked.query(), limit=None) if whole else asked.query())
