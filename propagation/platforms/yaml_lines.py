"""YAML with the line of every key and element: many documents, anchors, merge keys. Reads text, never a file.

Values are built here from the parser's events, without recursion, by the core schema of YAML 1.2 (`on` and `yes`
are texts): nothing in a text can construct an object, and what aliases would unfold to is counted before it is
built. A short tag of CloudFormation becomes its long form: `!Ref X` is `{"Ref": "X"}`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.platforms.located import Document

MAX_VALUES: Final = 1_000_000
"""Values in one document, those that aliases repeat included: a billion laughs ends here."""
MAX_DEPTH: Final = 200

_MERGE: Final = object()
_CORE: Final[tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...]] = (
    (re.compile(r"~|null|Null|NULL|"), lambda _: None),
    (re.compile(r"true|True|TRUE"), lambda _: True),
    (re.compile(r"false|False|FALSE"), lambda _: False),
    (re.compile(r"[-+]?[0-9]{1,40}"), int),
    (re.compile(r"0o[0-7]{1,40}"), lambda text: int(text[2:], 8)),
    (re.compile(r"0x[0-9a-fA-F]{1,40}"), lambda text: int(text[2:], 16)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(inf|Inf|INF)"), lambda text: -math.inf if text[0] == "-" else math.inf),
    (re.compile(r"\.(nan|NaN|NAN)"), lambda _: math.nan),
)
_TYPED: Final = "tag:yaml.org,2002:"
_BARE_TAGS: Final = ("Ref", "Condition")


class YamlError(ValueError):
    """A text that is not YAML, or more than a manifest holds; `line` and `column` from 1."""

    def __init__(self, message: str, line: int, column: int | None = None) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not come. `size` counts the values below it, repeated ones too."""

    value: dict[str, Any] | list[Any]
    line: int
    tag: str | None
    anchor: str | None
    size: int = 1
    key: Any = None
    key_line: int = 0
    has_key: bool = False
    merged: list[tuple[Any, int]] = field(default_factory=list)


def load_all(text: str) -> tuple[Document, ...]:
    """Every document of `text` that holds something.

    Raises YamlError where it is not YAML or too much, Refusal where PyYAML is not installed.
    """
    try:
        import yaml
    except ModuleNotFoundError:
        raise Refusal(
            "reading YAML needs PyYAML, which is not installed", fix="pip install 'bindtrace[manifests]'."
        ) from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return tuple(_documents(yaml.parse(text, Loader=loader)))
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        # At the end of the text the parser stands on a line that is not there.
        last = len(text.splitlines()) or 1
        line, column = (min(mark.line + 1, last), mark.column + 1) if mark else (1, None)
        raise YamlError(str(wrong.problem or wrong.context or "unreadable"), line, column) from None
    except yaml.reader.ReaderError as wrong:
        at = wrong.position if isinstance(wrong.position, int) else 0
        raise YamlError(f"{wrong.reason}", text.count("\n", 0, at) + 1) from None
    except yaml.YAMLError as wrong:
        raise YamlError(" ".join(str(wrong).split()), 1) from None


def _documents(events: Iterator[Any]) -> Iterator[Document]:
    building = _Building()
    for event in events:
        kind = type(event).__name__
        if kind == "DocumentStartEvent":
            building = _Building()
        elif kind == "DocumentEndEvent":
            if building.root is not None:
                yield Document(
                    building.root, building.lines, building.entries, tuple(sorted(set(building.repeated)))
                )
        elif kind in _STEPS:
            _STEPS[kind](building, event)


class _Building:
    """One document under construction."""

    def __init__(self) -> None:
        self.root: Any = None
        self.lines: dict[int, int] = {}
        self.entries: dict[tuple[int, str | int], int] = {}
        self.repeated: list[tuple[str, int]] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}

    def scalar(self, event: Any) -> None:
        line = event.start_mark.line + 1
        plain = event.implicit[0]
        value: Any = event.value
        if plain and value == "<<" and self._open and isinstance(self._open[-1].value, dict):
            value = value if self._open[-1].has_key else _MERGE
        elif plain or ((event.tag or "").startswith(_TYPED) and event.tag != f"{_TYPED}str"):
            value = _resolved(value)
        value = _tagged(event.tag, value)
        self._anchor(event.anchor, value, 1)
        self._place(value, line, 1)

    def alias(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if event.anchor not in self._anchors:
            raise YamlError(f"the alias `*{event.anchor}` names nothing that ended before it", line)
        value, size = self._anchors[event.anchor]
        self._place(value, line, size)

    def begin(self, value: dict[str, Any] | list[Any], event: Any) -> None:
        line = event.start_mark.line + 1
        if len(self._open) >= MAX_DEPTH:
            raise YamlError(f"it nests deeper than {MAX_DEPTH} levels", line)
        self._open.append(_Open(value, line, event.tag, event.anchor))

    def end(self, event: Any) -> None:
        done = self._open.pop()
        if isinstance(done.value, dict):
            self._merge(done.value, done)
        value = _tagged(done.tag, done.value)
        self.lines[id(done.value)] = self.lines[id(value)] = done.line
        self._anchor(done.anchor, value, done.size)
        self._place(value, done.line, done.size)

    def _anchor(self, anchor: str | None, value: Any, size: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, size)

    def _place(self, value: Any, line: int, size: int) -> None:
        if not self._open:
            self.root = value
            return
        top = self._open[-1]
        top.size += size
        if top.size > MAX_VALUES:
            raise YamlError(f"it unfolds to over {MAX_VALUES:,} values", line)
        if isinstance(top.value, list):
            self.entries[id(top.value), len(top.value)] = line
            top.value.append(value)
        elif not top.has_key:
            top.key, top.key_line, top.has_key = value, line, True
        else:
            top.has_key = False
            self._pair(top.value, top, value)

    def _pair(self, mapping: dict[str, Any], top: _Open, value: Any) -> None:
        if top.key is _MERGE:
            top.merged.append((value, top.key_line))
            return
        key = _key(top.key, top.key_line)
        if key in mapping:
            self.repeated.append((key, top.key_line))
        mapping[key] = value
        self.entries[id(mapping), key] = top.key_line

    def _merge(self, mapping: dict[str, Any], done: _Open) -> None:
        """`<<`: what the mapping does not say itself; of several, the earlier counts (yaml.org/type/merge)."""
        for value, line in done.merged:
            for source in value if isinstance(value, list) else [value]:
                if not isinstance(source, dict):
                    raise YamlError("`<<` must name a mapping, or a list of mappings", line)
                for key, inherited in source.items():
                    if key not in mapping:
                        mapping[key] = inherited
                        self.entries[id(mapping), key] = self.entries.get((id(source), key), line)


_STEPS: Final[dict[str, Callable[[_Building, Any], None]]] = {
    "ScalarEvent": _Building.scalar,
    "AliasEvent": _Building.alias,
    "MappingStartEvent": lambda building, event: building.begin({}, event),
    "SequenceStartEvent": lambda building, event: building.begin([], event),
    "MappingEndEvent": _Building.end,
    "SequenceEndEvent": _Building.end,
}


def _resolved(text: str) -> Any:
    return next((made(text) for pattern, made in _CORE if pattern.fullmatch(text)), text)


def _key(key: object, line: int) -> str:
    """Keys are texts, as in JSON."""
    if isinstance(key, dict | list) or key is _MERGE:
        raise YamlError("a mapping or a list cannot be a key", line)
    words: dict[Any, str] = {None: "null", True: "true", False: "false"}
    return words[key] if key is None or isinstance(key, bool) else str(key)


def _tagged(tag: str | None, value: Any) -> Any:
    """CloudFormation's short forms as its long ones; any other tag says nothing about who may call whom."""
    if not tag or not tag.startswith("!") or len(tag) == 1:
        return value
    name = tag[1:]
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in _BARE_TAGS else f"Fn::{name}": value}
