"""`bindtrace manifest`: what was read from manifests, and what is wrong with them. Judges no traffic."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from bindtrace.propagation.manifest import Manifest
from bindtrace.propagation.platforms import problems_of, read_manifest
from bindtrace.propagation.platforms.linking import linked


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    envvar="BINDTRACE_FORMAT",
    show_envvar=True,
)
def manifest(files: tuple[Path, ...], form: str) -> None:
    """Show what manifests declare, and their problems.

    Reads vercel.json and bindtrace.toml: services, grants with file and line, public paths, hosts. Exits 1
    where a problem must be repaired before anything is judged by the file, 0 otherwise.
    """
    manifests = linked(read_manifest(path) for path in files)
    lines = [json.dumps([_as_json(m) for m in manifests], indent=2)] if form == "json" else _pages(manifests)
    for line in lines:
        click.echo(line)
    # A return value would do under our own main, but not under click's standalone mode.
    sys.exit(int(any(problem.fatal for problem in problems_of(manifests))))


def _as_json(one: Manifest) -> dict[str, Any]:
    """The manifest's fields; 64-bit integers as decimal strings (contract: JSON)."""
    shown = asdict(one)
    for accepted in shown["accepted"]:
        accepted["until_unix_nano"] = str(accepted["until_unix_nano"])
    return shown


def _pages(manifests: Sequence[Manifest]) -> Iterator[str]:
    for number, one in enumerate(manifests):
        if number:
            yield ""
        scope = f", scope {one.scope}" if one.scope else ""
        yield f"{one.file}: {one.platform}{scope}, revision {one.revision}"
        for title, head, rows in _tables(one):
            yield from _table(title, head, rows)
        for problem in problems_of([one]):
            level = "error" if problem.fatal else "warning"
            yield f"  {level} {problem.place}: {problem.message} [{problem.code}] fix: {problem.fix}"


def _tables(one: Manifest) -> Iterator[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    exposed = {exposure.service for exposure in one.exposures}
    default = "internal" if one.platform == "vercel" else "-"
    yield (
        "services",
        ("service", "exposure", "at"),
        [
            (s.service, s.exposure or ("public" if s.service in exposed else default), f"{s.file}:{s.line}")
            for s in one.services
        ],
    )
    yield (
        "grants",
        ("caller", "callee", "binding", "at"),
        [(g.caller, g.callee, g.binding or "-", f"{g.file}:{g.line}") for g in one.grants],
    )
    yield (
        "public paths",
        ("path", "service", "at"),
        [(e.source, e.service, f"{e.file}:{e.line}") for e in one.exposures],
    )
    yield (
        "hosts",
        ("host", "leads to", "road"),
        [(host.host, host.service or "(edge)", host.road) for host in one.hosts],
    )
    yield (
        "names in telemetry",
        ("attribute", "value", "is"),
        [(m.attribute, m.value, f"{m.role} {m.service}") for m in one.matches],
    )
    yield (
        "exceptions",
        ("rule", "caller", "callee", "reason", "at"),
        [
            (a.rule, a.caller or "any", a.callee or "any", a.reason, f"{a.file}:{a.line}")
            for a in one.accepted
        ],
    )


def _table(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        return
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    yield f"  {title}"
    for row in (head, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"    {'  '.join(cells).rstrip()}"
