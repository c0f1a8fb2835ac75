"""Stored traffic under another policy: what would break, what would newly pass. Writes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from bindtrace.propagation.manifest import Manifest
from bindtrace.propagation.platforms import generic
from bindtrace.propagation.vocabulary import GRADES
from bindtrace.queries.query import Query
from bindtrace.queries.rejudging import Judged, rejudge
from bindtrace.queries.source import Row, Source

CHANGES: Final[Mapping[tuple[str, str], str]] = {
    ("allowed", "denied"): "breaks",
    ("unknown", "denied"): "breaks",
    ("denied", "allowed"): "passes",
    ("unknown", "allowed"): "declared",
    ("allowed", "unknown"): "unjudged",
    ("denied", "unknown"): "unjudged",
}
"""Verdict before and after. `passes` was refused or would have been; `unjudged` loses its judgement."""
ORDER: Final = ("breaks", "passes", "unjudged", "declared", "same")
KEYS: Final = (
    "change", "scope", "caller", "caller_env", "callee", "callee_env", "calls", "requests", "verdict_before",
    "reason_before", "verdict", "reason", "grade", "file", "line", "file_before", "line_before", "last_seen",
    "example_trace_id",
)  # fmt: skip
REQUESTS_SHOWN: Final = 3

_SUBJECT: Final = ("scope", "caller", "caller_env", "callee", "callee_env")


def calls_of(source: Source, query: Query, manifests: Sequence[Manifest]) -> list[Row]:
    """The distinct calls of the window, told apart by path where these manifests ask for it. Raises `Refusal`."""
    by_path = any(grant.paths for m in manifests for grant in m.grants) or any(
        getattr(manifest, "policies", ()) for manifest in manifests
    )
    filters = {**query.filters, "with_paths": "true" if by_path else "false"}
    return source.rows("calls", replace(query, filters=filters, limit=None))


def replay(calls: Sequence[Row], manifests: Sequence[Manifest]) -> list[Row]:
    """A row per caller, callee and change, what would break first; calls of which nothing changes are `same`."""
    groups: dict[tuple[Any, ...], Row] = {}
    declared = declared_at(manifests)
    for call, judged in zip(calls, rejudge(calls, manifests), strict=True):
        change = CHANGES.get((call["verdict"], judged.verdict), "same")
        file, line = place(judged, call, manifests, declared)
        key = (
            change, *(call[name] for name in _SUBJECT), call["verdict"], call["reason"], judged.verdict, judged.reason,
            file, line, call["file"], call["line"],
        )  # fmt: skip
        groups[key] = _added(groups.get(key), key, call)
    return sorted(
        groups.values(),
        key=lambda row: (ORDER.index(row["change"]), -row["calls"], str(row["caller"]), str(row["callee"])),
    )


def declared_at(manifests: Iterable[Manifest]) -> dict[str, tuple[str, int]]:
    """Where each service is declared; a platform's own manifest says it better than bindtrace.toml."""
    found: dict[str, tuple[str, int]] = {}
    for manifest in sorted(manifests, key=lambda m: m.platform == generic.NAME):
        for service in manifest.services:
            found.setdefault(service.service, (service.file, service.line))
    return found


def place(
    judged: Judged, call: Row, manifests: Sequence[Manifest], declared: Mapping[str, tuple[str, int]]
) -> tuple[str | None, int | None]:
    """The line that decided, else the one to change: where the caller is declared, or the callee of an entry."""
    if judged.file is not None:
        return judged.file, judged.line
    if judged.verdict == "denied":
        return declared.get(call["caller"] or call["callee"]) or declared.get(call["callee"]) or (None, None)
    if judged.verdict == "allowed" and call["caller"] is None:
        path = call["path"] or "/"
        for opened in (exposure for manifest in manifests for exposure in manifest.exposures):
            if opened.service == call["callee"] and re.fullmatch(opened.pattern, path):
                return opened.file, opened.line
    return None, None


def _added(row: Row | None, key: tuple[Any, ...], call: Row) -> Row:
    if row is None:
        change, *subject, verdict_before, reason_before, verdict, reason, file, line, old_file, old_line = key
        values = (
            change, *subject, 0, [], verdict_before, reason_before, verdict, reason, call["grade"], file, line,
            old_file, old_line, "0", None,
        )  # fmt: skip
        row = dict(zip(KEYS, values, strict=True))
    row["calls"] += call["calls"]
    row["grade"] = min(row["grade"], call["grade"], key=GRADES.index)
    request = " ".join(filter(None, (call["method"], call["path"])))
    if request and request not in row["requests"] and len(row["requests"]) < REQUESTS_SHOWN:
        row["requests"].append(request)
    if int(call["last_seen"]) > int(row["last_seen"]):
        row |= {"last_seen": call["last_seen"], "example_trace_id": call["example_trace_id"]}
    return row
