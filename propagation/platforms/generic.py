"""`bindtrace.toml`: what no platform's manifest says: names in telemetry, hosts, addresses, own grants, exceptions.

A typing mistake here would change judgements silently, so every unknown key is a fatal problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any, Final

from bindtrace.propagation.manifest import (
    Accepted,
    AddressRange,
    DeclaredService,
    Grant,
    Host,
    HostRoad,
    Manifest,
    Match,
    Probe,
    RangeKind,
    Role,
)
from bindtrace.propagation.platforms import generic_rules, paths
from bindtrace.propagation.platforms.generic_rules import FILE
from bindtrace.propagation.platforms.reading import Reading, read_document

NAME: Final = "bindtrace"
NAMES: Final = ("bindtrace.toml",)
READS: Final = "bindtrace.toml"

_CONTENT = re.compile(
    r"^\s*(\[(services|edges)\.|\[ranges\]|\[\[(grants|exceptions|probes)\]\])", re.MULTILINE
)


def claims(path: Path, text: str) -> bool:
    """A TOML file with tables of ours."""
    return path.suffix == ".toml" and bool(_CONTENT.search(text))


def read(path: Path, text: str) -> Manifest:
    """All that the file says, its problems included. Never raises for content."""
    return read_document(path, text, NAME, "toml", _Reading)


@dataclass(slots=True)
class _Reading(Reading):
    max_hops: int | None = None

    def extra(self) -> dict[str, Any]:
        return {"max_hops": self.max_hops}

    def all(self) -> None:
        top = self.checked(FILE, FILE, self.document.root)
        self.scope, self.max_hops = top.get("scope", ""), top.get("max_hops")
        for name, table, right in self.tables("services", top):
            self.service(name, table, right)
        for name, table, right in self.tables("edges", top):
            self.add_hosts(table, right, "hosts", None, "public")
            self.match(f"edges.{name}", name, right, "edge")
        written = top.get("ranges", {})
        ranges = self.checked("ranges", "ranges", written)
        self.add_ranges(written, ranges, "internal", "internal", None)
        self.add_ranges(written, ranges, "public", "public", None)
        for table, right in self.entries("grants", top):
            self.grant(self.document.line_of(table), right)
        for table, right in self.entries("probes", top):
            self.probe(table, right)
        for table, right in self.entries("exceptions", top):
            at = (self.file, self.document.line_of(table))
            until = until_unix_nano(right["until"])
            caller, callee = right.get("caller"), right.get("callee")
            self.accepted.append(Accepted(right["rule"], caller, callee, right["reason"], until, *at))

    def wrong(self, line: int, code: str, message: str, fix: str) -> None:
        """A fatal problem; `fix` without its full stop."""
        self.problem(line, code, message, f"{fix}.")

    def checked(self, kind: str, owner: str, table: Mapping[str, Any]) -> dict[str, Any]:
        """The keys of `table` that are known and right; a problem for each other one."""
        wrong = set()
        for key, code, message, fix in generic_rules.faults_of(kind, owner, table):
            wrong.add(key)
            line = self.document.line_of(table) if key is None else self.document.line_at(table, key)
            self.wrong(line, code, message, fix)
        return {key: value for key, value in table.items() if key not in wrong}

    def tables(
        self, kind: str, top: Mapping[str, Any]
    ) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
        """Name, table as written, and what of it is right."""
        for name, table in top.get(kind, {}).items():
            if isinstance(table, dict):
                yield name, table, self.checked(kind, f"{kind}.{name}", table)
            else:
                line = self.document.line_at(top[kind], name)
                self.wrong(line, "WRONG_TYPE", f"`{kind}.{name}` must be a table", f"write [{kind}.{name}]")

    def entries(self, kind: str, top: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Those that have all that they need: table as written, and what of it is right."""
        for table in top.get(kind, []):
            right = self.checked(kind, kind, table)
            if all(key in right for key, (_, needed) in generic_rules.SHAPES[kind].items() if needed):
                yield table, right

    def service(self, name: str, table: dict[str, Any], right: dict[str, Any]) -> None:
        self.services.append(
            DeclaredService(
                NAME,
                self.scope,
                name,
                right.get("exposure"),
                self.file,
                self.document.line_of(table),
                right.get("environment"),
                right.get("sensitive", False),
                right.get("protection"),
                right.get("outside", False),
                right.get("forwarder", False),
                tuple(right.get("delegates_for", ())),
                tuple(right.get("environments", ())),
                tuple(right.get("only_through", ())),
                right.get("issuer", False),
            )
        )
        self.add_hosts(table, right, "hosts", name, "private")
        self.add_hosts(table, right, "public_hosts", name, "public")
        self.add_ranges(table, right, "egress", "egress", name)
        self.match(f"services.{name}", name, right, "service")

    def grant(self, line: int, right: dict[str, Any]) -> None:
        self.grants.append(
            Grant(
                NAME,
                self.scope,
                right.get("environment"),
                right["caller"],
                right["callee"],
                right.get("binding"),
                self.file,
                line,
                methods=tuple(right.get("methods", ())),
                paths=tuple(map(paths.from_stars, right.get("paths", ()))),
                protection=right.get("protection"),
                used_within_days=right.get("used_within_days"),
            )
        )

    def probe(self, table: dict[str, Any], right: dict[str, Any]) -> None:
        line = self.document.line_of(table)
        if not right.get("addresses") and not right.get("paths"):
            fix = "add `addresses`, or the `paths` that it asks for: anybody can send a user agent"
            self.wrong(line, "WEAK_PROBE", f'the probe "{right["name"]}" could be anybody\'s call', fix)
            return
        cidrs = tuple(cidr for cidr, _ in self.cidrs(table, right, "addresses"))
        asked = tuple(map(paths.from_stars, right.get("paths", ())))
        self.probes.append(Probe(right["name"], cidrs, right.get("user_agent"), asked, self.file, line))

    def add_hosts(
        self, table: dict[str, Any], right: dict[str, Any], key: str, service: str | None, road: HostRoad
    ) -> None:
        for nth, written in enumerate(right.get(key, [])):
            line = self.document.line_at(table[key], nth)
            if (host := generic_rules.host_of(written)) is not None:
                self.hosts.append(Host(host, service, road, NAME, self.scope, None, self.file, line))
            else:
                fix = "write host, host:port or *.name, without scheme and path"
                self.wrong(line, "BAD_HOST", f'"{written}" is not a host name', fix)

    def add_ranges(
        self, table: dict[str, Any], right: dict[str, Any], key: str, kind: RangeKind, service: str | None
    ) -> None:
        self.ranges.extend(
            AddressRange(cidr, kind, service, self.file, line) for cidr, line in self.cidrs(table, right, key)
        )

    def cidrs(self, table: dict[str, Any], right: dict[str, Any], key: str) -> Iterator[tuple[str, int]]:
        for nth, written in enumerate(right.get(key, [])):
            line = self.document.line_at(table[key], nth)
            if (cidr := generic_rules.cidr_of(written)) is not None:
                yield cidr, line
            else:
                fix = 'write an address or a network, as "10.0.0.0/8"'
                self.wrong(line, "BAD_ADDRESS", f'"{written}" is not an address', fix)

    def match(self, owner: str, name: str, right: dict[str, Any], role: Role) -> None:
        table = right.get("match", {})
        for attribute, value in table.items():
            if generic_rules.is_text(value):
                self.matches.append(Match(name, role, attribute, value))
            else:
                line = self.document.line_at(table, attribute)
                fix = 'write match = { "service.name" = "…" }; a dotted name needs quotes'
                self.wrong(line, "WRONG_TYPE", f"`{attribute}` of {owner}.match is {value!r}", fix)


def until_unix_nano(until: date) -> int:
    """A TOML date means to the end of that day, UTC; a time without zone is UTC."""
    if not isinstance(until, datetime):
        next_day = until + timedelta(days=1) if until < date.max else until
        until = datetime.combine(next_day, time_of_day(), UTC)
    moment = until if until.tzinfo else until.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    # Times are signed 64-bit nanoseconds in the database: "for ever" ends in 2262.
    return min((since // timedelta(microseconds=1)) * 1000, 2**63 - 1)
