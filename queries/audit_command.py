"""`bindtrace audit`: what can be handed over, with what could not be seen said first; and checking it offline."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

import click

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.options import NamedPath, format_option
from bindtrace.queries import render
from bindtrace.queries.live_source import LiveSource
from bindtrace.queries.options import TABLE_FORMATS, data_options
from bindtrace.queries.query import FOREVER, Query
from bindtrace.queries.source import DEFAULT_DB, FileSource, Source, open_source
from bindtrace.queries.window import EXAMPLES, Moment

KEYS: Final = ("file", "state", "expected", "found")


@click.group(invoke_without_command=True)
@click.option("-o", "--output", type=NamedPath(file_okay=False), metavar="DIR",
              help="A new folder, for all that is written.")  # fmt: skip
@click.option("--key", type=NamedPath(dir_okay=False), metavar="FILE",
              help="A private key to sign by (PEM, Ed25519 or P-256). Default: one beside the database.")  # fmt: skip
@click.option("--since", type=Moment(), default="30d", show_default=True, metavar="WHEN", envvar="BINDTRACE_SINCE",
              help=f"Only what began at or after {EXAMPLES}.")  # fmt: skip
@click.option("--until", type=Moment(), default=FOREVER, show_default="now", metavar="WHEN", envvar="BINDTRACE_UNTIL",
              help="Only what began before; the same forms.")  # fmt: skip
@click.option("--env", envvar="BINDTRACE_ENV", metavar="NAME", help="Only this environment, as `production`.")
@data_options
@click.pass_context
def audit(
    ctx: click.Context,
    output: Path | None,
    key: Path | None,
    since: int,
    until: int,
    env: str | None,
    db: Path | None,
    url: str | None,
) -> None:
    """Write what can be handed to an auditor: exposure, roads, coverage, findings, policy, gaps, evidence, signed.

    What could not be seen is said first, on the page and here.
    """
    if ctx.invoked_subcommand is not None:
        return
    if output is None:
        raise click.UsageError("name a new folder: `bindtrace audit --since 30d -o DIR`")
    # Loaded here: Parquet and signatures are slow to import, and other verbs need neither.
    from bindtrace.queries.audit import bundle, facts, signing, unseen

    now = now_unix_nano()
    if since >= until:
        raise click.BadParameter("the window is empty: --since is not before --until", param_hint="'--since'")
    with contextlib.closing(open_source(db, url)) as source:
        signing_key = signing.open_key(key or _key_beside(source), make=key is None)
        render.say(f"asking {source.describe()}")
        found = facts.collect(source, Query(since, until, env or None))
    names = bundle.write(output, found, signing_key, now)
    render.out("What could not be seen:\n" + "".join(f"- {line}\n" for line in unseen.unseen(found)))
    render.say(f"{len(names)} files are in {output}, signed by the key {signing_key.thumbprint()}")
    render.say(f"begin with {output / 'README.md'}; `bindtrace audit verify {output}` checks it, offline")


@audit.command(short_help="Check an audit's digests and their signature.")
@click.argument("folder", type=NamedPath(), metavar="DIR")
@click.option("--key", type=NamedPath(dir_okay=False), metavar="FILE",
              help="The signer's public key (PEM), as you were given it. Default: the one in the folder.")  # fmt: skip
@format_option(TABLE_FORMATS)
@click.pass_context
def verify(ctx: click.Context, folder: Path, key: Path | None, form: str) -> None:
    """Check an audit's folder: every file against its digest, and the digests against their signature.

    Needs no collector and no network. Exit status 0: as it was signed; 1: not, and each file is named; 2: no audit.
    """
    from bindtrace.queries.audit import verifying

    found = verifying.verify(folder, key)
    wrong = [line for line in found.lines if line.state != "ok"]
    shown = [line._asdict() for line in (wrong if form == "table" else found.lines)]
    if shown or form != "table":
        render.emit("audit-verify", shown, form, KEYS)
    whose = f"the key {found.thumbprint}"
    if not found.signed:
        render.say(f"the digests are not signed by {whose}: somebody changed them, or it is another's key")
    elif wrong:
        render.say(f"{len(wrong)} of {len(found.lines)} files are not as {whose} signed them")
    else:
        render.say(f"{len(found.lines)} files are as {whose} signed them")
    if not found.pinned:
        render.say("that key came with the folder: compare it with the signer's, or name his by --key")
    ctx.exit(0 if found.good else 1)


def _key_beside(source: Source) -> Path:
    """Where the key of this database is kept. Raises `Refusal` where the database is on another machine."""
    match source:
        case FileSource():
            database = Path(source.describe())
        case LiveSource():
            database = Path(source.status().get("database") or DEFAULT_DB)
            if not database.exists():
                raise Refusal(
                    f"the collector's database {database} is not on this machine, so no key can be kept beside it",
                    fix="name a private key with --key",
                )
        case _:
            database = DEFAULT_DB
    return database.with_name(f"{database.name}.audit-key.pem")
