"""What the stored calls need of a policy, and the edits of the given manifests that grant just that. Writes no file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.manifest import Grant, Manifest
from bindtrace.propagation.platforms import PLATFORMS, generic, kubernetes
from bindtrace.propagation.suggesting import (
    Edit,
    Needed,
    Suggest,
    Suggestion,
    cloudflare,
    covers,
    istio,
    unused,
    vercel,
)
from bindtrace.propagation.suggesting import generic as toml
from bindtrace.propagation.vocabulary import GRADES, UNKNOWN_SERVICE
from bindtrace.queries.rejudging import rejudge
from bindtrace.queries.source import Row

WRITERS: Final[Mapping[str, Suggest]] = {
    "vercel": vercel.suggest,
    "cloudflare": cloudflare.suggest,
    generic.NAME: toml.suggest,
}
"""By platform, who edits its manifests; our own takes what no other covers."""
KEYS: Final = (
    "change", "caller", "callee", "environment", "binding", "file", "line", "calls", "days", "grade", "verdict", "why",
)  # fmt: skip


class LeftOut(NamedTuple):
    """A call that no edit grants, and why."""

    needed: Needed
    why: str


class Edited(NamedTuple):
    """One manifest's text before and after, and what was changed."""

    manifest: Manifest
    before: str
    after: str
    edits: tuple[Edit, ...]


def needed_of(calls: Iterable[Row], min_grade: str) -> tuple[list[Needed], list[LeftOut]]:
    """The calls between services that must go on, one per caller, callee and environment, and those not sure enough."""
    groups: dict[tuple[str, str, str | None], list[Row]] = {}
    for call in calls:
        named = call["caller"] not in (None, UNKNOWN_SERVICE) and call["callee"] not in (
            None,
            UNKNOWN_SERVICE,
        )
        if call["kind"] == "call" and named and call["caller"] != call["callee"]:
            groups.setdefault((call["caller"], call["callee"], call["callee_env"]), []).append(call)
    sure, unsure = [], []
    for (caller, callee, environment), rows in groups.items():
        agreed = [row for row in rows if row["grade"] != "contradicted"]
        counted = agreed or rows
        grade = min((row["grade"] for row in counted), key=GRADES.index)
        identities = {row["peer_caller"] for row in counted} - {None}
        needed = Needed(
            caller,
            callee,
            environment,
            next((row["binding"] for row in counted if row["binding"]), None),
            tuple(sorted({row["method"] for row in counted if row["method"]})),
            sum(row["calls"] for row in counted),
            max(row["days"] for row in counted),
            grade,
            min((row["verdict"] for row in counted), key=("denied", "unknown", "allowed").index),
            identities.pop() if len(identities) == 1 else None,
        )
        if not agreed:
            unsure.append(LeftOut(needed, "two witnesses disagree on who called"))
        elif GRADES.index(grade) > GRADES.index(min_grade):
            unsure.append(LeftOut(needed, f"only {grade}; --min-grade {grade} takes it"))
        else:
            sure.append(needed)
    return sorted(sure, key=_pair), sorted(unsure, key=lambda left: _pair(left.needed))


def _pair(call: Needed) -> tuple[str, str, str]:
    return call.caller, call.callee, call.environment or ""


def suggested(
    texts: Mapping[str, str],
    manifests: Sequence[Manifest],
    needed: Sequence[Needed],
    used: Sequence[Needed] | None,
) -> tuple[list[Edited], list[LeftOut]]:
    """Each manifest edited, and read back; and the calls that none of them could take.

    What no call of `used` uses is taken out; None leaves it. Raises `Refusal` for a manifest that cannot be edited so
    that it grants just these calls.
    """
    edited: list[Edited] = []
    granted: list[Needed] = []
    for manifest in sorted(manifests, key=lambda one: one.platform == generic.NAME):
        if manifest.platform not in WRITERS:
            continue
        left = [call for call in needed if call not in granted]
        own = [call for call in needed if any(covers(grant, call) for grant in manifest.grants)]
        if manifest.platform == generic.NAME:
            wanted = list(dict.fromkeys([*own, *left]))
        else:
            # A binding leads to what the platform runs, which only its manifests tell.
            runs = {s.service for one in manifests if one.platform == manifest.platform for s in one.services}
            wanted = [call for call in needed if call in own or call.callee in runs]
        text = texts[manifest.file]
        gone = [] if used is None else unused(manifest, used)
        made = _made(manifest, text, wanted, gone)
        edited.append(Edited(manifest, text, made.text, made.edits))
        granted += own
        granted += [call for edit in made.edits if edit.needed for call in needed if _same(call, edit.needed)]
    known = {service.service for manifest in manifests for service in manifest.services}
    return edited, [LeftOut(call, _why_not(call, known)) for call in needed if call not in granted]


def for_istio(
    file: str,
    manifests: Sequence[Manifest],
    needed: Sequence[Needed],
    unsure: Sequence[LeftOut],
    calls: Sequence[Row],
) -> tuple[list[Edited], list[LeftOut]]:
    """AuthorizationPolicies for a new file, judged as they read back; and the calls that they could not take.

    Raises `Refusal` where they would not let through what they are for.
    """
    barred = {
        one.needed.callee: f"a policy would refuse {one.needed.caller}, left out as {one.why}"
        for one in unsure
    }
    barred |= {
        call[
            "callee"
        ]: f"the outside calls {call['callee']} too: a policy must also name the gateway's account"
        for call in calls
        if call["caller"] is None and call["kind"] == "call"
    }
    made = istio.policies(needed, [w for manifest in manifests for w in manifest.workloads], barred)
    manifest = kubernetes.read(Path(file), made.text)
    edits = [
        Edit("add", n.caller, n.callee, n.environment, principal, None, n) for n, principal in made.allowed
    ]
    # Names become namespaces and accounts by the workloads that were given; policies that stood before do not count.
    named = [replace(one, policies=(), grants=(), defaults=()) for one in manifests]
    probes = [
        {**call, "peer_caller": f"spiffe://{principal}", "protection": "mtls", "reason": None}
        for one, principal in made.allowed
        for call in calls
        if (call["caller"], call["callee"]) == (one.caller, one.callee) and call["method"]
    ]
    if any(judged.verdict != "allowed" for judged in rejudge(probes, [*named, manifest])):
        raise _cannot(manifest, "its policies would refuse calls that they are for")
    left = [LeftOut(call, why) for call, why in made.left_out]
    return [Edited(manifest, "", made.text, tuple(edits))], left


def _made(manifest: Manifest, text: str, needed: Sequence[Needed], gone: Sequence[Grant]) -> Suggestion:
    try:
        made = WRITERS[manifest.platform](manifest, text, needed, gone)
    except ValueError as error:
        raise _cannot(manifest, str(error)) from None
    pairs = [(grant.caller, grant.callee) for grant in manifest.grants]
    for edit in made.edits:
        pair = (edit.caller, edit.callee)
        if edit.change == "add":
            pairs.append(pair)
        else:
            pairs.remove(pair)
    # Trusted is only what reads back as it was meant.
    again = next(one for one in PLATFORMS if manifest.platform == one.NAME).read(
        Path(manifest.file), made.text
    )
    if sorted((grant.caller, grant.callee) for grant in again.grants) != sorted(pairs):
        raise _cannot(manifest, "its lists are written in a way that an edit does not keep")
    return made


def _cannot(manifest: Manifest, why: str) -> Refusal:
    return Refusal(
        f"{manifest.file} cannot be edited: {why}",
        fix="ask with -f json for the grants that are needed, and write them by hand",
    )


def _same(one: Needed, other: Needed) -> bool:
    return (one.caller, one.callee) == (other.caller, other.callee)


def _why_not(call: Needed, known: set[str]) -> str:
    for name in (call.caller, call.callee):
        if name not in known:
            return f"no manifest given here declares {name}"
    return "the manifests given here have no place for it"


def rows_of(edited: Iterable[Edited], left_out: Iterable[LeftOut]) -> list[Row]:
    """Every edit and what was left out, ready for JSON."""
    rows = [
        _row(edit.change, edit, one.manifest.file, edit.line, edit.needed, _why(edit))
        for one in edited
        for edit in one.edits
    ]
    return rows + [_row("left out", left.needed, None, None, left.needed, left.why) for left in left_out]


def _why(edit: Edit) -> str:
    if edit.needed is None:
        return "no call used it"
    return "undeclared until now: was it meant?" if edit.needed.verdict == "denied" else "it is called"


def _row(
    change: str, at: Edit | Needed, file: str | None, line: int | None, needed: Needed | None, why: str
) -> Row:
    values = (
        change, at.caller, at.callee, at.environment, at.binding, file, line, needed and needed.calls,
        needed and needed.days, needed and needed.grade, needed and needed.verdict, why,
    )  # fmt: skip
    return dict(zip(KEYS, values, strict=True))
