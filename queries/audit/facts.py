"""The reports that an audit is made of, asked of one source. Judges nothing, writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from bindtrace.propagation.vocabulary import ROADS
from bindtrace.queries.query import Query
from bindtrace.queries.source import Row, Source

REPORTS: Final = ("services", "edges", "coverage", "findings", "revisions", "grants", "gaps", "senders")
EVIDENCE_ROWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Facts:
    """One window of one source. `evidence_cut`: there are more odd spans than were taken."""

    since_unix_nano: int
    until_unix_nano: int
    environment: str | None
    source: str
    services: tuple[Row, ...]
    edges: tuple[Row, ...]
    coverage: tuple[Row, ...]
    findings: tuple[Row, ...]
    revisions: tuple[Row, ...]
    grants: tuple[Row, ...]
    gaps: tuple[Row, ...]
    senders: tuple[Row, ...]
    evidence: tuple[Row, ...]
    evidence_cut: bool

    @property
    def roads(self) -> dict[str, int]:
        """Calls by road, unknown included; every road is there."""
        counts = Counter[str]()
        for edge in self.edges:
            counts[edge["road"]] += edge["calls"]
        return {road: counts[road] for road in ROADS}

    @property
    def calls(self) -> int:
        return sum(self.roads.values())

    @property
    def first_seen_unix_nano(self) -> int | None:
        return min((int(row["first_seen"]) for row in self.services if row["first_seen"]), default=None)


def collect(source: Source, query: Query, evidence_rows: int = EVIDENCE_ROWS) -> Facts:
    """Asks every report of the window. Raises `Refusal`."""
    found: dict[str, Sequence[Row]] = {report: source.rows(report, query) for report in REPORTS}
    evidence = source.rows("evidence", replace(query, limit=evidence_rows + 1))
    return Facts(
        query.since_unix_nano,
        query.until_unix_nano,
        query.environment,
        source.describe(),
        **{report: tuple(rows) for report, rows in found.items()},
        evidence=tuple(evidence[:evidence_rows]),
        evidence_cut=len(evidence) > evidence_rows,
    )
