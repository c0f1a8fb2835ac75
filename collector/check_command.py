"""`bindtrace check`: judges recorded telemetry or declarations, for a pipeline's exit status. Keeps nothing."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import duckdb

from bindtrace.collector.reading import read_pieces
from bindtrace.collector.storing import store
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.options import NamedPath, format_option
from bindtrace.propagation.platforms import read_manifests
from bindtrace.propagation.vocabulary import GRADES, SEVERITIES
from bindtrace.queries import render
from bindtrace.queries.database import open_database
from bindtrace.queries.explain import explain
from bindtrace.queries.options import FINDING_FORMATS, data_options, typed
from bindtrace.queries.policy import install_policy
from bindtrace.queries.query import Query
from bindtrace.queries.report_keys import keys_of
from bindtrace.queries.rules import RULES, findings
from bindtrace.queries.sarif import sarif_text
from bindtrace.queries.source import open_source

Finding = dict[str, Any]


@click.command()
@click.argument("files", nargs=-1, type=NamedPath(allow_dash=True), metavar="[FILE...]")
@click.option(
    "--manifest", "manifests", type=NamedPath(), multiple=True, envvar="BINDTRACE_MANIFEST",
    metavar="FILE", help="What may call what: vercel.json, bindtrace.toml. May be given more than once.",
)  # fmt: skip
@click.option(
    "--fail-on", type=click.Choice(SEVERITIES), default="medium", show_default=True,
    help="Fail on findings as bad as this, or worse.",
)  # fmt: skip
@click.option(
    "--min-grade", type=click.Choice(GRADES), default="claimed", show_default=True,
    help="Fail only on findings as sure as this, or surer.",
)  # fmt: skip
@click.option("--preview", is_flag=True, help="Let rules in preview fail as well; they are shown either way.")
@click.option(
    "--no-traffic", is_flag=True, help="Judge the manifests alone: what they declare, not what ran."
)
@format_option(FINDING_FORMATS)
@data_options
@click.pass_context
def check(
    ctx: click.Context,
    files: Sequence[Path],
    manifests: Sequence[Path],
    fail_on: str,
    min_grade: str,
    preview: bool,
    no_traffic: bool,
    form: str,
    db: Path | None,
    url: str | None,
) -> None:
    """Judge recorded traces (FILE as `import` takes it, `-` for standard input), or what a database or collector holds.

    Exit status 0: nothing at or above --fail-on and --min-grade; 1: something; 2: could not be judged. Findings
    that a manifest's exception silences are shown and do not fail.
    """
    option = again = ""
    if files and typed("db", "url", "lake"):
        raise click.UsageError("name files, or the data with --db, --url or --lake, but not both")
    if no_traffic:
        found = _declared(files, manifests)
    elif files:
        found, again = _recorded(files, manifests), _command(files, manifests)
    else:
        found, option = _stored(manifests, db, url)
    failing = [finding for finding in found if _fails(finding, fail_on, min_grade, preview)]
    if form == "table" and found:
        render.show(explain(found, option, again=again), prose=True)
    elif form == "sarif":
        render.out(sarif_text(found, anchor=str(manifests[0]) if manifests else None))
    elif form != "table":
        render.emit("findings", found, form, keys_of("findings"))
    render.say(_told(found, failing, fail_on, min_grade))
    ctx.exit(1 if failing else 0)


def _command(files: Sequence[Path], manifests: Sequence[Path]) -> str:
    options = [word for path in manifests for word in ("--manifest", str(path))]
    return shlex.join(["bindtrace", "check", *options, *map(str, files)])


def _declared(files: Sequence[Path], manifests: Sequence[Path]) -> list[Finding]:
    if files:
        raise click.UsageError("--no-traffic judges manifests alone: leave out the files, or the option")
    if not manifests:
        raise Refusal(
            "--no-traffic has nothing to judge", fix="name a vercel.json or bindtrace.toml by --manifest"
        )
    con = open_database(None)
    try:
        install_policy(con, read_manifests(manifests))
        return findings(con, Query(), static_only=True)
    finally:
        con.close()


def _recorded(files: Sequence[Path], manifests: Sequence[Path]) -> list[Finding]:
    policy = read_manifests(manifests)
    con = open_database(None)
    try:
        outcome = store(con, (piece for file in files for piece in read_pieces(str(file))), policy)
        render.say(f"judged {outcome.spans:,} spans" + "".join(f"; {reason}" for reason in outcome.reasons))
        if not policy:
            render.say("without --manifest no call is declared or undeclared: verdicts are unknown")
        return findings(con, Query(settled=True))
    except duckdb.Error as error:
        raise Refusal(
            f"cannot judge: {error}", fix="report this with the file, if you may share it"
        ) from None
    finally:
        con.close()


def _stored(manifests: Sequence[Path], db: Path | None, url: str | None) -> tuple[list[Finding], str]:
    if manifests:
        raise Refusal(
            "what is stored was judged by the manifests that its collector was given",
            fix="name recorded files to judge by these, or give them to `bindtrace serve --manifest`",
        )
    source = open_source(db, url)
    try:
        return source.rows("findings", Query()), source.option()
    finally:
        source.close()


def _fails(finding: Finding, fail_on: str, min_grade: str, preview: bool) -> bool:
    """A grade, severity or rule that only a newer collector knows fails: better once too often."""
    rule = RULES.get(finding["rule"])
    if rule is not None and rule.status.startswith("preview") and not preview:
        return False
    mild = finding["severity"] in SEVERITIES[SEVERITIES.index(fail_on) + 1 :]
    unsure = finding["grade"] in GRADES[GRADES.index(min_grade) + 1 :]
    return not (mild or unsure or finding.get("silenced_until") is not None)


def _told(found: Sequence[Finding], failing: Sequence[Finding], fail_on: str, min_grade: str) -> str:
    bar = f"{fail_on} or worse and {min_grade} or surer"
    if not found:
        return "no findings"
    return f"{len(failing)} of {len(found)} findings are {bar}" + ("" if failing else ": passed")
