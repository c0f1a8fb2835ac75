"""`bindtrace policy diff`: how two manifests differ in what they declare. Judges no traffic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from bindtrace.propagation.manifest_diff import Difference, differences
from bindtrace.propagation.options import NamedPath, format_option
from bindtrace.propagation.platforms import read_manifests
from bindtrace.propagation.wording import counted
from bindtrace.queries import render
from bindtrace.queries.options import TABLE_FORMATS

KEYS: Final = Difference._fields

_manifest = NamedPath(exists=True, allow_dash=True)


@click.command(short_help="What B declares otherwise than A.")
@click.argument("old", type=_manifest, metavar="A")
@click.argument("new", type=_manifest, metavar="B")
@click.option("--exit-code", is_flag=True, help="Status 1 where B lets more through than A.")
@format_option(TABLE_FORMATS)
@click.pass_context
def diff(ctx: click.Context, old: Path, new: Path, exit_code: bool, form: str) -> None:
    """Grants, exposures, services, defaults, policies and exceptions that B declares otherwise than A.

    What lets more through comes first. A line that only moved is no difference.
    """
    found = differences(read_manifests([old]), read_manifests([new]))
    if found or form != "table":
        render.emit("policy-diff", rows(found), form, KEYS)
    wider = sum(one.effect == "widens" for one in found)
    render.say(told(found) if found else f"{new} declares what {old} declares")
    ctx.exit(1 if exit_code and wider else 0)


def rows(found: Sequence[Difference]) -> list[Mapping[str, Any]]:
    """Ready for JSON: absent is None."""
    return [one._asdict() | {"scope": one.scope or None} for one in found]


def told(found: Sequence[Difference]) -> str:
    """As `3 differences: 1 let more through, 2 let less through`."""
    words = {"widens": "let more through", "narrows": "let less through", "neither": "neither more nor less"}
    counts = {effect: sum(one.effect == effect for one in found) for effect in words}
    number = counted(len(found), "difference")
    return f"{number}: {', '.join(f'{count} {words[effect]}' for effect, count in counts.items() if count)}"
