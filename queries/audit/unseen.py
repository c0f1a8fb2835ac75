"""What could not be seen, in sentences: an auditor reads these first. Facts in, sentences out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bindtrace.queries import cells
from bindtrace.queries.audit.facts import Facts

_LOST: Final = {
    "rejected": "were rejected as malformed",
    "refused": "were refused when the collector could take no more",
    "quarantined": "could not be stored and are in quarantine",
    "conflicts": "came again with other content under the same id",
}
_ANSWERED: Final = ("call", "message")
NAMES_SHOWN: Final = 10


def unseen(facts: Facts) -> tuple[str, ...]:
    """Sentences, the gravest first; never empty, because no telemetry shows everything."""
    return (
        *_window(facts),
        *_down(facts),
        *_lost(facts),
        *_policy(facts),
        *_roads(facts),
        *_sides(facts),
        *_sampling(facts),
        *_silent(facts),
        *_evidence(facts),
        "A service that sends no telemetry and is called by none that does is not in here at all.",
    )


def _window(facts: Facts) -> Iterator[str]:
    first = facts.first_seen_unix_nano
    if first is None:
        yield "Nothing was received in this window: every statement below is about manifests alone."
    elif first - facts.since_unix_nano > 3600 * 10**9:
        yield (
            f"Nothing is known from {cells.moment(facts.since_unix_nano)} to {cells.moment(first)} UTC: "
            "the first call that is kept began then."
        )


def _down(facts: Facts) -> Iterator[str]:
    for gap in facts.gaps:
        if gap["what"] == "down":
            yield f"The collector was down from {cells.moment(gap['since'])} to {cells.moment(gap['until'])} UTC."
        if gap["what"] == "lost":
            yield f"What the collector had sealed into a lake until {cells.moment(gap['until'])} UTC is lost with it."


def _lost(facts: Facts) -> Iterator[str]:
    for word, told in _LOST.items():
        rows = [gap for gap in facts.gaps if gap["what"] == word]
        if rows:
            names = _names(sorted({gap["service"] or "(unnamed)" for gap in rows}))
            yield f"{sum(gap['spans'] for gap in rows):,} spans {told}, of {names}."


def _policy(facts: Facts) -> Iterator[str]:
    if not facts.revisions:
        yield "No manifest was in force: whether a call was declared is unknown."
    unknown = sum(edge["calls"] for edge in facts.edges if edge["verdict"] == "unknown")
    if unknown and facts.revisions:
        yield f"{unknown:,} of {facts.calls:,} calls went between pairs with a call that could not be judged."


def _roads(facts: Facts) -> Iterator[str]:
    if unknown := facts.roads["unknown"]:
        yield f"Of {unknown:,} of {facts.calls:,} calls it is not known by which road they went."


def _sides(facts: Facts) -> Iterator[str]:
    # Who calls from outside sends no telemetry: that side cannot be missing.
    entered = sum(
        edge["calls"] for edge in facts.edges if edge["caller"] is None and edge["kind"] in _ANSWERED
    )
    inside = sum(row["hops"] for row in facts.coverage) - entered
    if entered:
        yield f"Of {entered:,} calls from outside, or whose caller sends no telemetry, it is not known who made them."
    one_sided = inside - sum(row["both_sides"] for row in facts.coverage)
    if one_sided > 0:
        yield f"{one_sided:,} of {inside:,} calls between services were seen by one side only."
    unverified = inside - sum(row["verified"] for row in facts.coverage)
    if unverified > 0:
        yield (
            f"The caller of {unverified:,} of {inside:,} calls between services is what telemetry claims; "
            "no receiver verified it."
        )


def _sampling(facts: Facts) -> Iterator[str]:
    known = {row["service"]: row["sampling"] for row in facts.coverage}
    unknown = sorted(name for name, sampling in known.items() if sampling == "unknown")
    sampled = sorted(name for name, sampling in known.items() if sampling not in ("unknown", "ot=th:0"))
    if unknown:
        yield f"How much of their calls was recorded is not declared by {_names(unknown)}: counts are lower bounds."
    if sampled:
        yield f"Only a part of the calls of {_names(sampled)} was recorded: counts are lower bounds."


def _silent(facts: Facts) -> Iterator[str]:
    silent = sorted({row["service"] for row in facts.services if not row["spans"]})
    if silent:
        yield f"Declared, but never seen: {_names(silent)}."


def _evidence(facts: Facts) -> Iterator[str]:
    if facts.evidence_cut:
        yield f"Of the spans behind what is not in order only the latest {len(facts.evidence):,} are enclosed."


def _names(names: list[str]) -> str:
    shown = ", ".join(map(cells.visible, names[:NAMES_SHOWN]))
    return shown if len(names) <= NAMES_SHOWN else f"{shown} and {len(names) - NAMES_SHOWN:,} more"
