"""The least that a manifest must grant for the calls that were seen, as an edit of the manifest's own text.

One module per syntax; each offers `suggest(manifest, text, needed, gone) -> Suggestion`. No I/O here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Final, Literal, NamedTuple

from bindtrace.propagation.manifest import Grant, Manifest
from bindtrace.propagation.wording import counted


class Needed(NamedTuple):
    """A call that was seen and must go on: what is known of it. `grade` is the surest that any of its calls has."""

    caller: str
    callee: str
    environment: str | None
    binding: str | None
    methods: tuple[str, ...]
    calls: int
    days: int
    grade: str
    verdict: str
    identity: str | None = None
    """The SPIFFE ID that the caller's certificate proved, where all its calls show the same."""

    def __str__(self) -> str:
        return f"{counted(self.calls, 'call')} on {counted(self.days, 'day')}, {self.grade}"


class Edit(NamedTuple):
    """One grant more or less. `needed` None: no call used it."""

    change: Literal["add", "remove"]
    caller: str
    callee: str
    environment: str | None
    binding: str | None
    line: int | None
    needed: Needed | None


class Suggestion(NamedTuple):
    """The manifest's new text and what was changed in it; the same text where there is nothing to change."""

    text: str
    edits: tuple[Edit, ...]


Suggest = Callable[[Manifest, str, Sequence[Needed], Sequence[Grant]], Suggestion]
"""Manifest, its text, the calls that it must grant, and the grants of it that go. Raises ValueError."""

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9]+")


def variable_of(needed: Needed, suffix: str, taken: Collection[str]) -> str:
    """The name of a new binding: as telemetry has it, else by the callee, `LEDGER_URL`; never one that is taken."""
    name = needed.binding or f"{_NOT_IN_NAMES.sub('_', needed.callee).strip('_').upper()}{suffix}"
    name = name if not name[:1].isdigit() else f"_{name}"
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def covers(grant: Grant, needed: Needed) -> bool:
    """Whether the grant is used by that call, by name and environment."""
    return (
        grant.caller == needed.caller
        and grant.callee == needed.callee
        and (grant.environment is None or needed.environment in (None, grant.environment))
    )


def missing(manifest: Manifest, needed: Sequence[Needed]) -> list[Needed]:
    """The calls of this manifest's own services that no grant of it covers, one per pair and environment."""
    own = {service.service for service in manifest.services}
    seen: dict[tuple[str, str], Needed] = {}
    for call in needed:
        if call.caller in own and not any(covers(grant, call) for grant in manifest.grants):
            seen.setdefault((call.caller, call.callee), call)
    return list(seen.values())


def unused(manifest: Manifest, needed: Sequence[Needed]) -> list[Grant]:
    """The grants that none of these calls uses; only those that let a service make calls that a trace would show."""
    return [
        grant
        for grant in manifest.grants
        if grant.action == "allow"
        and grant.kind == "call"
        and not any(covers(grant, call) for call in needed)
    ]


def edits_of(added: Sequence[tuple[Needed, str | None]], removed: Sequence[Grant]) -> tuple[Edit, ...]:
    """The edits as values, for the table beside the patch: each added call with its binding, each grant that goes."""
    return (
        *(Edit("add", n.caller, n.callee, n.environment, name, None, n) for n, name in added),
        *(Edit("remove", g.caller, g.callee, g.environment, g.binding, g.line, None) for g in removed),
    )
