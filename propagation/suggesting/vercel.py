"""Least bindings for `vercel.json` and `vercel.toml`: each service's `bindings` list. Text in, text out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from bindtrace.propagation.manifest import Grant, Manifest, Problem
from bindtrace.propagation.platforms.parsing import parse
from bindtrace.propagation.suggesting import Needed, Suggestion, edits_of, missing, variable_of
from bindtrace.propagation.suggesting.lists import Form, ListEdit, edited

_TABLES: Final = ("services", "experimentalServicesV2", "daemons")


def suggest(manifest: Manifest, text: str, needed: Sequence[Needed], gone: Sequence[Grant]) -> Suggestion:
    """Adds the bindings that calls need, and takes out what has `gone`. Raises ValueError where it cannot."""
    form: Form = "toml" if manifest.file.endswith(".toml") else "json"
    document = parse(manifest.file, text, form)
    if isinstance(document, Problem):
        raise ValueError(str(document))
    wanted = [
        call for call in missing(manifest, needed) if call.callee in {s.service for s in manifest.services}
    ]
    edits: list[ListEdit] = []
    added: list[tuple[Needed, str | None]] = []
    for table in _TABLES:
        services = document.root.get(table)
        for name, config in services.items() if isinstance(services, dict) else ():
            bindings = config.get("bindings", [])
            listed: list[dict[str, Any]] = bindings
            out = {grant.callee for grant in gone if grant.caller == name}
            remove = frozenset(at for at, entry in enumerate(listed) if entry.get("service") in out)
            taken = {str(entry.get("env")) for at, entry in enumerate(listed) if at not in remove}
            entries = []
            for call in (call for call in wanted if call.caller == name):
                variable = variable_of(call, "_URL", taken)
                taken.add(variable)
                entries.append({"type": "service", "service": call.callee, "format": "url", "env": variable})
                added.append((call, variable))
            edits.append(ListEdit((table, name), "bindings", remove, tuple(entries)))
    return Suggestion(edited(text, form, edits), edits_of(added, gone))
