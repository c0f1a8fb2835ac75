"""`bindtrace dashboards export`: writes the Grafana dashboards, for those who installed a wheel. Asks no collector."""

from __future__ import annotations

from pathlib import Path

import click

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.options import NamedPath


@click.group()
def dashboards() -> None:
    """Grafana dashboards, data sources and alert rules."""


@dashboards.command(short_help="Write them into FOLDER.")
@click.argument("folder", type=NamedPath(file_okay=False))
@click.option("--force", is_flag=True, help="Write over files that are there already.")
def export(folder: Path, force: bool) -> None:
    """Write the dashboards, their provisioning and the alert rules into FOLDER.

    Grafana reads the folder `provisioning` at its start; data sources take BINDTRACE_URL and BINDTRACE_API_TOKEN from
    its environment.
    """
    from bindtrace.queries.grafana.files import (
        files,
    )  # loaded here: the builders cost every other command 0.1 s

    written = files()
    if not force and (there := [name for name in written if (folder / name).exists()]):
        raise Refusal(
            f"{folder / there[0]} is there already"
            + (f", and {len(there) - 1} more" if len(there) > 1 else ""),
            fix="name another folder, or give --force",
        )
    try:
        for name, text in written.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, "utf-8")
    except OSError as error:
        raise Refusal(
            f"cannot write into {folder}: {error.strerror}", fix="name a folder that can be written"
        ) from None
    click.echo(f"wrote {len(written)} files into {folder}", err=True)
