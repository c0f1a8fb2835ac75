"""Edits lists inside a manifest's text, JSON with or without comments or TOML, and leaves every other byte as it is.

Text in, text out; the text must be one that its reader accepted. A list is found by the keys that lead to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

Form = Literal["json", "toml"]
Entry = Mapping[str, str]

_TOKENS: Final[Mapping[Form, re.Pattern[str]]] = {
    "json": re.compile(
        r'(?P<text>"(?:[^"\\]|\\.)*")|(?P<note>//[^\n]*|/\*[\s\S]*?\*/)|[{}\[\],:]|[^\s{}\[\],:"]+'
    ),
    "toml": re.compile(
        r'(?P<text>"""[\s\S]*?"""|\'\'\'[\s\S]*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\')|(?P<note>\#[^\n]*)'
        r'|[{}\[\],=]|[^\s{}\[\],=\'"\#]+'
    ),
}
_HEADER: Final = re.compile(r"[ \t]*\[(\[)?([^\[\]\n]+)\]\]?[ \t]*(?:#.*)?$")
_KEY_PART: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|([A-Za-z0-9_-]+)')
_REST_OF_LINE: Final = re.compile(r"[ \t]*,?[ \t]*(?:(?://|\#)[^\n]*|/\*[^\n]*\*/[ \t]*)?$")
_EMPTY_LINE: Final = re.compile(r"[ \t]*(?:#.*)?$")


class ListEdit(NamedTuple):
    """At `path` (keys from the root), the list `key` loses the entries at `remove` and gains `add` at its end."""

    path: tuple[str, ...]
    key: str
    remove: frozenset[int]
    add: tuple[Entry, ...]


class _Span(NamedTuple):
    start: int
    end: int


def edited(text: str, form: Form, edits: Sequence[ListEdit]) -> str:
    """The text with all edits made. Raises ValueError where a path leads to no object of its own."""
    newline = "\r\n" if "\r\n" in text else "\n"
    text = text.replace("\r\n", "\n")
    for edit in edits:
        text = (_in_json if form == "json" else _in_toml)(text, edit)
    return text.replace("\n", newline)


def _in_json(text: str, edit: ListEdit) -> str:
    opening = _next_token(text, 0, "json")
    for key in edit.path:
        opening = _value(text, opening, key)
        if opening < 0 or text[opening] != "{":
            raise ValueError(f"`{'.'.join(edit.path)}` is no object")
    entries = [json.dumps(dict(entry), ensure_ascii=False, separators=(", ", ": ")) for entry in edit.add]
    entries = [f"{{ {entry[1:-1]} }}" for entry in entries]
    at = _value(text, opening, edit.key)
    if at >= 0 and text[at] == "[":
        return _list_edited(text, at, "json", edit.remove, entries)
    members, closing = _parts(text, opening, "json")
    if not entries:
        return text
    indent = _own_line(text, members[-1].start) if members else None
    made = _new_list(entries, indent)
    if not members:
        return f'{text[: opening + 1]} "{edit.key}": {made} {text[closing:]}'
    joint = ", " if indent is None else f",\n{indent}"
    return f'{text[: members[-1].end]}{joint}"{edit.key}": {made}{text[members[-1].end :]}'


def _in_toml(text: str, edit: ListEdit) -> str:
    target = (*edit.path, edit.key)
    blocks = _blocks(text, target)
    if not blocks and (at := _inline(text, edit)) >= 0:
        entries = [
            f"{{ {', '.join(f'{key} = {_toml_text(value)}' for key, value in e.items())} }}" for e in edit.add
        ]
        return _list_edited(text, at, "toml", edit.remove, entries)
    header = f"[[{'.'.join(map(_toml_key, target))}]]"
    added = "".join(
        f"\n{header}\n" + "".join(f"{key} = {_toml_text(value)}\n" for key, value in entry.items())
        for entry in edit.add
    )
    place = blocks[-1].end if blocks else len(text)
    if added and place == len(text) and text and not text.endswith("\n"):
        added = f"\n{added}"
    text = text[:place] + added + text[place:]
    for number in sorted(edit.remove, reverse=True):
        block = blocks[number]
        start = block.start - 1 if text[: block.start].endswith("\n\n") else block.start
        text = text[:start] + text[block.end :]
    return text


def _list_edited(text: str, opening: int, form: Form, remove: frozenset[int], add: Sequence[str]) -> str:
    parts, closing = _parts(text, opening, form)
    kept = [number for number in range(len(parts)) if number not in remove]
    indent = _own_line(text, parts[0].start) if parts else None
    if not kept:
        made = _new_list(
            add, _own_line(text, opening, anywhere=True) if indent is not None or not parts else None
        )
        return text[:opening] + made + text[closing + 1 :]
    if indent is not None and (lines := _lines_of(text, parts)) is not None:
        return _lines_edited(text, parts, lines, kept, [f"{indent}{entry}" for entry in add], form)
    joint = ", " if indent is None else f",\n{indent}"
    text = text[: parts[kept[-1]].end] + "".join(f"{joint}{entry}" for entry in add) + text[parts[-1].end :]
    for before, after in reversed(list(zip([-1, *kept], kept, strict=False))):
        if after > before + 1:
            start = parts[before].end if before >= 0 else parts[0].start
            end = parts[after - 1].end if before >= 0 else parts[after].start
            text = text[:start] + text[end:]
    return text


def _lines_of(text: str, parts: Sequence[_Span]) -> list[_Span] | None:
    """The lines of each entry, with the comment behind it; None where two share a line."""
    lines = []
    for part in parts:
        end = text.find("\n", part.end) + 1
        if (
            end == 0
            or _own_line(text, part.start) is None
            or not _REST_OF_LINE.match(text, part.end, end - 1)
        ):
            return None
        lines.append(_Span(text.rfind("\n", 0, part.start) + 1, end))
    return lines


def _lines_edited(
    text: str,
    parts: Sequence[_Span],
    lines: Sequence[_Span],
    kept: Sequence[int],
    add: Sequence[str],
    form: Form,
) -> str:
    """Whole lines go and come, so that every comment stays with its entry; the last comma is as it was."""

    def followed(part: _Span) -> int:
        """Where the comma behind an entry stands; -1 without one."""
        at = _next_token(text, part.end, form)
        return at if text[at] == "," else -1

    ends_with_comma = followed(parts[-1]) >= 0
    last = kept[-1]
    comma = followed(parts[last])
    edits: list[tuple[int, int, str]] = [(*lines[n], "") for n in range(len(parts)) if n not in kept]
    if comma < 0 and add:
        edits.append((parts[last].end, parts[last].end, ","))
    if comma >= 0 and not add and not ends_with_comma:
        edits.append((comma, comma + 1, ""))
    made = ",\n".join(add) + ("," if ends_with_comma else "") + "\n"
    if add:
        edits.append((lines[last].end, lines[last].end, made))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _new_list(entries: Sequence[str], indent: str | None) -> str:
    if not entries:
        return "[]"
    if indent is None:
        return f"[ {', '.join(entries)} ]"
    inner = f"\n{indent}  "
    return f"[{inner}{f',{inner}'.join(entries)}\n{indent}]"


def _parts(text: str, opening: int, form: Form) -> tuple[list[_Span], int]:
    """What stands between the commas of the brackets that open at `opening`, and where they close."""
    depth, start, end = 0, -1, -1
    found: list[_Span] = []
    for token in _TOKENS[form].finditer(text, opening):
        if token.lastgroup == "note":
            continue
        piece = token[0] if token.lastgroup != "text" else ""
        closes = piece in ("}", "]") if piece else False
        depth -= closes
        if (depth == 0 and closes) or (depth == 1 and piece == ","):
            if start >= 0:
                found.append(_Span(start, end))
            start = -1
            if depth == 0:
                return found, token.start()
        elif token.start() > opening:
            start, end = (token.start() if start < 0 else start), token.end()
        depth += piece in ("{", "[") if piece else False
    raise ValueError("a bracket is not closed")


def _value(text: str, opening: int, key: str) -> int:
    """Where the value of `key` begins in the object that opens there; -1 without it. The last one counts."""
    place = -1
    for member in _parts(text, opening, "json")[0]:
        name = _TOKENS["json"].match(text, member.start)
        if name is not None and name.lastgroup == "text" and json.loads(name[0]) == key:
            place = _next_token(text, _next_token(text, name.end(), "json") + 1, "json")
    return place


def _next_token(text: str, position: int, form: Form) -> int:
    for token in _TOKENS[form].finditer(text.replace("\ufeff", " "), position):
        if token.lastgroup != "note":
            return token.start()
    raise ValueError("the text ends too early")


def _own_line(text: str, position: int, *, anywhere: bool = False) -> str | None:
    """The indentation of the line that `position` begins, or with `anywhere` is on; None where it begins none."""
    line = text[text.rfind("\n", 0, position) + 1 : position]
    indent = line[: len(line) - len(line.lstrip())]
    return indent if anywhere or (not line.strip() and "\n" in text[:position]) else None


def _blocks(text: str, target: tuple[str, ...]) -> list[_Span]:
    """Every `[[target]]` with the lines that belong to it, its own sub-tables among them."""
    found: list[_Span] = []
    inside, at = False, 0
    for line in text.splitlines(keepends=True):
        header = _HEADER.match(line.rstrip("\n"))
        if header:
            path = _toml_path(header[2])
            begins = bool(header[1]) and path == target
            inside = begins or (inside and path[: len(target)] == target)
            if begins:
                found.append(_Span(at, at))
        if inside and not _EMPTY_LINE.match(line.rstrip("\n")):
            found[-1] = _Span(found[-1].start, at + len(line))
        at += len(line)
    return found


def _inline(text: str, edit: ListEdit) -> int:
    """Where `key = [` opens its list in the table at `path`; -1 without it."""
    table: tuple[str, ...] = ()
    at = 0
    for line in text.splitlines(keepends=True):
        if header := _HEADER.match(line.rstrip("\n")):
            table = _toml_path(header[2])
        elif "=" in line:
            key, _, rest = line.partition("=")
            if (*table, *_toml_path(key)) == (*edit.path, edit.key) and rest.lstrip().startswith("["):
                return at + line.index("[", len(key))
        at += len(line)
    return -1


def _toml_path(text: str) -> tuple[str, ...]:
    return tuple(
        next(group for group in found if group or not any(found)) for found in _KEY_PART.findall(text)
    )


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml_text(key)


def _toml_text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
