"""Where a TOML file says what: lines of tables and keys, which `tomllib` does not tell. Reads text only.

A search, not a parser: it knows table headers and `key =` lines, and names the nearest place for the rest.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_HEADER: Final = re.compile(r"\s*\[(\[)?(?P<path>[^\[\]]+)\](?(1)\])\s*(?:#.*)?$")
_KEY: Final = re.compile(r"\s*(?P<path>[^=#\[\]{}]+?)\s*=")
_PART: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|([A-Za-z0-9_-]+)')

Path = tuple[str, ...]


class _Entry(NamedTuple):
    """One header or key line: the table's path, which of an array's elements, the key (None: the header)."""

    path: Path
    nth: int
    key: Path | None
    line: int


class TomlLines:
    """The lines of one TOML text."""

    def __init__(self, text: str) -> None:
        self._entries: list[_Entry] = []
        seen: dict[Path, int] = {}
        path: Path = ()
        for number, content in enumerate(text.splitlines(), 1):
            if header := _HEADER.match(content):
                path = _parts(header["path"])
                seen[path] = seen.get(path, -1) + 1
                self._entries.append(_Entry(path, seen[path], None, number))
            elif key := _KEY.match(content):
                self._entries.append(_Entry(path, seen.get(path, 0), _parts(key["path"]), number))

    def table(self, *path: str, index: int = 0) -> int:
        """Line of `[path]`, or of the `index`th `[[path]]`; of the first mention of it otherwise; 1 at last."""
        for entry in self._entries:
            if entry.path == path and entry.nth == index and entry.key is None:
                return entry.line
        return next((e.line for e in self._entries if (e.path + (e.key or ()))[: len(path)] == path), 1)

    def key(self, *path: str, key: str, index: int = 0) -> int:
        """Line of `key` in that table; the table's own line where the key stands in an inline one."""
        for entry in self._entries:
            if entry.nth == index and entry.key and entry.path + entry.key[:1] == (*path, key):
                return entry.line
        # A sub-table header, [services.x.match], or a dotted key at a higher level.
        below = (*path, key)
        deeper = (e.line for e in self._entries if (e.path + (e.key or ()))[: len(below)] == below)
        return next(deeper, self.table(*path, index=index))


def _parts(text: str) -> Path:
    return tuple(next(group for group in found if group or not any(found)) for found in _PART.findall(text))
