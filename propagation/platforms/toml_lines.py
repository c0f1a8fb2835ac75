"""TOML with the line of every table, key and element, which `tomllib` does not tell. Reads text, never a file.

`tomllib` parses and refuses; what it accepted is then walked along its own result, which is why the walk is short.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

from bindtrace.propagation.platforms.located import Document, Lines

_SPACE: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")|\'\'\'.*?\'{3,5}(?!\')|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL
)
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN: Final = re.compile(r"[^,\]}\n#]+")
_WHERE: Final = re.compile(r" \(at line (\d+), column (\d+)\)")


class TomlError(ValueError):
    """A text that is not TOML; `line` and `column` from 1."""

    def __init__(self, message: str, line: int, column: int | None = None) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


def load(text: str) -> Document:
    """Parses `text`. Raises TomlError, also for nesting deeper than Python can follow."""
    # As tomllib does, so that offsets agree.
    text = text.replace("\r\n", "\n")
    try:
        root = tomllib.loads(text)
        walk = _Walk(text)
        walk.file(root)
    except tomllib.TOMLDecodeError as wrong:
        where = _WHERE.search(str(wrong))
        line, column = (int(where[1]), int(where[2])) if where else (len(text.splitlines()) or 1, None)
        raise TomlError(str(wrong).split(" (at ")[0], line, column) from None
    except RecursionError:
        raise TomlError("it nests too deep", 1) from None
    return Document(root, walk.lines, walk.entries)


class _Walk:
    """One pass over an accepted text."""

    def __init__(self, text: str) -> None:
        self.lines: dict[int, int] = {}
        self.entries: dict[tuple[int, str | int], int] = {}
        self._text, self._at, self._where = text, 0, Lines(text)
        self._element: dict[int, int] = {}

    def file(self, root: dict[str, Any]) -> None:
        self.lines[id(root)] = 1
        table = root
        while self._skip() < len(self._text):
            if self._text[self._at] == "[":
                table = self._header(root)
            else:
                self._pair(table)

    def _skip(self) -> int:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at

    def _line(self) -> int:
        return self._where.at(self._at)

    def _header(self, root: dict[str, Any]) -> dict[str, Any]:
        line, doubled = self._line(), self._text.startswith("[[", self._at)
        self._at += 2 if doubled else 1
        *above, last = self._path()
        self._skip()
        self._at += 2 if doubled else 1
        table = self._down(root, above, line)
        self._note(table, last, line)
        below = table[last]
        if doubled:
            index = self._element[id(below)] = self._element.get(id(below), -1) + 1
            self.entries[id(below), index] = line
            below = below[index]
        # The header of a table counts, not that of a table below it that came first.
        self.lines[id(below)] = line
        result: dict[str, Any] = below
        return result

    def _down(self, table: dict[str, Any], path: list[str], line: int) -> dict[str, Any]:
        for part in path:
            self._note(table, part, line)
            below = table[part]
            table = below[self._element[id(below)]] if isinstance(below, list) else below
        return table

    def _note(self, container: Any, entry: str, line: int) -> None:
        self.entries.setdefault((id(container), entry), line)
        if isinstance(container[entry], dict | list):
            self.lines.setdefault(id(container[entry]), line)

    def _path(self) -> list[str]:
        parts: list[str] = []
        while True:
            self._skip()
            if found := _BARE_KEY.match(self._text, self._at):
                part = found[0]
            else:
                found = _STRING.match(self._text, self._at)
                assert found is not None  # tomllib read a key here
                (part,) = tomllib.loads(f"{found[0]} = 0")
            parts.append(part)
            self._at = found.end()
            self._skip()
            if self._text[self._at] != ".":
                return parts
            self._at += 1

    def _pair(self, table: dict[str, Any]) -> None:
        line = self._line()
        *above, last = self._path()
        self._at += 1  # =
        table = self._down(table, above, line)
        self._note(table, last, line)
        self._value(table[last])

    def _value(self, value: Any) -> None:
        self._skip()
        opening = self._text[self._at]
        if opening == "[":
            self.lines[id(value)] = self._line()
            self._inside("]", lambda nth: self._item(value, nth))
        elif opening == "{":
            self.lines[id(value)] = self._line()
            self._inside("}", lambda _: self._pair(value))
        else:
            found = _STRING.match(self._text, self._at) or _PLAIN.match(self._text, self._at)
            assert found is not None  # tomllib read a value here
            self._at = found.end()

    def _item(self, array: list[Any], nth: int) -> None:
        self.entries[id(array), nth] = self._line()
        self._value(array[nth])

    def _inside(self, closing: str, step: Any) -> None:
        self._at += 1
        nth = 0
        while self._skip() < len(self._text) and self._text[self._at] != closing:
            step(nth)
            nth += 1
            if self._text[self._skip()] == ",":
                self._at += 1
        self._at += 1
