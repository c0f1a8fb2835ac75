"""`bindtrace policy replay`: stored traffic under another manifest. The stored policy stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from bindtrace.propagation.platforms import read_manifests
from bindtrace.queries import render, replaying
from bindtrace.queries.asking import cut, nothing, source_of
from bindtrace.queries.options import Asked, common
from bindtrace.queries.policy_commands.options import manifest_option

_WORDS: Final = {
    "breaks": "would break",
    "passes": "would newly pass",
    "unjudged": "would no longer be judged",
    "declared": "would newly be declared",
    "same": "stay as they are",
}


@click.command(short_help="Stored calls under another policy: what would break?")
@manifest_option
@click.option("--all", "everything", is_flag=True, help="Show also the calls of which nothing changes.")
@click.option("--caller", metavar="SERVICE", help="Only calls of this service.")
@click.option("--callee", metavar="SERVICE", help="Only calls to this service.")
@common()
@click.pass_context
def replay(
    ctx: click.Context,
    asked: Asked,
    manifests: Sequence[Path],
    everything: bool,
    caller: str | None,
    callee: str | None,
) -> None:
    """Judge the stored calls by these manifests instead: what would break, what would newly pass.

    Exit status 1 where a call that is not refused today would be. Give all the manifests that would be in force;
    nothing of it is stored.
    """
    policy = read_manifests(manifests)
    filters = {"caller": caller, "callee": callee}
    query = asked.query(filters)
    with source_of(asked) as source:
        calls = replaying.calls_of(source, query, policy)
        where = source.describe()
    rows = replaying.replay(calls, policy)
    shown = [row for row in rows if everything or row["change"] != "same"]
    limited = shown[: asked.limit] if asked.limit else shown
    if limited or asked.form != "table":
        render.emit("policy-replay", limited, asked.form, replaying.KEYS)
    if len(limited) < len(shown):
        render.say(cut(asked.limit))
    render.say(told(rows) if calls else nothing(asked, "calls", filters, where))
    ctx.exit(1 if any(row["change"] == "breaks" for row in rows) else 0)


def told(rows: Sequence[Mapping[str, Any]]) -> str:
    """As `35 calls: 3 would break, 32 stay as they are`."""
    counts = {change: sum(row["calls"] for row in rows if row["change"] == change) for change in _WORDS}
    total = sum(counts.values())
    parts = [f"{count:,} {_WORDS[change]}" for change, count in counts.items() if count]
    return f"{total:,} calls: {', '.join(parts)}"
