"""What a change of manifests means for the traffic that was stored: the facts of a pull request's comment. No SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from bindtrace.propagation.manifest import Exposed, Grant, Manifest
from bindtrace.propagation.manifest_diff import Difference, differences, exposure_of
from bindtrace.propagation.suggesting import Needed, unused
from bindtrace.propagation.vocabulary import GRADES
from bindtrace.queries.least_privilege import needed_of
from bindtrace.queries.rejudging import rejudge
from bindtrace.queries.replaying import replay
from bindtrace.queries.source import Row

SECTIONS: Final = ("breaks", "chain", "passes", "public", "unused", "difference")


@dataclass(frozen=True, slots=True)
class Review:
    """`changes` are rows of a replay, `chains` rows of the report; `public` says who becomes reachable, by which line.

    `added` are the unused grants that the change itself adds: no call can have used them yet.
    """

    changes: tuple[Row, ...]
    chains: tuple[Row, ...]
    chains_seen: int
    public: tuple[tuple[str, str, int], ...]
    unused: tuple[Grant, ...]
    added: frozenset[Grant]
    differences: tuple[Difference, ...]
    calls: int
    since_unix_nano: int | None
    days: int

    @property
    def breaks(self) -> tuple[Row, ...]:
        return tuple(row for row in self.changes if row["change"] == "breaks")

    @property
    def passes(self) -> tuple[Row, ...]:
        return tuple(row for row in self.changes if row["change"] == "passes")


def review(
    calls: Sequence[Row],
    chains: Sequence[Row],
    services: Sequence[Row],
    new: Sequence[Manifest],
    base: Sequence[Manifest] | None,
) -> Review:
    """Without `base`, what is new is told from the stored verdicts and exposures instead."""
    before = calls if base is None else _judged_by(calls, base)
    changes = replay(before, new)
    needed, unsure = needed_of(calls, GRADES[-1])
    used: list[Needed] = [*needed, *(left.needed for left in unsure)]
    found = () if base is None else differences(base, new)
    idle = tuple(grant for manifest in new for grant in unused(manifest, used))
    known = {(grant.caller, grant.callee) for manifest in base or () for grant in manifest.grants}
    broken = {
        (row["caller"], row["callee"], row["callee_env"]) for row in changes if row["change"] == "breaks"
    }
    return Review(
        changes=tuple(changes),
        chains=tuple(row for row in chains if _touches(row, broken)),
        chains_seen=len(chains),
        public=tuple(_public(services, new, base)),
        unused=idle,
        added=frozenset(g for g in idle if base is not None and (g.caller, g.callee) not in known),
        differences=found,
        calls=sum(call["calls"] for call in calls),
        since_unix_nano=min((int(call["first_seen"]) for call in calls), default=None),
        days=max((call["days"] for call in calls), default=0),
    )


def rows_of(one: Review) -> list[Mapping[str, Any]]:
    """Every statement of the review with its section, for JSON."""
    return [
        *({"section": row["change"], **row} for row in one.changes if row["change"] != "same"),
        *({"section": "chain", **row} for row in one.chains),
        *({"section": "public", "service": service, "file": file, "line": line} for service, file, line in one.public),
        *(
            {"section": "unused", "caller": g.caller, "callee": g.callee, "environment": g.environment,
             "binding": g.binding, "file": g.file, "line": g.line, "added": g in one.added}
            for g in one.unused
        ),
        *({"section": "difference", **difference._asdict()} for difference in one.differences),
    ]  # fmt: skip


def _judged_by(calls: Sequence[Row], base: Sequence[Manifest]) -> list[Row]:
    """The calls with the verdicts of the base instead of those that are stored."""
    return [
        {**call, "verdict": judged.verdict, "reason": judged.reason, "file": judged.file, "line": judged.line}
        for call, judged in zip(calls, rejudge(calls, base), strict=True)
    ]


def _touches(chain: Row, broken: set[tuple[str | None, str, str | None]]) -> bool:
    path: list[str | None] = [None, *chain["signature"]]
    environments = (chain["environment"], None)
    return any(
        (caller, callee, environment) in broken
        for caller, callee in pairwise(path)
        if callee is not None
        for environment in environments
    )


def _public(
    services: Iterable[Row], new: Sequence[Manifest], base: Sequence[Manifest] | None
) -> Iterable[tuple[str, str, int]]:
    """Services that the outside reaches by the new manifests and did not before."""
    was: dict[str, Exposed | None] = (
        {row["service"]: row["exposure"] for row in services} if base is None else dict(exposure_of(base))
    )
    for service, exposure in exposure_of(new).items():
        if exposure == "public" and was.get(service) != "public":
            opened = [x for manifest in new for x in manifest.exposures if x.service == service]
            said = [s for manifest in new for s in manifest.services if s.service == service]
            place = opened[0] if opened else said[0]
            yield service, place.file, place.line
