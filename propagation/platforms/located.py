"""Parsed text that knows its lines, for messages that point; JSON and JSONC. Reads text, never a file."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any, Final

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')
_STRING_OR_COMMENT: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_STRING_OR_TRAILING_COMMA: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|,(?=\s*[}\]])')
_NO_LINE_END: Final = re.compile(r"[^\r\n]")


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed text. Containers are told apart by identity, so `root` must be kept while lines are asked.

    `repeated` lists the keys that one mapping has twice, with their lines: the last one counts.
    """

    root: Any
    _lines: dict[int, int]
    _entries: dict[tuple[int, str | int], int] = field(default_factory=dict)
    repeated: tuple[tuple[str, int], ...] = ()

    def line_of(self, container: object, default: int = 1) -> int:
        """The line (from 1) where an object or array of this document begins; `default` for anything else."""
        return self._lines.get(id(container), default)

    def line_at(self, container: object, entry: str | int) -> int:
        """The line of one key of an object, or one element of an array, where known; else the container's."""
        return self._entries.get((id(container), entry), self.line_of(container))


class Lines:
    """From an offset in a text to its line (from 1)."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(at + 1 for at, char in enumerate(text) if char == "\n")]

    def at(self, offset: int) -> int:
        return bisect_right(self._starts, offset)


def load(text: str) -> Document:
    """Parses JSON. Raises json.JSONDecodeError, also for nesting deeper than Python can follow."""
    try:
        json.loads(text)
    except RecursionError:
        raise json.JSONDecodeError("Nesting is too deep", text, 0) from None
    building, where = _Building(), Lines(text)
    for found in _TOKEN.finditer(text):
        building.take(found[0], where.at(found.start()))
    return Document(building.root, building.lines, building.entries, tuple(building.repeated))


def load_with_comments(text: str) -> Document:
    """Parses JSONC: JSON with comments and trailing commas. Raises json.JSONDecodeError as `load` does."""
    # What JSON lacks is blanked and not cut, so that every line and column stays.
    for pattern in (_STRING_OR_COMMENT, _STRING_OR_TRAILING_COMMA):
        text = pattern.sub(lambda m: m[0] if m[0][0] == '"' else _NO_LINE_END.sub(" ", m[0]), text)
    return load(text)


@dataclass(slots=True)
class _Open:
    value: Any
    key: str | int
    """Of the entry that comes next, or has begun."""
    keyed: bool = False


@dataclass(slots=True)
class _Building:
    """One valid JSON text, token by token; without recursion, so that depth costs nothing."""

    root: Any = None
    lines: dict[int, int] = field(default_factory=dict)
    entries: dict[tuple[int, str | int], int] = field(default_factory=dict)
    repeated: list[tuple[str, int]] = field(default_factory=list)
    _stack: list[_Open] = field(default_factory=list)

    def take(self, piece: str, line: int) -> None:
        top = self._stack[-1] if self._stack else None
        if piece in "{[":
            value: Any = {} if piece == "{" else []
            self.lines[id(value)] = line
            self._place(top, value, line)
            self._stack.append(_Open(value, 0))
        elif piece in "}]":
            self._stack.pop()
        elif piece == ":" or piece == ",":
            return
        elif top and isinstance(top.value, dict) and not top.keyed:
            top.key, top.keyed = json.loads(piece), True
            if top.key in top.value:
                self.repeated.append((str(top.key), line))
            self.entries[id(top.value), top.key] = line
        else:
            self._place(top, json.loads(piece), line)

    def _place(self, top: _Open | None, value: Any, line: int) -> None:
        if top is None:
            self.root = value
        elif isinstance(top.value, dict):
            top.value[top.key], top.keyed = value, False
        else:
            self.entries[id(top.value), len(top.value)] = line
            top.value.append(value)
