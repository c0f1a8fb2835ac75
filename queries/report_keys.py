"""The keys of every report, in order: the promise of the command line's JSON and of `/api/reports`. No SQL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_HOP: Final = (
    "trace_id", "scope", "caller", "caller_env", "callee", "callee_env", "kind", "binding", "road", "confidence",
    "protection", "verdict", "outcome", "reason", "grade", "pairing", "start_time_unix_nano", "duration_ms", "error",
    "attempts", "caller_span_id", "callee_span_id", "evidence",
)  # fmt: skip

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "services": (
        "scope", "service", "platform", "environment", "spans", "calls_in", "calls_out", "exposure", "first_seen",
        "last_seen",
    ),
    "edges": (
        "scope", "caller", "caller_env", "callee", "callee_env", "kind", "calls", "errors", "denied", "road",
        "protection", "verdict", "grade", "p50_ms", "p95_ms", "p99_ms",
    ),
    "hops": _HOP,
    "calls": (
        "scope", "caller_scope", "caller", "caller_env", "callee", "callee_env", "caller_deployment",
        "callee_deployment", "kind", "method", "path", "host", "protection", "peer_caller", "verified_caller",
        "from_outside", "binding", "road", "verdict", "reason", "outcome", "grade", "file",
        "line", "calls", "days", "first_seen", "last_seen", "example_trace_id",
    ),
    "chains": (
        "scope", "environment", "signature", "calls", "errors", "p50_ms", "p95_ms", "p99_ms", "verdict", "road",
        "grade", "example_trace_id",
    ),
    "chain": (
        *_HOP, "via", "marks", "corrected_start_unix_nano", "network_ms", "skew_ms", "critical", "critical_ms",
        "error_origin", "children",
    ),
    "grants": (
        "caller", "callee", "binding", "platform", "scope", "environment", "revision", "file", "line", "calls",
        "last_used",
    ),
    "crossings": ("caller", "binding", "calls", "unanswered"),
    "findings": (
        "id", "rule", "severity", "grade", "confidence", "scope", "caller", "caller_env", "callee", "callee_env",
        "count", "first_seen", "last_seen", "example", "message", "fix", "source", "silenced_until",
    ),
    "coverage": (
        "service", "environment", "spans", "hops", "both_sides", "verified", "road_unknown", "sampling", "gaps",
    ),
    "latency": (
        "signature", "caller", "callee", "calls", "critical_share", "critical_p50_ms", "errors", "error_origins",
        "slowest_trace_id", "failing_trace_id", "typical_trace_id",
    ),
    "health": ("service", "spans", "with_binding", "hops", "orphans", "lag_s", "last_received"),
    "instrumentation": ("service", "sender", "spans", "with_binding"),
    "issuers": ("service", "sender", "believed", "credentials", "first_told", "last_told"),
    "credentials": ("service", "environment", "verified_by", "age_s", "remaining_s", "calls", "last_seen"),
    "graph_nodes": (
        "id", "title", "subtitle", "mainstat", "secondarystat", "arc__passed", "arc__failed", "arc__denied",
    ),
    "graph_edges": (
        "id", "source", "target", "mainstat", "secondarystat", "detail__verdict", "detail__road", "detail__grade",
        "detail__errors", "color", "thickness", "strokeDasharray",
    ),
    "readiness": (
        "scope", "caller", "callee", "environment", "binding", "calls", "passes", "refused", "share", "share_at_least",
        "reasons", "days", "sampling", "first_seen", "last_seen", "example_trace_id", "file", "line",
    ),
    "gaps": ("what", "service", "reason", "spans", "since", "until"),
    "revisions": (
        "file", "platform", "scope", "deployment", "revision", "grants", "exposures", "loaded", "in_force_from",
        "in_force_until",
    ),
    "evidence": (
        "trace_id", "span_id", "parent_span_id", "service", "environment", "name", "kind", "start_time_unix_nano",
        "end_time_unix_nano", "status_code", "attributes", "resource_attributes", "received_unix_nano", "why",
    ),
    "rules": ("rule", "severity", "status", "category", "why", "fix", "may_be_wrong_when"),
    "senders": (
        "service", "sdk", "version", "protocol", "accepted", "rejected", "refused", "redacted", "duplicates",
        "conflicts", "quirks", "last_seen",
    ),
    "traces": ("trace_id", "hops", "first_seen", "last_seen"),
}  # fmt: skip


def keys_of(report: str) -> tuple[str, ...]:
    """The report's keys; empty for one that promises none."""
    return KEYS.get(report, ())


_IDS: Final[Mapping[str, re.Pattern[str]]] = {
    "trace_id": re.compile(r"[0-9a-f]{32}"),
    "prefix": re.compile(r"[0-9a-f]{0,32}"),
}


def checked_ids(filters: Mapping[str, str]) -> dict[str, str]:
    """The filters with their trace ids in lower case. Raises `ValueError` for one that is no such id."""
    checked = dict(filters)
    for key, form in _IDS.items():
        if key in checked:
            checked[key] = checked[key].lower()
            if not form.fullmatch(checked[key]):
                length = "32" if key == "trace_id" else "at most 32"
                raise ValueError(f"`{key}`: `{filters[key]}` is not {length} hexadecimal digits")
    return checked
