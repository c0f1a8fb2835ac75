"""Policies of meshes and proxies as rows, and back; what they rule is propagation's (`policies.py`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from functools import lru_cache
from typing import Any, Final

from bindtrace.propagation.conditions import Condition, from_json
from bindtrace.propagation.manifest import Manifest
from bindtrace.propagation.policies import Clause, Definition, Policies, Policy
from bindtrace.propagation.workloads import Workload

Row = tuple[str, str, str, list[str]]

COLUMNS: Final = "revision, kind, content, asks"


def rows_of(manifest: Manifest) -> Iterator[Row]:
    """The rows of `policy_revisions` for one manifest."""
    for policy in manifest.policies:
        asked = policy.applies.fields().union(*(clause.condition.fields() for clause in policy.clauses))
        yield manifest.revision, "policy", _text(policy), sorted(asked)
    for definition in manifest.definitions:
        yield manifest.revision, "definition", _text(definition), sorted(definition.condition.fields())
    for workload in manifest.workloads:
        yield manifest.revision, "workload", _text(workload), []


def policies_from(rows: Iterable[tuple[str, str]]) -> Policies:
    """What (kind, content) rows say together.

    Remembered by the rows: two thousand policies take 0.3 s to read, and every run of the analysis asks for them.
    """
    return _read_together(tuple(rows))


@lru_cache(maxsize=16)
def _read_together(rows: tuple[tuple[str, str], ...]) -> Policies:
    read: dict[str, list[Any]] = {"policy": [], "definition": [], "workload": []}
    for kind, content in rows:
        read[kind].append(_READERS[kind](json.loads(content)))
    return Policies(read["policy"], read["definition"], read["workload"])


def _text(value: Policy | Definition | Workload) -> str:
    return json.dumps({field.name: _plain(getattr(value, field.name)) for field in fields(value)})


def _plain(value: object) -> object:
    if isinstance(value, Condition):
        return value.as_json()
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _policy(said: dict[str, Any]) -> Policy:
    clauses = tuple(Clause(from_json(condition), line) for condition, line in said.pop("clauses"))
    return Policy(applies=from_json(said.pop("applies")), clauses=clauses, **said)


def _definition(said: dict[str, Any]) -> Definition:
    return Definition(condition=from_json(said.pop("condition")), **said)


def _workload(said: dict[str, Any]) -> Workload:
    labels, ports = (tuple(map(tuple, said.pop(name))) for name in ("labels", "ports"))
    return Workload(labels=labels, ports=ports, **said)


_READERS: Final[Mapping[str, Callable[[dict[str, Any]], Any]]] = {
    "policy": _policy,
    "definition": _definition,
    "workload": _workload,
}
