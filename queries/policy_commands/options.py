"""The options that verbs of `bindtrace policy` share. No queries."""

from __future__ import annotations

import click

from bindtrace.propagation.options import NamedPath

manifest_option = click.option(
    "--manifest", "manifests", type=NamedPath(), multiple=True, required=True,
    envvar="BINDTRACE_MANIFEST", metavar="FILE",
    help="What may call what; may be given more than once. bindtrace.toml beside the platform's own counts too.",
)  # fmt: skip
