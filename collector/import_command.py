"""`bindtrace import`: recorded OTLP into a database or a running collector. Done when questions see it."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from bindtrace.collector.reading import STDIN, Piece, read_pieces
from bindtrace.collector.sending import send
from bindtrace.collector.storing import Outcome, held_database, store
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.options import NamedPath
from bindtrace.propagation.platforms import read_manifests
from bindtrace.propagation.wording import counted
from bindtrace.queries.live_source import DEFAULT_URL, LiveSource
from bindtrace.queries.lock import holder
from bindtrace.queries.options import database_options
from bindtrace.queries.render import say
from bindtrace.queries.source import DEFAULT_DB


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=NamedPath(allow_dash=True), metavar="FILE...")
@click.option(
    "--manifest", "manifests", type=NamedPath(), multiple=True, envvar="BINDTRACE_MANIFEST",
    metavar="FILE", help="With --db: what may call what, in force from now on. May be given more than once.",
)  # fmt: skip
@database_options
def import_files(paths: Sequence[Path], manifests: Sequence[Path], db: Path | None, url: str | None) -> None:
    """Take in recorded OTLP (JSON, JSON lines, protobuf), or JSON of Zipkin, Jaeger or Tempo.

    Gzipped or not; `-` is standard input. Importing a file twice changes nothing.
    """
    files = [str(path) for path in paths]
    policy = read_manifests(manifests) if manifests else None
    _check_readable(files)
    target = _target(db, url)
    if isinstance(target, LiveSource):
        if policy is not None:
            raise Refusal(
                "a running collector reads its manifests when it starts",
                fix="give them to `bindtrace serve --manifest`, or import into a file with --db",
            )
        with _pieces(files) as pieces:
            outcome = send(pieces, target)
        say(_told(outcome, target.describe()))
        return
    with _pieces(files) as pieces:
        begun = _begun(pieces)
        with held_database(target) as con:
            outcome = store(con, begun, policy)
    say(_told(outcome, str(target)))


def _target(db: Path | None, url: str | None) -> Path | LiveSource:
    if url is not None:
        return LiveSource(url)
    if db is not None:
        return db
    with contextlib.suppress(Refusal):
        running = LiveSource(DEFAULT_URL)
        running.status(1.0)
        return running
    if held := holder(DEFAULT_DB):
        return LiveSource(held.url)
    if DEFAULT_DB.exists():
        return DEFAULT_DB
    raise Refusal(
        f"no collector answers at {DEFAULT_URL}, and there is no {DEFAULT_DB} in this folder",
        fix=f"start `bindtrace serve`, or make a database with --db {DEFAULT_DB}",
    )


def _check_readable(files: Sequence[str]) -> None:
    """Before anything is stored: a wrong name among many files should not leave half of them imported."""
    for name in files:
        if name != STDIN and not Path(name).exists():
            raise Refusal(f"there is no file {name}", fix="check the path")
        if name != STDIN and Path(name).is_dir():
            raise Refusal(f"{name} is a folder", fix=f"name its files, as {name.rstrip('/')}/*.json")


def _begun(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """The same; the first is read at once, so that of a file that holds none no database is made."""
    first = list(itertools.islice(pieces, 1))
    return itertools.chain(first, pieces)


@contextlib.contextmanager
def _pieces(files: Sequence[str]) -> Iterator[Iterator[Piece]]:
    """What the files hold, with a bar on a terminal's standard error."""
    with _progress(files) as on_bytes:
        yield (piece for name in files for piece in read_pieces(name, on_bytes))


@contextlib.contextmanager
def _progress(files: Sequence[str]) -> Iterator[Callable[[int], None]]:
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    sizes = [_size(name) for name in files]
    total = None if None in sizes else float(sum(size for size in sizes if size))
    columns = (TextColumn("import"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("import", total=total)
        yield lambda count: bar.advance(task, count)


def _size(name: str) -> int | None:
    """None for what has no size before it ends: a pipe."""
    found = os.fstat(sys.stdin.fileno()) if name == STDIN else Path(name).stat()
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _told(outcome: Outcome, where: str) -> str:
    parts = [f"imported {counted(outcome.spans, 'span')} into {where}"]
    if outcome.duplicates:
        parts.append(f"{counted(outcome.duplicates, 'span')} were there already")
    parts += outcome.reasons or (
        [f"{counted(outcome.rejected, 'span')} rejected"] if outcome.rejected else []
    )
    return "; ".join(parts)
