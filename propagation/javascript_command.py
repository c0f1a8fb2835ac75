"""`bindtrace js`: the propagator for JavaScript, to be copied into a service."""

from __future__ import annotations

from importlib.resources import files

import click


@click.command()
def js() -> None:
    """Print the propagator and span processor for JavaScript: one module, no dependency.

    `bindtrace js > service-binding.mjs`, then add both to the OpenTelemetry SDK; its header shows how.
    """
    module = files("bindtrace.propagation").joinpath("js", "service-binding.mjs")
    click.echo(module.read_text("utf-8"), nl=False)
