"""Findings as SARIF 2.1.0, for code scanning: one run, results at the manifest's lines. Judges nothing, writes nothing.

source: OASIS SARIF 2.1.0; what GitHub's code scanning reads of it (`security-severity`, `partialFingerprints`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from bindtrace.queries import cells
from bindtrace.queries.explain import subject
from bindtrace.queries.rules import RULES, Rule, in_general

SCHEMA: Final = (
    "https://raw.githubusercontent.com/oasis-tcs/sarif-spec/master/Schemata/sarif-schema-2.1.0.json"
)
FINGERPRINT: Final = "bindtraceFinding/v1"

_LEVELS: Final[Mapping[str, str]] = {
    "critical": "error",
    "high": "error",
    "medium": "warning",
    "low": "note",
    "info": "note",
}
_SCORES: Final[Mapping[str, str]] = {
    "critical": "9.5",
    "high": "8.0",
    "medium": "5.5",
    "low": "3.0",
    "info": "0.0",
}
"""As GitHub groups `security-severity`: above 9 critical, from 7 high, from 4 medium."""
_KEPT: Final = (
    "severity", "grade", "confidence", "scope", "caller", "caller_env", "callee", "callee_env", "first_seen",
    "last_seen", "example", "silenced_until",
)  # fmt: skip


def sarif_text(findings: Sequence[Mapping[str, Any]], anchor: str | None = None) -> str:
    """A SARIF log of one run. `anchor` is the file of a finding that no line of a manifest caused.

    Without one it stands at the first manifest that another names: code scanning takes no result without a file.
    Every rule is in it, also those that found nothing, so that a reader sees what was looked for.
    """
    anchor = anchor or next((str(f["source"]["file"]) for f in findings if f.get("source")), None)
    names = list(dict.fromkeys([*sorted(RULES), *(str(finding["rule"]) for finding in findings)]))
    driver = {
        "name": "bindtrace",
        "semanticVersion": version("bindtrace"),
        "shortDescription": {"text": "Who really calls whom, by which road, and with what right."},
        "rules": [_descriptor(name) for name in names],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The folder that bindtrace ran in."}}},
        "results": [_result(finding, names.index(str(finding["rule"])), anchor) for finding in findings],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return cells.json_safe(json.dumps(log, ensure_ascii=False, indent=2)) + "\n"


def _descriptor(name: str) -> dict[str, Any]:
    if name not in RULES:  # a newer collector knows more rules
        return {"id": name}
    rule = RULES[name]
    title = rule.title.partition(": ")[2] or rule.title
    return {
        "id": name,
        "name": "".join(part.capitalize() for part in name.split("-")),
        "shortDescription": {"text": title},
        "fullDescription": {"text": _sentence(in_general(rule.why))},
        "help": _help(rule),
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {
            "category": rule.category,
            "status": rule.status,
            "security-severity": _SCORES[rule.severity],
            "tags": ["security", rule.category],
        },
    }


def _help(rule: Rule) -> dict[str, str]:
    told = {
        "Why": _sentence(in_general(rule.why)),
        "What to do": _sentence(rule.remedy),
        "May be wrong when": _sentence(rule.may_be_wrong_when),
    }
    check = f"How to check: once it is fixed, this shows nothing: {rule.check}"
    return {
        "text": "\n".join([*(f"{label}: {text}" for label, text in told.items()), check]),
        "markdown": "\n\n".join(
            [
                *(f"**{label}**: {text}" for label, text in told.items()),
                f"**How to check**: once it is fixed, this shows nothing:\n\n```sh\n{rule.check}\n```",
            ]
        ),
    }


def _result(finding: Mapping[str, Any], index: int, anchor: str | None) -> dict[str, Any]:
    who = subject(finding)
    result: dict[str, Any] = {
        "ruleId": finding["rule"],
        "ruleIndex": index,
        "level": _LEVELS.get(str(finding["severity"]), "error"),
        "message": {"text": cells.visible(f"{_sentence(finding['message'])} {_sentence(finding['fix'])}")},
        "locations": [_location(finding.get("source"), anchor, who)],
        "occurrenceCount": max(1, int(finding["count"])),
        "partialFingerprints": {FINGERPRINT: finding["id"]},
        "properties": {key: finding[key] for key in _KEPT if finding.get(key) is not None}
        | {"security-severity": _SCORES.get(str(finding["severity"]), "9.5")},
    }
    if (until := finding.get("silenced_until")) is not None:
        justification = f"accepted by an exception of the manifest until {cells.moment(until)} UTC"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": justification}]
    return result


def _location(source: Mapping[str, Any] | None, anchor: str | None, who: str) -> dict[str, Any]:
    location: dict[str, Any] = {}
    place = source or ({"file": anchor, "line": 1} if anchor else None)
    if place is not None:
        location["physicalLocation"] = {
            "artifactLocation": _artifact(str(place["file"])),
            "region": {"startLine": max(1, int(place.get("line") or 1))},
        }
    if who:
        location["logicalLocations"] = [{"fullyQualifiedName": who, "kind": "function"}]
    return location


def _artifact(file: str) -> dict[str, str]:
    """A file below the folder is named from there, as code scanning wants it; any other by its whole path."""
    path = Path(file)
    if path.is_absolute() and not path.is_relative_to(Path.cwd()):
        return {"uri": path.as_uri()}
    relative = path.relative_to(Path.cwd()) if path.is_absolute() else path
    return {"uri": quote(str(PurePosixPath(relative))), "uriBaseId": "%SRCROOT%"}


def _sentence(text: Any) -> str:
    written = str(text).strip()
    return written if not written or written.endswith((".", "?")) else f"{written}."
