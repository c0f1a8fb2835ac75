"""Parsed text that knows its lines, for messages that point; and the JSON reader. Reads text, never a file."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from json import scanner
from typing import Any


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


class _Decoder(json.JSONDecoder):
    """The standard decoder in its pure Python form, which lets an object's and array's start be noted."""

    parse_object: Callable[..., tuple[Any, int]]
    parse_array: Callable[..., tuple[Any, int]]

    def __init__(self, note: Callable[[int, object], None]) -> None:
        super().__init__()

        def noting(parse: Callable[..., tuple[Any, int]]) -> Callable[..., tuple[Any, int]]:
            def parse_and_note(at: tuple[str, int], *rest: Any) -> tuple[Any, int]:
                value, end = parse(at, *rest)
                note(at[1] - 1, value)
                return value, end

            return parse_and_note

        self.parse_object = noting(self.parse_object)
        self.parse_array = noting(self.parse_array)
        self.scan_once = scanner.py_make_scanner(self)  # type: ignore[attr-defined]


def load(text: str) -> Document:
    """Parses `text`. Raises json.JSONDecodeError, also for nesting deeper than Python can follow."""
    starts = [0, *(at + 1 for at, char in enumerate(text) if char == "\n")]
    lines: dict[int, int] = {}
    try:
        root = _Decoder(lambda at, value: lines.__setitem__(id(value), bisect_right(starts, at))).decode(text)
    except RecursionError:
        raise json.JSONDecodeError("Nesting is too deep", text, 0) from None
    return Document(root, lines)
