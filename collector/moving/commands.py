"""`bindtrace export`, `backup`, `restore`, `migrate`, `forget-lake`: options, progress, and what is said at the end."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from rich.console import Console

from bindtrace.collector.moving import backing_up, exporting, giving_up, migrating
from bindtrace.collector.moving.digests import Held
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.options import NamedPath
from bindtrace.propagation.wording import counted
from bindtrace.queries.cells import moment
from bindtrace.queries.database import join_lake, open_database
from bindtrace.queries.lake.place import read_both
from bindtrace.queries.query import FOREVER
from bindtrace.queries.render import say
from bindtrace.queries.source import DEFAULT_DB, ready_file
from bindtrace.queries.window import EXAMPLES, Moment

_DB = click.option(
    "--db", type=NamedPath(dir_okay=False), default=DEFAULT_DB, envvar="BINDTRACE_DB",
    show_default=True, help="The database of a stopped collector.",
)  # fmt: skip


@click.command()
@_DB
@click.option("-o", "--output", type=NamedPath(), required=True, metavar="PATH",
              help="A file for otlp (gzipped as .gz; - is standard output), a folder for parquet.")  # fmt: skip
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(("otlp", "parquet")),
    default="otlp",
    show_default=True,
    help="What is written.",
)
@click.option("--since", type=Moment(), default=0, show_default="everything", metavar="WHEN",
              help=f"Only what began at or after {EXAMPLES}.")  # fmt: skip
@click.option("--until", type=Moment(), default=FOREVER, show_default="everything", metavar="WHEN",
              help="Only what began before; the same forms.")  # fmt: skip
def export(db: Path, output: Path, form: str, since: int, until: int) -> None:
    """Write telemetry as OTLP JSON lines, which `import` and other collectors take, or as Parquet."""
    piped = output == exporting.STDOUT
    if piped and form == "parquet":
        raise Refusal(
            "Parquet is a folder of files, which standard output is not", fix="name the folder with -o"
        )
    if output.exists() and not piped:
        raise Refusal(f"{output} is there already", fix="name another path with -o")
    ready_file(db)
    con = open_database(db)
    try:
        join_lake(con)
        read_both(con)
        if form == "parquet":
            rows = exporting.write_parquet(con, output, since, until)
            say(f"wrote {', '.join(f'{count:,} {name}' for name, count in rows.items())} into {output}")
            return
        with _step("exporting") as told:
            spans = 0

            def on_spans(count: int) -> None:
                nonlocal spans
                spans += count
                told(f"exporting: {spans:,} spans")

            exporting.write_otlp(con, output, since, until, on_spans)
        say(f"wrote {counted(spans, 'span')} into {'standard output' if piped else output}")
    finally:
        con.close()


@click.command()
@click.argument("folder", type=NamedPath())
@_DB
def backup(folder: Path, db: Path) -> None:
    """Copy a stopped collector's database, and its lake, into a new FOLDER, with what a restore is verified by.

    A lake with its catalog in PostgreSQL or its data in object storage is not copied; it is named.
    """
    with _step("backup") as told:
        copied = backing_up.back_up(db, folder, told)
    say(f"backed up {db} into {folder}: {_counted(copied.tables)}")
    _tell_of_lake(
        copied, "back it up with its own means (pg_dump; versions or copies of the bucket) after this"
    )


@click.command()
@click.argument("folder", type=NamedPath())
@_DB
def restore(folder: Path, db: Path) -> None:
    """Make a new database from a backup, with its lake beside it; every table is counted and compared."""
    with _step("restore") as told:
        copied = backing_up.restore(folder, db, told)
    say(f"restored {db} from {folder}, verified: {_counted(copied.tables)}")
    _tell_of_lake(copied, "see that it is there, and not older than this copy")


def _tell_of_lake(copied: backing_up.Copied, fix: str) -> None:
    if copied.of_lake:
        say(f"and its lake: {_counted(copied.of_lake)}")
    elif lake := copied.elsewhere:
        say(f"WARNING: what is sealed is not in it: it is in {lake.catalog} and {lake.data}. fix: {fix}")


@click.command()
@_DB
def migrate(db: Path) -> None:
    """Bring an older database to this version; the old file is kept beside it."""
    with _step("migrate") as told:
        done = migrating.migrate(db, told)
    if done is None:
        say(f"{db} is of this version already: there is nothing to do")
        return
    found, kept = done
    say(
        f"{db} had schema version {found} and is current now; the old file is {kept}. Give `serve` its manifests again."
    )


@click.command("forget-lake")
@_DB
@click.option(
    "--force", is_flag=True, help="Even if it is there, in part, or does not answer. Deletes nothing of it."
)
def forget_lake(db: Path, force: bool) -> None:
    """Give up a lake that is lost for good, so that a stopped collector's database can have another.

    What was sealed into it stays lost: `doctor`, `report gaps` and `audit` say so. Refused where the lake is there or
    may be, without --force.
    """
    catalog, until = giving_up.give_up(db, whatever=force)
    say(
        f"{db} has no lake any more; what it sealed into {catalog} until {moment(until)} UTC is lost. "
        "`bindtrace serve --seal-after` begins another"
        + (": move away what is left of the old one, or name another place with --lake." if force else ".")
    )


def _counted(contents: dict[str, Held]) -> str:
    return f"{contents['spans'].rows:,} spans, {sum(one.rows for one in contents.values()):,} rows in all"


@contextlib.contextmanager
def _step(first: str) -> Iterator[Callable[[str], None]]:
    """What is being done, on a terminal's standard error."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with Console(stderr=True).status(first) as status:
        yield lambda words: status.update(words)
