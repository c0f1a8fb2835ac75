"""Finds the SQL files of this room and reads their headers; never runs them.

A file opens with a comment header: a title line, then `key: value` lines. A key outside `KEYS` is refused, and a
folder's `_order` file must name exactly the files that are there, so no file is orphaned and no name dangles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

KEYS = frozenset(
    {
        "severity", "category", "status", "reads", "concerns", "needs", "why", "message", "fix", "remedy", "check",
        "may be wrong when", "source", "parameters", "columns", "kind", "run by", "quiet", "only where",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SqlFile:
    """One SQL file: its name without suffix, its first line as a title, its header, and its whole text."""

    name: str
    title: str
    header: dict[str, str]
    text: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """What its text binds, in the order of its header; what stands there in brackets explains them."""
        names = re.sub(r"\([^)]*\)", "", self.header.get("parameters", "")).split(",")
        return tuple(name.strip() for name in names if name.strip())


@cache
def folder(name: str) -> dict[str, SqlFile]:
    """Every SQL file of a folder by name. Raises `ValueError` on a header that breaks the rule above."""
    return {
        entry.name.removesuffix(".sql"): _parse(entry.name.removesuffix(".sql"), entry.read_text("utf-8"))
        for entry in sorted((files(__package__) / name).iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".sql")
    }


@cache
def ordered(name: str) -> tuple[SqlFile, ...]:
    """The files of a folder in the order that its `_order` file states. Raises `ValueError` if the two differ."""
    found = folder(name)
    order = (files(__package__) / name / "_order").read_text("utf-8").split()
    if set(order) != set(found) or len(order) != len(found):
        raise ValueError(f"{name}/_order and the files of {name}/ differ: {set(order) ^ set(found)}")
    return tuple(found[entry] for entry in order)


def _parse(name: str, text: str) -> SqlFile:
    lines = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    if not lines:
        raise ValueError(f"{name}.sql has no header")
    header: dict[str, str] = {}
    key = ""
    for line in lines[1:]:
        head, colon, rest = line.partition(":")
        if colon and head in KEYS:
            key = head
            header[key] = rest.strip()
        elif key and not _looks_like_key(line):
            header[key] += f" {line}"
        else:
            raise ValueError(f"{name}.sql: header line {line!r} is not one of {sorted(KEYS)}")
    return SqlFile(name, lines[0], header, text)


def _looks_like_key(line: str) -> bool:
    head, colon, _ = line.partition(": ")
    return bool(colon) and head.replace(" ", "").isalpha() and len(head.split()) == 1
