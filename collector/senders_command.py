"""`bindtrace senders`: who sends, how much of it was taken, and what was refused, redacted or odd. No SQL here."""

from __future__ import annotations

import click

from bindtrace.queries.asking import answer
from bindtrace.queries.options import Asked, common


@click.command()
@click.option("--service", metavar="SERVICE", help="Only this sender.")
@click.option("--protocol", metavar="WORD", help="Only what came by grpc, http or zipkin.")
@common()
def senders(asked: Asked, **filters: str | None) -> None:
    """Who sends spans, and what became of them."""
    answer(asked, "senders", filters)
