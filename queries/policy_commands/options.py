"""The options that verbs of `bindtrace policy` share. No queries."""

from __future__ import annotations

from pathlib import Path

import click

manifest_option = click.option(
    "--manifest", "manifests", type=click.Path(path_type=Path), multiple=True, required=True,
    envvar="BINDTRACE_MANIFEST", metavar="FILE",
    help="What may call what; may be given more than once. bindtrace.toml beside the platform's own counts too.",
)  # fmt: skip
