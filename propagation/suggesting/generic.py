"""Least grants for `bindtrace.toml`: its `[[grants]]`, for every call that no platform's manifest covers."""

from __future__ import annotations

from collections.abc import Sequence

from bindtrace.propagation.manifest import Grant, Manifest, Problem
from bindtrace.propagation.platforms.parsing import parse
from bindtrace.propagation.suggesting import Needed, Suggestion, covers, edits_of
from bindtrace.propagation.suggesting.lists import Entry, ListEdit, edited


def suggest(manifest: Manifest, text: str, needed: Sequence[Needed], gone: Sequence[Grant]) -> Suggestion:
    """Adds a grant per call that none covers, and takes out what has `gone`. Raises ValueError where it cannot."""
    document = parse(manifest.file, text, "toml")
    if isinstance(document, Problem):
        raise ValueError(str(document))
    wanted: dict[tuple[str, str], Needed] = {}
    for call in needed:
        if not any(covers(grant, call) for grant in manifest.grants):
            wanted.setdefault((call.caller, call.callee), call)
    at_lines = {grant.line for grant in gone}
    listed = document.root.get("grants", [])
    remove = frozenset(at for at, entry in enumerate(listed) if document.line_of(entry) in at_lines)
    entries: list[Entry] = [_entry(call) for call in wanted.values()]
    made = edited(text, "toml", [ListEdit((), "grants", remove, tuple(entries))])
    return Suggestion(made, edits_of([(call, call.binding) for call in wanted.values()], gone))


def _entry(call: Needed) -> Entry:
    entry = {"caller": call.caller, "callee": call.callee}
    return entry if call.binding is None else entry | {"binding": call.binding}
