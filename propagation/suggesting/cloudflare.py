"""Least service bindings for `wrangler.toml` and `.jsonc`: the `services` list of each Worker. Text in, text out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bindtrace.propagation.manifest import Grant, Manifest, Problem
from bindtrace.propagation.platforms.parsing import parse
from bindtrace.propagation.suggesting import Needed, Suggestion, edits_of, missing, variable_of
from bindtrace.propagation.suggesting.lists import ListEdit, edited


def suggest(manifest: Manifest, text: str, needed: Sequence[Needed], gone: Sequence[Grant]) -> Suggestion:
    """Adds the service bindings that calls need, and takes out what has `gone`. Raises ValueError where it cannot.

    An RPC entrypoint is nothing that telemetry shows: a new binding is to the default one.
    """
    toml = manifest.file.endswith(".toml")
    document = parse(manifest.file, text, "toml" if toml else "jsonc")
    if isinstance(document, Problem):
        raise ValueError(str(document))
    wanted = missing(manifest, needed)
    edits: list[ListEdit] = []
    added: list[tuple[Needed, str | None]] = []
    removed = []
    for name, path, table in _workers(document.root):
        listed: list[dict[str, Any]] = table.get("services", [])
        here = [grant for grant in gone if grant.caller == name]
        out = {grant.callee for grant in here}
        remove = frozenset(at for at, entry in enumerate(listed) if entry.get("service") in out)
        names = {listed[at].get("service") for at in remove}
        removed += [grant for grant in here if grant.callee in names]
        taken = {str(entry.get("binding")) for at, entry in enumerate(listed) if at not in remove}
        entries = []
        for call in (call for call in wanted if call.caller == name):
            binding = variable_of(call, "", taken)
            taken.add(binding)
            entries.append({"binding": binding, "service": call.callee})
            added.append((call, binding))
        edits.append(ListEdit(path, "services", remove, tuple(entries)))
    return Suggestion(edited(text, "toml" if toml else "json", edits), edits_of(added, removed))


def _workers(root: dict[str, Any]) -> Iterator[tuple[str, tuple[str, ...], dict[str, Any]]]:
    """Each Worker of the file: its name, the keys that lead to its table, and the table."""
    name = str(root.get("name"))
    yield name, (), root
    environments = root.get("env")
    for environment, table in environments.items() if isinstance(environments, dict) else ():
        if isinstance(table, dict):
            yield str(table.get("name", f"{name}-{environment}")), ("env", environment), table
