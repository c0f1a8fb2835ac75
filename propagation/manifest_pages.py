"""What manifests declare, drawn for a terminal: a table for each part, with the columns that say something."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from bindtrace.propagation.manifest import Alias, DeclaredService, Grant, Manifest, plain_name
from bindtrace.propagation.platforms import problems_of
from bindtrace.propagation.policies import Definition, Policy


class _Column(NamedTuple):
    """Left out where no row has a value, unless it is `always` there."""

    head: str
    value: Callable[[Any], object]
    always: bool = False


class _Table(NamedTuple):
    title: str
    part: str
    columns: tuple[_Column, ...]


def _field(name: str, head: str = "", *, always: bool = False) -> _Column:
    return _Column(head or name.replace("_", " "), lambda row: getattr(row, name), always)


def _flag(name: str) -> _Column:
    return _Column(name, lambda row: name if getattr(row, name) else None)


def _listed(name: str, head: str = "") -> _Column:
    return _Column(head or name.replace("_", " "), lambda row: ", ".join(getattr(row, name)))


_LINE: Final = _field("line", always=True)

_TABLES: Final = (
    _Table(
        "grants",
        "grants",
        (
            _field("caller", always=True),
            _Column("callee", lambda grant: _callee(grant), always=True),
            _field("binding"),
            _field("entrypoint"),
            _field("environment"),
            _Column("kind", lambda grant: None if grant.kind == "call" else grant.kind),
            _Column("road", lambda grant: None if grant.road == "binding" else grant.road),
            _listed("methods"),
            _listed("paths"),
            _field("protection"),
            _field("used_within_days"),
            _LINE,
        ),
    ),
    _Table(
        "what no grant names",
        "defaults",
        (
            _Column("callee", lambda default: default.service or "(any)", always=True),
            _field("action", always=True),
            _LINE,
        ),
    ),
    _Table(
        "definitions",
        "definitions",
        (_field("name", always=True), _field("condition", "is", always=True), _LINE),
    ),
    _Table(
        "workloads",
        "workloads",
        (
            _field("name", "workload", always=True),
            _field("namespace"),
            _field("service_account", "account", always=True),
            _Column("labels", lambda workload: ", ".join(f"{key}={value}" for key, value in workload.labels)),
            _LINE,
        ),
    ),
    _Table(
        "public paths",
        "exposures",
        (
            _field("source", "path", always=True),
            _field("service", always=True),
            _Column("kind", lambda exposure: None if exposure.kind == "route" else exposure.kind),
            _field("environment"),
            _LINE,
        ),
    ),
    _Table(
        "hosts",
        "hosts",
        (
            _field("host", always=True),
            _Column("leads to", lambda host: host.service or "(edge)", always=True),
            _field("road", always=True),
            _field("environment"),
            _LINE,
        ),
    ),
    _Table(
        "names in telemetry",
        "matches",
        (
            _field("attribute", always=True),
            _field("value", always=True),
            _Column("is", lambda match: f"{match.role} {match.service}", always=True),
        ),
    ),
    _Table(
        "names that lead on",
        "aliases",
        (_field("name", always=True), _field("service", "leads to", always=True), _LINE),
    ),
    _Table(
        "addresses",
        "ranges",
        (_field("cidr", always=True), _field("kind", "are", always=True), _field("service", "of"), _LINE),
    ),
    _Table(
        "probes",
        "probes",
        (
            _field("name", always=True),
            _listed("cidrs", "addresses"),
            _field("user_agent"),
            _listed("paths"),
            _LINE,
        ),
    ),
    _Table(
        "exceptions",
        "accepted",
        (
            _field("rule", always=True),
            _Column("caller", lambda accepted: accepted.caller or "any", always=True),
            _Column("callee", lambda accepted: accepted.callee or "any", always=True),
            _field("reason", always=True),
            _Column("until", lambda accepted: _day(accepted.until_unix_nano), always=True),
            _LINE,
        ),
    ),
)


def pages(manifests: Sequence[Manifest]) -> Iterator[str]:
    """The lines to print: each manifest with its tables, then its problems."""
    for number, one in enumerate(manifests):
        if number:
            yield ""
        said = (("scope", one.scope), ("deployment", one.deployment), ("revision", one.revision))
        yield f"{one.file}: {', '.join([one.platform, *(f'{name} {value}' for name, value in said if value)])}"
        for table in (_services(one), *_TABLES):
            rows = [row for row in getattr(one, table.part) if not _only_names(row)]
            yield from _drawn(table, rows)
        yield from _policies(one)
        if one.max_hops:
            yield f"  a chain has at most {one.max_hops} hops"
        for problem in problems_of([one]):
            level = "error" if problem.fatal else "warning"
            yield f"  {level} {problem.place}: {problem.message} [{problem.code}] fix: {problem.fix}"


def _services(one: Manifest) -> _Table:
    exposed = {(exposure.service, exposure.environment) for exposure in one.exposures}
    unsaid = "-" if one.platform == "bindtrace" else "internal"

    def exposure(service: DeclaredService) -> str:
        opened = (service.service, service.environment) in exposed or (service.service, None) in exposed
        return service.exposure or ("public" if opened else unsaid)

    columns = (
        _field("service", always=True),
        _Column("exposure", exposure, always=True),
        _field("environment"),
        _listed("environments", "shared with"),
        _field("protection", "needs"),
        _flag("sensitive"),
        _listed("only_through"),
        _listed("delegates_for"),
        _flag("forwarder"),
        _flag("outside"),
        _flag("issuer"),
        _LINE,
    )
    return _Table("services", "services", columns)


def _only_names(row: object) -> bool:
    """A name by which the objects of a mesh find each other, and nothing to read."""
    if isinstance(row, Alias):
        return plain_name(row.name) != row.name
    return isinstance(row, Definition) and row.condition.op == "named"


def _place(policy: Policy) -> tuple[str, int, int]:
    return policy.platform, policy.stage, -policy.rank


def _policies(one: Manifest) -> Iterator[str]:
    """Each policy with the callees that it is for, and below it what each of its clauses asks of a call."""
    if one.policies:
        yield "  policies, in the order that calls pass them"
    for policy in sorted(one.policies, key=_place):
        action = policy.action if policy.enforced else f"{policy.action}, judging nothing"
        name = f"{policy.scope}/{policy.name}" if policy.scope else policy.name
        yield f"    {name} ({action})  line {policy.line}"
        yield from _wrapped("to", str(policy.applies))
        for condition, line in policy.clauses:
            yield from _wrapped(f":{line}", str(condition))
        if not policy.clauses:
            yield from _wrapped("is met by", "no call")


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(text, 100, initial_indent=f"      {head}  ", subsequent_indent=" " * (8 + len(head)))


def _callee(grant: Grant) -> str:
    return grant.callee if grant.callee_scope is None else f"{grant.callee} of {grant.callee_scope}"


def _day(unix_nano: int) -> str:
    last = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=unix_nano // 1000 - 1)
    return last.date().isoformat()


def _drawn(table: _Table, rows: Sequence[Any]) -> Iterator[str]:
    if not rows:
        return
    columns = [column for column in table.columns if column.always or any(map(column.value, rows))]
    cells = [[str(column.value(row) or "-") for column in columns] for row in rows]
    heads = [column.head for column in columns]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    yield f"  {table.title}"
    for row in (heads, *cells):
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"    {'  '.join(padded).rstrip()}"
