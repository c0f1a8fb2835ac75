"""`bindtrace.toml`: what no platform's manifest says: names in telemetry, hosts, edges, own grants, exceptions.

A typing mistake here would change judgements silently, so every unknown key is a fatal problem.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any, Final

from bindtrace.propagation.manifest import (
    Accepted,
    DeclaredService,
    Grant,
    Host,
    HostRoad,
    Manifest,
    Match,
    Problem,
    Role,
    revision_of,
)
from bindtrace.propagation.platforms.toml_lines import TomlLines

NAME: Final = "bindtrace"

_CONTENT = re.compile(r"^\s*(\[(services|edges)\.|\[\[(grants|exceptions)\]\])", re.MULTILINE)
_WHERE = re.compile(r"at line (\d+), column (\d+)")
_HOST = re.compile(r"(\*\.)?[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?(:[0-9]{1,5})?|\[[0-9a-f:.]+\](:[0-9]{1,5})?")

# What each kind of table may hold: key -> (what it must be, whether it must be there).
_TEXT, _TEXTS, _TABLE, _TABLES, _WHEN, _EXPOSURE = "text", "texts", "table", "tables", "date", "exposure"
_SHAPES: Final[Mapping[str, Mapping[str, tuple[str, bool]]]] = {
    "the file": {
        "scope": (_TEXT, False),
        "services": (_TABLE, False),
        "edges": (_TABLE, False),
        "grants": (_TABLES, False),
        "exceptions": (_TABLES, False),
    },
    "services": {
        "match": (_TABLE, False),
        "hosts": (_TEXTS, False),
        "public_hosts": (_TEXTS, False),
        "exposure": (_EXPOSURE, False),
    },
    "edges": {"match": (_TABLE, False), "hosts": (_TEXTS, False)},
    "grants": {
        "caller": (_TEXT, True),
        "callee": (_TEXT, True),
        "binding": (_TEXT, False),
        "environment": (_TEXT, False),
    },
    "exceptions": {
        "rule": (_TEXT, True),
        "caller": (_TEXT, False),
        "callee": (_TEXT, False),
        "reason": (_TEXT, True),
        "until": (_WHEN, True),
    },
}


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


_KINDS: Final = {
    _TEXT: (_is_text, 'text that is not empty: "…"'),
    _TEXTS: (lambda v: isinstance(v, list) and all(map(_is_text, v)), 'a list of texts: ["…"]'),
    _TABLE: (lambda v: isinstance(v, dict), "a table"),
    _TABLES: (lambda v: isinstance(v, list) and all(isinstance(e, dict) for e in v), "tables: [[…]]"),
    _WHEN: (lambda v: isinstance(v, date), "a date or a time without quotes: 2026-12-31"),
    _EXPOSURE: (lambda v: v in ("public", "internal"), '"public" or "internal"'),
}


def claims(path: Path, text: str) -> bool:
    """By name (`bindtrace.toml`, `shop.bindtrace.toml`), or a TOML file with tables of ours."""
    return path.name.endswith("bindtrace.toml") or (path.suffix == ".toml" and bool(_CONTENT.search(text)))


def read(path: Path, text: str) -> Manifest:
    """All that the file says, its problems included. Never raises for content."""
    file, revision = str(path), revision_of(text.encode())
    try:
        root = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as wrong:
        return Manifest(file, NAME, "", revision, problems=(_not_toml(file, text, str(wrong)),))
    reading = _Reading(file, root, TomlLines(text))
    reading.all()
    return Manifest(
        file,
        NAME,
        reading.scope,
        revision,
        services=tuple(reading.services),
        grants=tuple(reading.grants),
        hosts=tuple(reading.hosts),
        matches=tuple(reading.matches),
        accepted=tuple(reading.accepted),
        problems=tuple(reading.problems),
    )


def _not_toml(file: str, text: str, message: str) -> Problem:
    where = _WHERE.search(message)
    line, column = (int(where[1]), int(where[2])) if where else (len(text.splitlines()) or 1, None)
    what = message.split(" (at ")[0]
    fix = "repair it at that place; texts need quotes, tables [brackets]."
    return Problem(file, line, "BAD_TOML", f"this is not TOML: {what}.", fix, fatal=True, column=column)


@dataclass(slots=True)
class _Reading:
    """One pass over one file. What is wrong becomes a problem and is left out."""

    file: str
    root: dict[str, Any]
    lines: TomlLines
    scope: str = ""
    services: list[DeclaredService] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    matches: list[Match] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def all(self) -> None:
        top = self.checked("the file", self.root, ())
        self.scope = str(top.get("scope", ""))
        for name, table in self.tables("services", top):
            line = self.lines.table("services", name)
            self.services.append(
                DeclaredService(NAME, self.scope, name, table.get("exposure"), self.file, line)
            )
            self.host("services", name, table, "hosts", name, "private")
            self.host("services", name, table, "public_hosts", name, "public")
            self.match("services", name, table, "service")
        for name, table in self.tables("edges", top):
            self.host("edges", name, table, "hosts", None, "public")
            self.match("edges", name, table, "edge")
        for line, entry in self.entries("grants", top):
            environment, binding = entry.get("environment"), entry.get("binding")
            caller, callee = entry["caller"], entry["callee"]
            self.grants.append(Grant(NAME, self.scope, environment, caller, callee, binding, self.file, line))
        for line, entry in self.entries("exceptions", top):
            caller, callee = entry.get("caller"), entry.get("callee")
            until = until_unix_nano(entry["until"])
            self.accepted.append(
                Accepted(entry["rule"], caller, callee, entry["reason"], until, self.file, line)
            )

    def problem(self, line: int, code: str, message: str, fix: str) -> None:
        self.problems.append(Problem(self.file, line, code, f"{message}.", f"{fix}.", fatal=True))

    def tables(self, kind: str, top: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, table in top.get(kind, {}).items():
            if isinstance(table, dict):
                yield name, self.checked(kind, table, (kind, name))
            else:
                line = self.lines.key(kind, key=name)
                self.problem(line, "WRONG_TYPE", f"`{kind}.{name}` must be a table", f"write [{kind}.{name}]")

    def entries(self, kind: str, top: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, entry in enumerate(top.get(kind, [])):
            table = self.checked(kind, entry, (kind,), index)
            if all(key in table for key, (_, needed) in _SHAPES[kind].items() if needed):
                yield self.lines.table(kind, index=index), table

    def checked(
        self, kind: str, table: Mapping[str, Any], path: tuple[str, ...], index: int = 0
    ) -> dict[str, Any]:
        """The keys of `table` that are known and right; a problem for each other one."""
        shape, right = _SHAPES[kind], {}
        owner = ".".join(path) or kind
        for key, value in table.items():
            line = self.lines.key(*path, key=key, index=index)
            if key not in shape:
                near = difflib.get_close_matches(key, shape, n=1, cutoff=0.5)
                fix = f"use `{near[0]}`" if near else f"known keys are {', '.join(shape)}"
                self.problem(line, "UNKNOWN_KEY", f"{owner} has the unknown key `{key}`", fix)
                continue
            fits, expected = _KINDS[shape[key][0]]
            if fits(value):
                right[key] = value
            else:
                message = f"`{key}` of {owner} is {value!r}"
                self.problem(line, "WRONG_TYPE", message, f"make it {expected}")
        for key, (_, needed) in shape.items():
            if needed and key not in table:
                line = self.lines.table(*path, index=index)
                self.problem(line, "MISSING_KEY", f"{owner} has no `{key}`", f"add `{key} = …`")
        return right

    def host(
        self, kind: str, name: str, table: Mapping[str, Any], key: str, service: str | None, road: HostRoad
    ) -> None:
        for written in table.get(key, []):
            host = written.strip().lower()
            if _HOST.fullmatch(host):
                self.hosts.append(Host(host, service, road))
            else:
                line = self.lines.key(kind, name, key=key)
                fix = "write host, host:port or *.name, without scheme and path"
                self.problem(line, "BAD_HOST", f'"{written}" is not a host name', fix)

    def match(self, kind: str, name: str, table: Mapping[str, Any], role: Role) -> None:
        for attribute, value in table.get("match", {}).items():
            if _is_text(value):
                self.matches.append(Match(name, role, attribute, value))
            else:
                line = self.lines.key(kind, name, key="match")
                fix = 'write match = { "service.name" = "…" }; a dotted name needs quotes'
                self.problem(line, "WRONG_TYPE", f"`{attribute}` of {kind}.{name}.match is {value!r}", fix)


def until_unix_nano(until: date) -> int:
    """A TOML date means to the end of that day, UTC; a time without zone is UTC."""
    if not isinstance(until, datetime):
        next_day = until + timedelta(days=1) if until < date.max else until
        until = datetime.combine(next_day, time_of_day(), UTC)
    moment = until if until.tzinfo else until.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    # Times are signed 64-bit nanoseconds in the database: "for ever" ends in 2262.
    return min((since // timedelta(microseconds=1)) * 1000, 2**63 - 1)
