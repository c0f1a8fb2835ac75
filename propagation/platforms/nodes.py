"""Located access to parsed manifests: every value with its line, every wrong shape a problem. No I/O."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bindtrace.propagation.manifest import (
    Alias,
    DeclaredService,
    Default,
    Exposure,
    Grant,
    Host,
    Manifest,
    Match,
    Problem,
)
from bindtrace.propagation.platforms.located import Document
from bindtrace.propagation.policies import Definition, Policy
from bindtrace.propagation.workloads import Workload


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a document and where it stands; `name` is its key. What is not there is a node of None."""

    document: Document
    value: Any
    line: int
    name: str = ""

    def __getitem__(self, key: str) -> Node:
        if isinstance(self.value, dict) and key in self.value:
            return Node(self.document, self.value[key], self.document.line_at(self.value, key), key)
        return Node(self.document, None, self.line, key)

    def __bool__(self) -> bool:
        return self.value is not None

    def at(self, *keys: str) -> Node:
        """`node[a][b]…`."""
        found = self
        for key in keys:
            found = found[key]
        return found

    @property
    def text(self) -> str:
        """A scalar as text, else the empty text."""
        if isinstance(self.value, bool):
            return str(self.value).lower()
        return str(self.value) if isinstance(self.value, str | int | float) else ""

    def entries(self) -> Iterator[tuple[str, Node]]:
        """The keys of an object; nothing of anything else."""
        for key in self.value if isinstance(self.value, dict) else ():
            yield key, self[key]

    def elements(self) -> Iterator[Node]:
        """The elements of a list; nothing of anything else."""
        for index, value in enumerate(self.value if isinstance(self.value, list) else ()):
            yield Node(self.document, value, self.document.line_at(self.value, index), self.name)


@dataclass(slots=True)
class Reading:
    """One pass over one file. Lists only grow; what is wrong becomes a problem."""

    file: str
    services: list[DeclaredService] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    exposures: list[Exposure] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    matches: list[Match] = field(default_factory=list)
    aliases: list[Alias] = field(default_factory=list)
    defaults: list[Default] = field(default_factory=list)
    policies: list[Policy] = field(default_factory=list)
    definitions: list[Definition] = field(default_factory=list)
    workloads: list[Workload] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def manifest(self, platform: str, scope: str, revision: str) -> Manifest:
        """All that was read."""
        return Manifest(
            self.file,
            platform,
            scope,
            revision,
            services=tuple(self.services),
            grants=tuple(self.grants),
            exposures=tuple(self.exposures),
            hosts=tuple(self.hosts),
            matches=tuple(self.matches),
            aliases=tuple(self.aliases),
            defaults=tuple(self.defaults),
            policies=tuple(self.policies),
            definitions=tuple(self.definitions),
            workloads=tuple(dict.fromkeys(self.workloads)),
            problems=tuple(self.problems),
        )

    def wrong(self, at: Node | int, code: str, message: str, fix: str, *, fatal: bool = True) -> None:
        line = at if isinstance(at, int) else at.line
        self.problems.append(Problem(self.file, line, code, f"{message}.", f"{fix}.", fatal))

    def listed(self, node: Node, *, filled: bool = True) -> list[Node]:
        """The elements of a list that may be left out; anything else, and with `filled` an empty one, is wrong."""
        if node and (not isinstance(node.value, list) or (filled and not node.value)):
            said = "is empty, which no mesh takes for none" if node.value == [] else "must be a list"
            self.wrong(
                node, "BAD_SHAPE", f"`{node.name}` {said}", f"write `{node.name}: [...]`, or leave it out"
            )
        return list(node.elements())

    def mapped(self, node: Node) -> list[tuple[str, Node]]:
        """The entries of an object that may be left out."""
        if node and not isinstance(node.value, dict):
            self.wrong(node, "BAD_SHAPE", f"`{node.name}` must be an object", f"write `{node.name}: {{...}}`")
        return list(node.entries())

    def texts(self, node: Node) -> list[Node]:
        """The elements of a list of texts."""
        found = self.listed(node)
        for element in found:
            if not element.text:
                self.wrong(
                    element, "BAD_SHAPE", f"an element of `{node.name}` is not a text", "write it in quotes"
                )
        return [element for element in found if element.text]

    def only(self, node: Node, known: Collection[str]) -> None:
        """A key that nobody knows says something that would not be judged by."""
        for key, entry in self.mapped(node):
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                fix = f"did you mean `{near[0]}`" if near else f"known are {', '.join(sorted(known))}"
                owner = f"`{node.name}`" if node.name else "an element"
                self.wrong(entry, "UNKNOWN_KEY", f"{owner} has the unknown key `{key}`", fix)


def texts_of(node: Node) -> Mapping[str, str]:
    """An object of texts, as labels are."""
    return {key: value.text for key, value in node.entries()}
