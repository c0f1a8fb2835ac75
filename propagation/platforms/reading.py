"""One pass over the one document of a file: what a reader collects, and the manifest that it becomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from bindtrace.propagation.manifest import (
    Accepted,
    AddressRange,
    Alias,
    DeclaredService,
    Exposure,
    Grant,
    Host,
    Manifest,
    Match,
    Probe,
    Problem,
    revision_of,
)
from bindtrace.propagation.platforms.located import Document
from bindtrace.propagation.platforms.parsing import Form, parse, said_twice

_LISTS: Final = (
    "services", "grants", "exposures", "hosts", "aliases", "matches", "accepted", "ranges", "probes",
)  # fmt: skip


@dataclass(slots=True)
class Reading:
    """A platform's reader extends it by `all`. Lists only grow; what is wrong becomes a problem and is left out."""

    file: str
    document: Document
    scope: str = ""
    services: list[DeclaredService] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    exposures: list[Exposure] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    aliases: list[Alias] = field(default_factory=list)
    matches: list[Match] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    ranges: list[AddressRange] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def all(self) -> None:
        """Reads the document."""
        raise NotImplementedError

    def extra(self) -> dict[str, Any]:
        """What the manifest says besides the lists."""
        return {}

    def problem(self, line: int, code: str, message: str, fix: str, *, fatal: bool = True) -> None:
        """Notes what is wrong at a line; `message` without its full stop."""
        self.problems.append(Problem(self.file, line, code, f"{message}.", fix, fatal))


R = TypeVar("R", bound=Reading)


def read_document(path: Path, text: str, platform: str, form: Form, reader: type[R]) -> Manifest:
    """All that the file says, its problems included. Never raises for content."""
    file, revision = str(path), revision_of(text.encode())
    document = parse(file, text, form)
    if isinstance(document, Problem):
        return Manifest(file, platform, "", revision, problems=(document,))
    reading = reader(file, document)
    reading.all()
    collected: dict[str, Any] = {name: tuple(getattr(reading, name)) for name in _LISTS}
    problems = (*said_twice(file, document), *reading.problems)
    return Manifest(
        file, platform, reading.scope, revision, problems=problems, **collected, **reading.extra()
    )
