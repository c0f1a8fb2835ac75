"""`bindtrace manifest`: what was read from manifests, and what is wrong with them. Judges no traffic."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from bindtrace.propagation.manifest import Manifest
from bindtrace.propagation.manifest_pages import pages
from bindtrace.propagation.options import NamedPath, format_option
from bindtrace.propagation.platforms import files_of, problems_of, read_manifest
from bindtrace.propagation.platforms.linking import linked


@click.command()
@click.argument("files", nargs=-1, required=True, type=NamedPath(), metavar="FILE|FOLDER|-...")
@format_option(("table", "json"))
def manifest(files: tuple[Path, ...], form: str) -> None:
    """Show what manifests declare, and their problems.

    Reads files, folders (what they hold of manifests) and standard input (`-`, as of `kubectl get … -o yaml`):
    services, grants and policies with file and line, public paths, hosts. Exits 1 where a problem must be
    repaired before anything is judged by the file, 0 otherwise.
    """
    manifests = linked(read_manifest(path) for path in files_of(files))
    lines = [json.dumps([_as_json(m) for m in manifests], indent=2)] if form == "json" else pages(manifests)
    for line in lines:
        click.echo(line)
    # A return value would do under our own main, but not under click's standalone mode.
    sys.exit(int(any(problem.fatal for problem in problems_of(manifests))))


def _as_json(one: Manifest) -> dict[str, Any]:
    """The manifest's fields; 64-bit integers as decimal strings, as in all JSON of ours."""
    shown = asdict(one)
    for accepted in shown["accepted"]:
        accepted["until_unix_nano"] = str(accepted["until_unix_nano"])
    for policy, read in zip(shown["policies"], one.policies, strict=True):
        policy["applies"] = str(read.applies)
        policy["clauses"] = [
            {"condition": str(clause.condition), "line": clause.line} for clause in read.clauses
        ]
    for definition, named in zip(shown["definitions"], one.definitions, strict=True):
        definition["condition"] = str(named.condition)
    return shown
