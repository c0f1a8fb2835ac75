"""`bindtrace review`: what a change of manifests means for the stored traffic, as a pull request's comment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from bindtrace.propagation.options import NamedPath
from bindtrace.propagation.platforms import read_manifests
from bindtrace.queries import render
from bindtrace.queries.asking import source_of
from bindtrace.queries.options import TABLE_FORMATS, Asked, common
from bindtrace.queries.policy_commands.options import manifest_option
from bindtrace.queries.replaying import calls_of
from bindtrace.queries.review_markdown import headline, markdown
from bindtrace.queries.reviewing import Review, rows_of
from bindtrace.queries.reviewing import review as reviewed

FORMATS: Final = ("markdown", *TABLE_FORMATS)


@click.command()
@manifest_option
@click.option(
    "--base", "bases", type=NamedPath(), multiple=True, metavar="FILE",
    help="The manifests as they were, for what is declared otherwise. Default: compare with what is stored.",
)  # fmt: skip
@click.option("--fail-on", type=click.Choice(["breaks", "widens", "never"]), default="breaks", show_default=True,
              help="Status 1 where calls break, also where more gets through, or never.")  # fmt: skip
@click.option("--trace-url", metavar="URL", help="Where a trace can be looked at, with {trace_id} in it.")
@common(FORMATS)
@click.pass_context
def review(
    ctx: click.Context,
    asked: Asked,
    manifests: Sequence[Path],
    bases: Sequence[Path],
    fail_on: str,
    trace_url: str | None,
) -> None:
    """Say what these manifests would change for the calls that were stored, as Markdown for a pull request.

    Exit status 1 as --fail-on says, 2 where it could not be judged.
    """
    if trace_url is not None and "{trace_id}" not in trace_url:
        raise click.BadParameter("write {trace_id} where the id goes", param_hint="--trace-url")
    new = read_manifests(manifests)
    base = read_manifests(bases) if bases else None
    query = asked.query()
    with source_of(asked) as source:
        calls = calls_of(source, query, (*new, *(base or ())))
        found = reviewed(calls, source.rows("chains", query), source.rows("services", query), new, base)
        where = source.describe()
    if asked.form == "markdown":
        render.out(markdown(found, where, trace_url))
    else:
        render.emit("review", rows_of(found), asked.form)
    render.say(headline(found))
    ctx.exit(1 if _fails(found, fail_on) else 0)


def _fails(found: Review, fail_on: str) -> bool:
    if fail_on == "never":
        return False
    widens = found.passes or found.public or any(one.effect == "widens" for one in found.differences)
    return bool(found.breaks or (fail_on == "widens" and widens))
