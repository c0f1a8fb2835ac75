"""What Cloudflare says is deployed: a Worker's version (`wrangler versions view ID --json`, the API) or its settings.

Bindings are part of a version, so that this is the policy of the calls of one version and of no other. Neither says
which Worker it is: the file's name does, up to its first dot (`checkout.version.json`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from bindtrace.propagation.manifest import ANY, DeclaredService, Grant, Manifest, Problem, revision_of
from bindtrace.propagation.platforms.cloudflare_rules import is_worker_name
from bindtrace.propagation.platforms.nodes import Node, Reading
from bindtrace.propagation.platforms.parsing import parse, said_twice
from bindtrace.propagation.vocabulary import HopKind

NAME: Final = "cloudflare"
NAMES: Final = ()
READS: Final = "what `wrangler versions view ID --json` prints, as WORKER.version.json"

_CONTENT = re.compile(r'"bindings"\s*:\s*\[')
_OURS = re.compile(r'"(script_runtime|compatibility_date|tail_consumers)"\s*:|"success"\s*:\s*true')


class _Type(NamedTuple):
    """How a binding of one type names what it leads to; without it, to the Worker itself."""

    callee: str
    kind: HopKind = "call"


_TYPES: Final[Mapping[str, _Type]] = {
    "service": _Type("service"),
    "durable_object_namespace": _Type("script_name"),
    "workflow": _Type("script_name"),
    "queue": _Type("queue_name", "message"),
}


def claims(path: Path, text: str) -> bool:
    """JSON with bindings and what the API has beside them."""
    return path.suffix == ".json" and bool(_CONTENT.search(text)) and bool(_OURS.search(text))


def read(path: Path, text: str) -> Manifest:
    """All that the file says, its problems included. Never raises for content."""
    file, revision = str(path), revision_of(text.encode())
    document = parse(file, text, "json")
    if isinstance(document, Problem):
        return Manifest(file, NAME, "", revision, problems=(document,))
    reading = Reading(file)
    reading.problems.extend(said_twice(file, document))
    root = Node(document, document.root, document.line_of(document.root))
    said = root["result"] if isinstance(root["result"].value, dict) else root
    worker = path.name.partition(".")[0]
    if not is_worker_name(worker):
        fix = "save it as WORKER.version.json, as it does not say its Worker itself"
        reading.wrong(root, "INVALID_NAME", f"{worker!r} is no Worker's name", fix)
        return reading.manifest(NAME, "", revision)
    reading.services.append(DeclaredService(NAME, "", worker, None, file, said.line))
    inside = said["resources"] if said["resources"] else said
    for binding in reading.listed(inside["bindings"], filled=False):
        _binding(reading, worker, binding)
    for consumer in reading.listed(said["tail_consumers"], filled=False):
        at = (NAME, "", None, worker, consumer["service"].text, "tail_consumers", file, consumer.line)
        reading.grants.append(Grant(*at, kind="message", traced=False))
    version = said["id"].text if said["resources"] else ""
    return replace(reading.manifest(NAME, "", revision), deployment=version or None)


def _binding(reading: Reading, worker: str, binding: Node) -> None:
    kind, name = binding["type"].text, binding["name"].text or None
    line = binding["type"].line
    if kind == "dispatch_namespace" and (namespace := binding["namespace"].text):
        at = (NAME, "", None, worker, ANY, name, reading.file, line)
        reading.grants.append(Grant(*at, callee_scope=namespace))
    elif kind in _TYPES and (callee := binding[_TYPES[kind].callee].text):
        at = (NAME, "", None, worker, callee, name, reading.file, line)
        entrypoint = binding["entrypoint"].text or None
        reading.grants.append(Grant(*at, kind=_TYPES[kind].kind, entrypoint=entrypoint))
    elif kind in ("service", "queue", "dispatch_namespace"):
        message = f"the binding {name or '(without a name)'} of type {kind} leads to nothing"
        reading.wrong(binding, "INVALID_BINDING", message, "give the file as Cloudflare prints it")
