"""Rules and the findings they raise: each rule is one SQL file, this wraps it and words the result.

A rule selects `trace_id, anchor_span_id, answered, severity, file, line, evidence` from `hops`. Of the kind `subjects`
it selects the subject itself, `caller, callee, severity, file, line, evidence`, and what else it knows of the columns
of views/named_subjects.sql; of the kind `static` the same from what was declared alone. `severity` null means that
of the header; `evidence` is a JSON object whose keys the header's `message`, `fix` and `check` may name. The header's
`concerns` is a condition that every call the rule finds meets, over the facts of `concerns.py` and the policy; `needs`
is one that some call of the window meets where it finds any. So a question about a trace or a window runs few rules.
`remedy` says in general what `fix` says of one finding.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.vocabulary import EXTERNAL, SEVERITIES, UNSEEN
from bindtrace.queries import sql_files
from bindtrace.queries.query import Query
from bindtrace.queries.unsigned import unsigned

KINDS: Final = ("hops", "subjects", "static")
_STATUS: Final = re.compile(r"(preview|stable), since \d+\.\d+")
REQUIRED: Final = (
    "severity",
    "category",
    "status",
    "reads",
    "why",
    "message",
    "fix",
    "check",
    "may be wrong when",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its documentation is the header of its file, its definition the text."""

    name: str
    title: str
    severity: str
    category: str
    status: str
    kind: str
    quiet_s: int
    reads: tuple[str, ...]
    parameters: tuple[str, ...]
    concerns: str
    needs: str
    message: str
    why: str
    fix: str
    remedy: str
    """The fix in words that hold for every finding of it: what documentation shows."""
    check: str
    may_be_wrong_when: str
    text: str

    @property
    def of_hops(self) -> bool:
        """Whether it names hops, and not subjects."""
        return self.kind == "hops"

    def row(self) -> dict[str, Any]:
        """The rule as the report `rules` shows it."""
        return {
            "rule": self.name,
            "severity": self.severity,
            "status": self.status,
            "category": self.category,
            "why": in_general(self.why),
            "fix": self.remedy,
            "may_be_wrong_when": self.may_be_wrong_when,
        }


def rule_of(file: sql_files.SqlFile) -> Rule:
    """The rule that a file of `findings/` is. Raises `ValueError` where its header lacks a line or is odd."""
    if missing := [key for key in REQUIRED if key not in file.header]:
        raise ValueError(f"{file.name}.sql lacks {', '.join(missing)} in its header")
    if file.header["severity"] not in SEVERITIES:
        raise ValueError(f"{file.name}.sql: severity {file.header['severity']!r} is not one of {SEVERITIES}")
    if (kind := file.header.get("kind", "hops")) not in KINDS:
        raise ValueError(f"{file.name}.sql: kind {kind!r} is not one of {KINDS}")
    if not _STATUS.fullmatch(file.header["status"]):
        raise ValueError(
            f"{file.name}.sql: status {file.header['status']!r} is not `preview|stable, since X.Y`"
        )
    listed = {key: _list(file.header.get(key, "")) for key in ("reads", "parameters")}
    return Rule(
        name=file.name,
        title=file.title,
        severity=file.header["severity"],
        category=file.header["category"],
        status=file.header["status"],
        kind=kind,
        quiet_s=int(file.header.get("quiet", "0 s").removesuffix(" s")),
        reads=listed["reads"],
        parameters=listed["parameters"],
        concerns=file.header.get("concerns", "true"),
        needs=file.header.get("needs", "true"),
        message=file.header["message"],
        why=file.header["why"],
        fix=file.header["fix"],
        remedy=in_general(file.header.get("remedy", file.header["fix"])),
        check=file.header["check"],
        may_be_wrong_when=file.header["may be wrong when"],
        text=file.text,
    )


def in_general(text: str) -> str:
    """A text of a rule without a finding: its caller and callee are nobody yet."""
    return text.replace("{caller}", "the caller").replace("{callee}", "the callee")


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


RULES: Final[Mapping[str, Rule]] = {
    name: rule_of(file) for name, file in sql_files.folder("findings").items()
}


def findings(
    con: duckdb.DuckDBPyConnection, query: Query, *, static_only: bool = False
) -> list[dict[str, Any]]:
    """What the rules find in the window, worst first; one row per rule and subject, ready for JSON.

    The id is deterministic, so the same fault found again is the same finding. Of a query for one rule no other runs.
    """
    wanted = query.filters.get("rule")
    asked = [
        rule
        for rule in RULES.values()
        if (rule.kind == "static" or not static_only) and wanted in (None, rule.name)
    ]
    found = [
        _worded(rule, raised)
        for rule in _concerned(con, asked, query)
        for raised in _raised(con, rule, query)
    ]
    return in_order(found)


def in_order(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Findings as they are shown: the worst first."""
    return sorted(
        found,
        key=lambda row: (
            SEVERITIES.index(row["severity"]),
            row["rule"],
            str(row["caller"]),
            str(row["callee"]),
        ),
    )


def _concerned(con: duckdb.DuckDBPyConnection, rules: list[Rule], query: Query) -> list[Rule]:
    """Those rules that a call of the window concerns: each costs milliseconds to plan, this pass as much as one."""
    of_hops = {rule.name: rule for rule in rules if rule.of_hops and rule.concerns != "true"}
    if len(of_hops) < 2:
        return rules
    conditions = {name: (rule.concerns, rule.needs) for name, rule in of_hops.items()}
    idle = set(of_hops) - _met(con, conditions, query)
    return [rule for rule in rules if rule.name not in idle]


def needed(con: duckdb.DuckDBPyConnection, names: Iterable[str], query: Query) -> set[str]:
    """Those of the rules that may find something in the window, by what some call of it must be like for them to."""
    wanted = set(names)
    conditions = {name: (RULES[name].needs,) for name in wanted if RULES[name].needs != "true"}
    return wanted - (set(conditions) - _met(con, conditions, query)) if conditions else wanted


def _met(con: duckdb.DuckDBPyConnection, conditions: Mapping[str, tuple[str, ...]], query: Query) -> set[str]:
    """The names each of whose conditions some call of the window meets, not all of them the same call."""
    columns = ",\n    ".join(
        " and ".join(f"coalesce(bool_or({condition}), false)" for condition in of_one if condition != "true")
        for of_one in conditions.values()
    )
    row = con.execute(
        f"""select
    {columns}
from hops
where
    start_time_unix_nano >= $since
    and start_time_unix_nano < $until
    and in_environment($environment, caller_env, callee_env)""",
        unsigned(
            {
                "since": query.since_unix_nano,
                "until": query.until_unix_nano,
                "environment": query.environment,
            }
        ),
    ).fetchone()
    return {name for name, met in zip(conditions, row or (), strict=False) if met}


def flagged(names: Iterable[str]) -> str:
    """SQL for the calls that break any of these rules: the key of the hop, `rule` and `severity`.

    Its text reads `hops` as the window, and the parameters that the rules' own headers name, but for `now`, which is
    written into it: who asks by it has parameters of his own.
    """
    now = f"{now_unix_nano()}::ubigint"
    parts = [
        f"select trace_id, anchor_span_id, answered, '{rule.name}' as rule, "
        f"coalesce(severity::varchar, '{rule.severity}') as severity\nfrom (\n{rule.text.replace('$now', now)}\n)"
        for rule in RULES.values()
        if rule.name in set(names) and rule.of_hops
    ]
    nothing = "select null::uuid, null::ubigint, null::boolean, null::varchar, null::varchar where false"
    return "\nunion all\n".join(parts) or nothing


def explanation(finding: Mapping[str, Any]) -> dict[str, str]:
    """What the rule's header adds to a finding for a person: `why`, `check` and `may_be_wrong_when`."""
    rule = RULES[finding["rule"]]
    subject = {"caller": finding["caller"] or EXTERNAL, "callee": finding["callee"] or UNSEEN}
    source = finding["source"] or {}
    words = _Words(subject | {"host": subject["callee"], "file": source.get("file", "FILE")})
    return {
        "why": rule.why.format_map(words),
        "check": rule.check.format_map(words),
        "may_be_wrong_when": rule.may_be_wrong_when.format_map(words),
    }


def _raised(con: duckdb.DuckDBPyConnection, rule: Rule, query: Query) -> list[dict[str, Any]]:
    values: dict[str, Any] = {
        "rule": rule.name,
        "severity": rule.severity,
        "now": now_unix_nano(),
        "quiet": 0 if query.settled else rule.quiet_s * 10**9,
        "since": query.since_unix_nano,
        "until": query.until_unix_nano,
        "environment": query.environment,
    }
    views = sql_files.folder("views")
    subjects = views["hop_subjects" if rule.of_hops else "named_subjects"].text
    text = _put_in(views["findings"].text, "subject_rows", _put_in(subjects, "rule_rows", rule.text))
    cursor = con.execute(text, unsigned(values))
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _put_in(text: str, name: str, query: str) -> str:
    """A text that reads a table of this name, with a query in its place; each of both is SQL by itself."""
    return text.replace(f"from {name}", f"from (\n{query}\n) as {name}")


def _worded(rule: Rule, raised: dict[str, Any]) -> dict[str, Any]:
    evidence = json.loads(raised["evidence"])
    words = _Words(
        {name: raised[name] for name in ("caller", "callee")}
        | {"caller": raised["caller"] or EXTERNAL, "count": raised["count"]}
        | evidence
    )
    subject = [
        rule.name,
        *(raised[key] or "" for key in ("scope", "caller", "caller_env", "callee", "callee_env")),
    ]
    if rule.kind == "static":
        subject.append(f"{raised['file']}:{raised['line']}")
    example = raised["trace_id"] and {"trace_id": raised["trace_id"], "span_ids": raised["span_ids"]}
    return {
        "id": hashlib.sha256("\0".join(subject).encode()).hexdigest()[:16],
        "rule": rule.name,
        "severity": raised["severity"],
        "grade": raised["grade"],
        "confidence": raised["confidence"],
        "scope": raised["scope"],
        "caller": raised["caller"],
        "caller_env": raised["caller_env"],
        "callee": raised["callee"],
        "callee_env": raised["callee_env"],
        "count": raised["count"],
        "first_seen": raised["first_seen"],
        "last_seen": raised["last_seen"],
        "example": example,
        "message": rule.message.format_map(words),
        "fix": rule.fix.format_map(words),
        "source": {"file": raised["file"], "line": raised["line"]} if raised["file"] else None,
        "silenced_until": raised["silenced_until"],
    }


class _Words(dict[str, Any]):
    """What a template may name; a name that is not there stays visible instead of failing a report."""

    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"
