"""An audit as a page for people: what could not be seen first, then exposure, roads, findings, policy. Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from bindtrace.queries import cells
from bindtrace.queries.audit.facts import Facts
from bindtrace.queries.explain import subject, summary
from bindtrace.queries.markdown import code, plain, table

_FILES = (
    ("unseen.json", "what could not be seen, a sentence each"),
    ("services.json", "every service with its exposure"),
    ("edges.json", "who called whom, by which road, how protected, how judged"),
    ("coverage.json", "per service, how much of its traffic could be seen and placed"),
    ("findings.json", "what should not have happened, with its grade"),
    ("grants.json", "what the manifests allow, by which line, and whether it is used"),
    ("revisions.json", "every revision of the policy with the digest of its bytes"),
    ("gaps.json, senders.json", "what the collector itself missed, and what became of everybody's spans"),
    ("evidence.parquet", "the spans behind what is not in order, as they were stored"),
    (
        "digests.json, signature.jws, public-key.pem",
        "SHA-256 of every file, signed: `bindtrace audit verify`",
    ),
)


def page(facts: Facts, unseen: tuple[str, ...], made_unix_nano: int) -> str:
    """The whole page."""
    return "\n\n".join(part.rstrip("\n") for part in _parts(facts, unseen, made_unix_nano) if part) + "\n"


def _parts(facts: Facts, unseen: tuple[str, ...], made: int) -> Iterator[str]:
    window = f"{cells.moment(facts.since_unix_nano)} to {cells.moment(min(facts.until_unix_nano, made))} UTC"
    yield "# Calls between services: what is known"
    environment = f", environment {code(facts.environment)}" if facts.environment else ""
    yield f"Window: {window}{environment}. Made at {cells.moment(made)} UTC from {code(facts.source)}."
    yield "## What could not be seen"
    yield "\n".join(f"- {plain(sentence)}" for sentence in unseen)
    yield "## Exposure of every service"
    yield table(
        ("service", "environment", "exposure", "calls in", "calls out", "spans"),
        [
            [code(row["service"]), plain(row["environment"] or ""), row["exposure"],
             *(f"{row[key]:,}" for key in ("calls_in", "calls_out", "spans"))]
            for row in facts.services
        ],
    ) or "None was seen or declared."  # fmt: skip
    yield "## Calls by road"
    yield table(
        ("road", "calls", "share"),
        [
            [road, f"{count:,}", f"{count / facts.calls:.1%}" if facts.calls else ""]
            for road, count in facts.roads.items()
        ],
    )
    yield "## Coverage"
    yield table(
        ("service", "calls to it", "seen by both sides", "caller verified", "road unknown", "sampling", "gaps"),
        [
            [code(row["service"]), *(f"{row[key]:,}" for key in ("hops", "both_sides", "verified", "road_unknown")),
             plain(row["sampling"]), ", ".join(f"{plain(what)} {n:,}" for what, n in (row["gaps"] or {}).items())]
            for row in facts.coverage
        ],
    )  # fmt: skip
    yield "## Findings"
    yield table(
        ("severity", "rule", "call", "calls", "grade", "at", "example"),
        [
            [row["severity"], code(row["rule"]), code(subject(row)), f"{row['count']:,}", row["grade"],
             code(place) if (place := cells.place(row["source"] or {})) else "",
             code(row["example"]["trace_id"]) if row["example"] else ""]
            for row in facts.findings
        ],
    ) or "None."  # fmt: skip
    yield plain(summary(facts.findings)) if facts.findings else ""
    yield "## Policy"
    yield table(
        ("manifest", "platform", "revision", "in force from", "until", "grants"),
        [
            [code(row["file"]), row["platform"], code(row["revision"]),
             cells.moment(row["in_force_from"]) or "the beginning", cells.moment(row["in_force_until"]) or "now",
             f"{row['grants']:,}"]
            for row in facts.revisions
        ],
    ) or "No manifest was in force."  # fmt: skip
    yield "A revision is the first 16 hexadecimal digits of the SHA-256 of the manifest's bytes."
    yield "## Files"
    yield table(
        ("file", "holds"), [[", ".join(map(code, names.split(", "))), told] for names, told in _FILES]
    )
