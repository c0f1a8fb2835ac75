"""Which columns a person sees of each report, with their colours. Data; the terminal is not known here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from bindtrace.propagation.vocabulary import SEVERITIES
from bindtrace.queries import cells
from bindtrace.queries.layout import Column, Row

_STYLES: Final[Mapping[str, str]] = {
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
    "low": "cyan",
    "info": "dim",
    "denied": "red",
    "allowed": "green",
    "unknown": "yellow",
    "public": "yellow",
    "contradicted": "red",
    "plaintext": "yellow",
    "new": "cyan",
    "slower": "yellow",
    "gone": "dim",
    "changed": "red",
    "missing": "red",
    "extra": "red",
    "yes": "green",
    "no": "red",
    "breaks": "red",
    "passes": "yellow",
    "unjudged": "yellow",
    "declared": "green",
    "widens": "red",
    "narrows": "green",
}


def word_style(word: str) -> str:
    """The colour of a severity, verdict, road, protection or grade; empty for a word that has none."""
    return _STYLES.get(word, "")


def severity_rank(severity: Any) -> int:
    """0 is the worst; a word outside the list comes last."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _key(name: str) -> Callable[[Row], str]:
    return lambda row: cells.plain(row.get(name))


def _count(heading: str, key: str, gives_way: int = 0) -> Column:
    return Column(heading, lambda row: cells.count(row.get(key)), right=True, gives_way=gives_way)


def _some(heading: str, key: str, gives_way: int, style: str) -> Column:
    """A count that is worth a colour where it is not zero."""
    return Column(
        heading,
        lambda row: cells.count(row.get(key)),
        right=True,
        gives_way=gives_way,
        style=lambda text: "" if text in ("", "0") else style,
    )


def _ms(heading: str, key: str, gives_way: int) -> Column:
    return Column(heading, lambda row: cells.milliseconds(row.get(key)), right=True, gives_way=gives_way)


def _word(heading: str, key: str, gives_way: int = 0) -> Column:
    return Column(heading, _key(key), gives_way=gives_way, style=word_style)


def _text(heading: str, key: str, gives_way: int = 0, *, flexible: int = 0) -> Column:
    return Column(heading, _key(key), gives_way=gives_way, flexible=flexible)


def _scope(gives_way: int) -> Column:
    """Bare names are enough where all are of one scope."""
    return Column("SCOPE", _key("scope"), gives_way=gives_way, flexible=12, tells_apart=True)


def _when(heading: str, key: str, gives_way: int) -> Column:
    return Column(f"{heading} (UTC)", lambda row: cells.moment(row.get(key)), gives_way=gives_way)


def _trace(heading: str, key: str, gives_way: int = 0) -> Column:
    """A trace id; its first 12 digits are enough for `bindtrace chain`."""
    return Column(heading, _key(key), gives_way=gives_way, short=lambda row: cells.plain(row.get(key))[:12])


def _by_reason(key: str) -> Callable[[Row], str]:
    """Counts by reason: `3 bad trace id, 1 …`."""
    return lambda row: ", ".join(
        f"{cells.count(number)} {cells.visible(reason)}".rstrip()
        for reason, number in (row.get(key) or {}).items()
    )


def _environments(row: Row) -> str:
    """One name where caller and callee share it or only one is known, `a>b` where the call crosses."""
    both = [cells.visible(name) for name in (row.get("caller_env"), row.get("callee_env")) if name]
    return ">".join(dict.fromkeys(both))


def _before_and_after(row: Row) -> str:
    """What was declared and what is, `internal → public`; one of them where the other is nothing."""
    return " → ".join(cells.visible(text) for text in (row.get("before"), row.get("after")) if text)


def _share(value: Any) -> str:
    """A share as a percentage, never rounded up to all."""
    return "" if value is None else f"{int(float(value) * 1000) / 10:.1f}%"


def _requests(row: Row) -> str:
    return ", ".join(map(cells.visible, row.get("requests") or ()))


_CALLER: Final = Column(
    "CALLER", cells.caller, flexible=32, style=lambda text: "dim" if text == cells.EXTERNAL else ""
)
_CALLEE: Final = Column(
    "CALLEE", cells.callee, flexible=32, style=lambda text: "dim" if text == cells.UNSEEN else ""
)
_ENVS: Final = Column("ENV", _environments, gives_way=7)
_KIND: Final = Column("KIND", _key("kind"), gives_way=9, tells_apart=True)
_ERROR: Final = Column(
    "ERROR", lambda row: "error" if row.get("error") else "", gives_way=2, style=lambda _: "red"
)

LAYOUTS: Final[Mapping[str, tuple[Column, ...]]] = {
    "services": (
        _text("SERVICE", "service"),
        _scope(6),
        _text("ENV", "environment", 3),
        _text("PLATFORM", "platform", 5),
        _word("EXPOSURE", "exposure"),
        _count("CALLS IN", "calls_in"),
        _count("CALLS OUT", "calls_out"),
        _count("SPANS", "spans"),
        _when("FIRST SEEN", "first_seen", 4),
        _when("LAST SEEN", "last_seen", 2),
    ),
    "edges": (
        _CALLER,
        _CALLEE,
        _scope(9),
        _ENVS,
        _KIND,
        _count("CALLS", "calls"),
        _some("ERRORS", "errors", 0, "red"),
        _some("DENIED", "denied", 2, "red"),
        _word("ROAD", "road"),
        _word("PROTECTION", "protection", 3),
        _word("VERDICT", "verdict"),
        _word("GRADE", "grade", 4),
        _ms("P50", "p50_ms", 5),
        _ms("P95", "p95_ms", 1),
        _ms("P99", "p99_ms", 6),
    ),
    "hops": (
        Column("START (UTC)", lambda row: cells.exact_moment(row.get("start_time_unix_nano")), gives_way=5,
               short=lambda row: cells.exact_moment(row.get("start_time_unix_nano"))[11:19]),
        _trace("TRACE", "trace_id", 4),
        _CALLER,
        _CALLEE,
        _scope(12),
        _ENVS,
        _KIND,
        _text("BINDING", "binding", 8),
        _word("ROAD", "road"),
        _word("PROTECTION", "protection", 6),
        _word("VERDICT", "verdict"),
        _text("REASON", "reason", 3),
        _word("GRADE", "grade", 8),
        _text("PAIRING", "pairing", 10),
        _ms("DURATION", "duration_ms", 1),
        _ERROR,
    ),
    "chains": (
        Column("CHAIN", lambda row: signature(row.get("signature") or ()), flexible=40),
        _word("STATUS", "status", 1),
        _scope(9),
        _text("ENV", "environment", 7),
        _count("CALLS", "calls"),
        _some("ERRORS", "errors", 3, "red"),
        _word("ROAD", "road", 2),
        _word("VERDICT", "verdict"),
        _ms("P50", "p50_ms", 5),
        _ms("P95", "p95_ms", 3),
        _ms("P99", "p99_ms", 6),
        _count("CALLS BEFORE", "earlier_calls", 4),
        _ms("P95 BEFORE", "earlier_p95_ms", 3),
        _trace("EXAMPLE", "example_trace_id", 1),
    ),
    "grants": (
        _CALLER,
        _CALLEE,
        _text("BINDING", "binding", 1),
        _scope(6),
        _text("ENV", "environment", 4),
        _text("PLATFORM", "platform", 5),
        _text("REVISION", "revision", 7),
        _count("CALLS", "calls"),
        _when("LAST USED", "last_used", 3),
        Column("DECLARED AT", cells.place, gives_way=2),
    ),
    "findings": (
        _word("SEVERITY", "severity"),
        _text("RULE", "rule"),
        _CALLER,
        Column("CALLEE", _key("callee"), flexible=32),
        _scope(9),
        _ENVS,
        _count("COUNT", "count"),
        _word("GRADE", "grade", 2),
        _text("CONFIDENCE", "confidence", 4),
        _when("LAST SEEN", "last_seen", 3),
        Column("DECLARED AT", lambda row: cells.place(row.get("source") or {}), gives_way=5),
    ),
    "policy-replay": (
        _word("CHANGE", "change"),
        _CALLER,
        _CALLEE,
        _scope(9),
        _ENVS,
        _count("CALLS", "calls"),
        Column("REQUESTS", _requests, gives_way=6, flexible=24),
        _word("WAS", "verdict_before"),
        _word("WOULD BE", "verdict"),
        _text("REASON", "reason", 4),
        _word("GRADE", "grade", 7),
        Column("BY", cells.place, gives_way=1),
        Column("WAS BY", lambda row: cells.place({"file": row.get("file_before"), "line": row.get("line_before")}),
               gives_way=5),
        _trace("EXAMPLE", "example_trace_id", 2),
    ),
    "audit-verify": (
        _word("STATE", "state"),
        _text("FILE", "file", flexible=40),
        _text("EXPECTED", "expected", 2, flexible=16),
        _text("FOUND", "found", 1, flexible=16),
    ),
    "policy-readiness": (
        _word("READY", "ready"),
        _CALLER,
        _CALLEE,
        _scope(9),
        _text("ENV", "environment", 6),
        _text("BINDING", "binding", 5),
        _count("CALLS", "calls"),
        Column("PASS", lambda row: _share(row.get("share")), right=True, gives_way=3),
        Column("AT LEAST", lambda row: _share(row.get("share_at_least")), right=True, gives_way=4),
        _count("DAYS", "days"),
        Column("REASONS", _by_reason("reasons"), gives_way=2, flexible=24),
        _text("WHY", "why", 1, flexible=36),
        _trace("EXAMPLE", "example_trace_id", 7),
    ),
    "policy-suggest": (
        _word("CHANGE", "change"),
        _CALLER,
        _CALLEE,
        _text("ENV", "environment", 6),
        _text("BINDING", "binding", 3),
        _count("CALLS", "calls"),
        _count("DAYS", "days", 5),
        _word("GRADE", "grade", 2),
        _text("WHY", "why", flexible=36),
        Column("AT", cells.place, gives_way=1),
    ),
    "policy-diff": (
        _word("EFFECT", "effect"),
        _text("CHANGE", "change"),
        _text("WHAT", "what"),
        Column("CALLER", _key("caller"), flexible=24),
        Column("CALLEE", _key("callee"), flexible=24),
        _scope(9),
        _text("ENV", "environment", 7),
        Column("DECLARED", _before_and_after, flexible=28),
        Column("AT", cells.place, gives_way=1),
    ),
    "coverage": (
        _text("SERVICE", "service"),
        _text("ENV", "environment", 3),
        _count("SPANS", "spans"),
        _count("HOPS", "hops"),
        _count("BOTH SIDES", "both_sides"),
        _count("VERIFIED", "verified"),
        _count("ROAD UNKNOWN", "road_unknown", 2),
        _text("SAMPLING", "sampling", 1),
        Column("GAPS", _by_reason("gaps"), gives_way=4, flexible=20, style=lambda text: "yellow" if text else ""),
    ),
    "senders": (
        _text("SERVICE", "service", flexible=32),
        _text("SDK", "sdk", 4),
        _text("VERSION", "version", 6),
        _text("PROTOCOL", "protocol", 3),
        _count("ACCEPTED", "accepted"),
        Column("REJECTED", _by_reason("rejected"), gives_way=1, flexible=24, style=lambda text: "red" if text else ""),
        Column("REFUSED", _by_reason("refused"), gives_way=2, flexible=20, style=lambda text: "yellow" if text else ""),
        _some("REDACTED", "redacted", 3, "yellow"),
        _count("AGAIN", "duplicates", 5),
        _some("CONFLICTS", "conflicts", 7, "red"),
        Column("QUIRKS", _by_reason("quirks"), gives_way=6, flexible=24),
        _when("LAST SEEN", "last_seen", 3),
    ),
    "rules": (
        _text("RULE", "rule"),
        _word("SEVERITY", "severity"),
        _text("CATEGORY", "category", 2),
        _text("STATUS", "status", 3),
        _text("WHY", "why", 1, flexible=30),
    ),
}  # fmt: skip
"""By report. A report without a layout shows all its keys in their own order."""


def columns_of(report: str, rows: Sequence[Row], keys: Sequence[str] = ()) -> tuple[Column, ...]:
    """The report's columns, or one per key, of `keys` and of the rows, where it has no layout."""
    if report in LAYOUTS:
        return LAYOUTS[report]
    names = list(dict.fromkeys([*keys, *(key for row in rows for key in row)]))
    numbers = {key for key in names if all(_is_number(row.get(key)) for row in rows)}
    return tuple(
        Column(key, _key(key), right=key in numbers, flexible=0 if key in numbers else 24) for key in names
    )


def signature(services: Sequence[str | None]) -> str:
    """The services on a chain's path, entry first."""
    return " → ".join(cells.visible(service or cells.EXTERNAL) for service in services)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
