"""Which columns a person sees of each report, with their colours. Data; the terminal is not known here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bindtrace.queries import cells
from bindtrace.queries import column_kinds as kinds
from bindtrace.queries.layout import Column, Row
from bindtrace.queries.report_keys import KEYS

LAYOUTS: Final[Mapping[str, tuple[Column, ...]]] = {
    "services": (
        kinds.text("SERVICE", "service"),
        kinds.scope(6),
        kinds.text("ENV", "environment", 3),
        kinds.text("PLATFORM", "platform", 5),
        kinds.word("EXPOSURE", "exposure"),
        kinds.count("CALLS IN", "calls_in"),
        kinds.count("CALLS OUT", "calls_out"),
        kinds.count("SPANS", "spans"),
        kinds.when("FIRST SEEN", "first_seen", 4),
        kinds.when("LAST SEEN", "last_seen", 2),
    ),
    "edges": (
        kinds.CALLER,
        kinds.CALLEE,
        kinds.scope(9),
        kinds.ENVS,
        kinds.KIND,
        kinds.count("CALLS", "calls"),
        kinds.some("ERRORS", "errors", 0, "red"),
        kinds.some("DENIED", "denied", 2, "red"),
        kinds.word("ROAD", "road"),
        kinds.word("PROTECTION", "protection", 3),
        kinds.VERDICT,
        kinds.word("GRADE", "grade", 4),
        kinds.ms("P50", "p50_ms", 5),
        kinds.ms("P95", "p95_ms", 1),
        kinds.ms("P99", "p99_ms", 6),
    ),
    "hops": (
        Column("START (UTC)", lambda row: cells.exact_moment(row.get("start_time_unix_nano")), gives_way=5,
               short=lambda row: cells.exact_moment(row.get("start_time_unix_nano"))[11:19]),
        kinds.trace("TRACE", "trace_id", 4),
        kinds.CALLER,
        kinds.CALLEE,
        kinds.scope(12),
        kinds.ENVS,
        kinds.KIND,
        kinds.text("BINDING", "binding", 8),
        kinds.word("ROAD", "road"),
        kinds.word("PROTECTION", "protection", 6),
        kinds.VERDICT,
        kinds.text("REASON", "reason", 3),
        kinds.word("GRADE", "grade", 8),
        kinds.text("PAIRING", "pairing", 10),
        kinds.ms("DURATION", "duration_ms", 1),
        kinds.ERROR,
    ),
    "chains": (
        kinds.CHAIN,
        kinds.word("STATUS", "status", 1),
        kinds.scope(9),
        kinds.text("ENV", "environment", 7),
        kinds.count("CALLS", "calls"),
        kinds.some("ERRORS", "errors", 3, "red"),
        kinds.word("ROAD", "road", 2),
        kinds.VERDICT,
        kinds.word("GRADE", "grade", 8),
        kinds.ms("P50", "p50_ms", 5),
        kinds.ms("P95", "p95_ms", 3),
        kinds.ms("P99", "p99_ms", 6),
        kinds.count("CALLS BEFORE", "earlier_calls", 4),
        kinds.ms("P95 BEFORE", "earlier_p95_ms", 3),
        kinds.trace("EXAMPLE", "example_trace_id", 1),
    ),
    "latency": (
        kinds.CHAIN,
        kinds.CALLER,
        kinds.CALLEE,
        kinds.count("CALLS", "calls", 5),
        Column("OF THE TIME", lambda row: kinds.share(row.get("critical_share")), right=True),
        kinds.ms("P50", "critical_p50_ms", 0),
        kinds.some("ERRORS", "errors", 6, "red"),
        kinds.some("ORIGIN OF", "error_origins", 4, "red"),
        kinds.trace("SLOWEST", "slowest_trace_id", 2),
        kinds.trace("FAILING", "failing_trace_id", 3),
        kinds.trace("TYPICAL", "typical_trace_id", 7),
    ),
    "grants": (
        kinds.CALLER,
        kinds.CALLEE,
        kinds.text("BINDING", "binding", 1),
        kinds.scope(6),
        kinds.text("ENV", "environment", 4),
        kinds.text("PLATFORM", "platform", 5),
        kinds.text("REVISION", "revision", 7),
        kinds.count("CALLS", "calls"),
        kinds.when("LAST USED", "last_used", 3),
        Column("DECLARED AT", cells.place, gives_way=2),
    ),
    "findings": (
        kinds.word("SEVERITY", "severity"),
        kinds.text("RULE", "rule"),
        kinds.CALLER,
        Column("CALLEE", kinds.value_of("callee"), flexible=32),
        kinds.scope(9),
        kinds.ENVS,
        kinds.count("COUNT", "count"),
        kinds.word("GRADE", "grade", 2),
        kinds.text("CONFIDENCE", "confidence", 4),
        kinds.when("LAST SEEN", "last_seen", 3),
        Column("DECLARED AT", lambda row: cells.place(row.get("source") or {}), gives_way=5),
    ),
    "demo-enforce": (
        kinds.text("ATTACK", "attack"),
        kinds.text("WHAT IT IS", "means", 2),
        kinds.CALLER,
        kinds.CALLEE,
        Column("ENFORCE", lambda row: _ended(row["enforce"])),
        Column("OBSERVE", lambda row: _ended(row["observe"])),
        Column("REASON", lambda row: cells.plain(row["enforce"]["reason"])),
        Column("CHAIN", lambda row: row["enforce"]["trace_id"], gives_way=1,
               short=lambda row: row["enforce"]["trace_id"][:12]),
    ),
    "policy-replay": (
        kinds.word("CHANGE", "change"),
        kinds.CALLER,
        kinds.CALLEE,
        kinds.scope(9),
        kinds.ENVS,
        kinds.count("CALLS", "calls"),
        Column("REQUESTS", kinds.requests, gives_way=6, flexible=24),
        kinds.word("WAS", "verdict_before"),
        kinds.word("WOULD BE", "verdict"),
        kinds.text("REASON", "reason", 4),
        kinds.word("GRADE", "grade", 7),
        Column("BY", cells.place, gives_way=1),
        Column("WAS BY", lambda row: cells.place({"file": row.get("file_before"), "line": row.get("line_before")}),
               gives_way=5),
        kinds.trace("EXAMPLE", "example_trace_id", 2),
    ),
    "audit-verify": (
        kinds.word("STATE", "state"),
        kinds.text("FILE", "file", flexible=40),
        kinds.text("EXPECTED", "expected", 2, flexible=16),
        kinds.text("FOUND", "found", 1, flexible=16),
    ),
    "policy-readiness": (
        kinds.word("READY", "ready"),
        kinds.CALLER,
        kinds.CALLEE,
        kinds.scope(9),
        kinds.text("ENV", "environment", 6),
        kinds.text("BINDING", "binding", 5),
        kinds.count("CALLS", "calls"),
        Column("PASS", lambda row: kinds.share(row.get("share")), right=True, gives_way=3),
        Column("AT LEAST", lambda row: kinds.share(row.get("share_at_least")), right=True, gives_way=4),
        kinds.count("DAYS", "days"),
        Column("REASONS", kinds.by_reason("reasons"), gives_way=2, flexible=24),
        kinds.text("WHY", "why", 1, flexible=36),
        kinds.trace("EXAMPLE", "example_trace_id", 7),
    ),
    "policy-suggest": (
        kinds.word("CHANGE", "change"),
        kinds.CALLER,
        kinds.CALLEE,
        kinds.text("ENV", "environment", 6),
        kinds.text("BINDING", "binding", 3),
        kinds.count("CALLS", "calls"),
        kinds.count("DAYS", "days", 5),
        kinds.word("GRADE", "grade", 2),
        kinds.text("WHY", "why", flexible=36),
        Column("AT", cells.place, gives_way=1),
    ),
    "policy-diff": (
        kinds.word("EFFECT", "effect"),
        kinds.text("CHANGE", "change"),
        kinds.text("WHAT", "what"),
        Column("CALLER", kinds.value_of("caller"), flexible=24),
        Column("CALLEE", kinds.value_of("callee"), flexible=24),
        kinds.scope(9),
        kinds.text("ENV", "environment", 7),
        Column("DECLARED", kinds.before_and_after, flexible=28),
        Column("AT", cells.place, gives_way=1),
    ),
    "coverage": (
        kinds.text("SERVICE", "service"),
        kinds.text("ENV", "environment", 3),
        kinds.count("SPANS", "spans"),
        kinds.count("HOPS", "hops"),
        kinds.count("BOTH SIDES", "both_sides"),
        kinds.count("VERIFIED", "verified"),
        kinds.count("ROAD UNKNOWN", "road_unknown", 2),
        kinds.text("SAMPLING", "sampling", 1),
        Column("GAPS", kinds.by_reason("gaps"), gives_way=4, flexible=20, style=lambda text: "yellow" if text else ""),
    ),
    "senders": (
        kinds.text("SERVICE", "service", flexible=32),
        kinds.text("SDK", "sdk", 4),
        kinds.text("VERSION", "version", 6),
        kinds.text("PROTOCOL", "protocol", 3),
        kinds.count("ACCEPTED", "accepted"),
        kinds.reasons("REJECTED", "rejected", 1, 24, "red"),
        kinds.reasons("REFUSED", "refused", 2, 20, "yellow"),
        kinds.some("REDACTED", "redacted", 3, "yellow"),
        kinds.count("AGAIN", "duplicates", 5),
        kinds.some("CONFLICTS", "conflicts", 7, "red"),
        Column("QUIRKS", kinds.by_reason("quirks"), gives_way=6, flexible=24),
        kinds.when("LAST SEEN", "last_seen", 3),
    ),
    "quarantine": (
        kinds.text("WHAT", "what"),
        kinds.text("REASON", "reason", flexible=40),
        kinds.text("SENDER", "sender", 4, flexible=32),
        kinds.count("SPANS", "spans", 5),
        kinds.count("BYTES", "bytes", 6),
        kinds.when("FOUND", "found", 7),
        kinds.since("LOST FROM", "lost_from", 1),
        kinds.when("LOST UNTIL", "lost_until", 1),
        kinds.text("SEGMENT", "segment", 9),
        kinds.count("START", "start", 10),
        kinds.count("END", "end", 10),
        kinds.text("FILE", "file", 8),
    ),
    "reports": (
        kinds.text("REPORT", "report"),
        kinds.text("WHAT IT SAYS", "title", flexible=60),
    ),
    "rules": (
        kinds.text("RULE", "rule"),
        kinds.word("SEVERITY", "severity"),
        kinds.text("CATEGORY", "category", 2),
        kinds.text("STATUS", "status", 3),
        kinds.text("WHY", "why", 1, flexible=30),
    ),
}  # fmt: skip
"""By report. A report without a layout shows all its keys in their own order, each as its name says."""


_NUMBERS: Final = frozenset(
    ("calls", "spans", "hops", "errors", "error_origins", "orphans", "with_binding", "unanswered", "credentials",
     "grants", "exposures", "passes", "refused", "days", "lag_s", "age_s", "remaining_s")
)  # fmt: skip
_KINDS: Final[Mapping[str, Column]] = {
    "caller": kinds.CALLER,
    "callee": kinds.CALLEE,
    "since": kinds.when("SINCE", "since", 0),
    "until": kinds.when("UNTIL", "until", 0),
    "loaded": kinds.when("LOADED", "loaded", 0),
    "in_force_from": kinds.when("IN FORCE FROM", "in_force_from", 0),
    "in_force_until": kinds.when("IN FORCE UNTIL", "in_force_until", 0),
    "share_at_least": Column("AT LEAST", lambda row: kinds.share(row.get("share_at_least")), right=True),
    "reasons": Column("REASONS", kinds.by_reason("reasons"), flexible=24),
}
"""Keys that are written in one way in every report without a layout."""


def columns_of(report: str, rows: Sequence[Row], keys: Sequence[str] = ()) -> tuple[Column, ...]:
    """The report's columns, or one per key, of `keys` and of the rows, where it has no layout."""
    if report in LAYOUTS:
        return LAYOUTS[report]
    if report in KEYS:
        return tuple(_kind_of(key) for key in KEYS[report])
    names = list(dict.fromkeys([*keys, *(key for row in rows for key in row)]))
    numbers = {key for key in names if all(_is_number(row.get(key)) for row in rows)}
    return tuple(
        Column(key, kinds.value_of(key), right=key in numbers, flexible=0 if key in numbers else 24)
        for key in names
    )


def _kind_of(key: str) -> Column:
    """How a key of a report is written, by its name: keys are alike in all reports."""
    heading = key.upper().replace("_", " ")
    unit = key.rpartition("_")[2]
    if key in _KINDS:
        return _KINDS[key]
    if unit == "ms":
        return kinds.ms(heading.removesuffix(" MS"), key, 0)
    if key.endswith("trace_id"):
        return kinds.trace(heading.removesuffix(" ID").removesuffix(" TRACE"), key)
    if unit in ("seen", "told", "received"):
        return kinds.when(heading, key, 0)
    if unit == "share":
        return Column(heading, lambda row: kinds.share(row.get(key)), right=True)
    return Column(heading, kinds.value_of(key), flexible=24, right=key in _NUMBERS)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _ended(answer: Mapping[str, Any]) -> str:
    """What became of one request: refused or passed, and the status that it was answered with."""
    return f"{cells.plain(answer['outcome'])} {answer['status']}"
