"""What differs between two sets of manifests: grants, exposures, services, policies, exceptions. Values in and out.

A line that only moved is no difference. Every difference says whether it lets more through than before.
"""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, Literal, NamedTuple

from bindtrace.propagation.manifest import Exposed, Manifest
from bindtrace.propagation.policies import Clause, Policy

Change = Literal["added", "removed", "changed"]
Effect = Literal["widens", "narrows", "neither"]


class Difference(NamedTuple):
    """One thing that is declared otherwise. `file` and `line` are where it stands, or stood if it was removed."""

    change: Change
    what: str
    effect: Effect
    scope: str
    environment: str | None
    caller: str | None
    callee: str | None
    before: str | None
    after: str | None
    file: str
    line: int


class _Kind(NamedTuple):
    """One part of a manifest: what makes two of its entries the same thing, and how they are told."""

    part: str
    what: str
    key: tuple[str, ...]
    sides: tuple[str | None, str | None]
    opens: Callable[[Any], int]
    """How much an entry lets through: 1 opens, -1 closes, 0 says nothing of it."""
    unit: Callable[[Mapping[str, Any], Any], str]


_KINDS: Final = (
    _Kind(
        "grants", "grant",
        ("platform", "scope", "environment", "caller", "callee", "callee_scope", "kind", "action", "entrypoint"),
        ("caller", "callee"),
        lambda g: -1 if g.action == "deny" else 1,
        lambda own, g: _grant(own, g),
    ),
    _Kind(
        "exposures", "exposure", ("platform", "scope", "environment", "service", "kind", "host", "source"),
        (None, "service"),
        lambda _: 1,
        lambda own, x: f"{x.kind} {x.host or ''}{x.source}",
    ),
    _Kind(
        "defaults", "default", ("platform", "scope", "service"), (None, "service"),
        lambda d: 1 if d.action == "allow" else -1,
        lambda own, d: f"{d.action} what no grant speaks of",
    ),
    _Kind(
        "policies", "policy", ("platform", "scope", "name", "action"), (None, None),
        # An allow policy opens for some and closes for the rest: the grants that it comes to say which.
        lambda p: {"deny": -1, "require": -1}.get(p.action, 0) if p.enforced else 0,
        lambda own, p: _policy(own, p),
    ),
    _Kind(
        "accepted", "exception", ("rule", "caller", "callee"), ("caller", "callee"),
        lambda _: 1,
        lambda own, a: f"{a.rule}: {a.reason}",
    ),
)  # fmt: skip
_PLACE: Final = frozenset({"file", "line"})


def differences(before: Sequence[Manifest], after: Sequence[Manifest]) -> tuple[Difference, ...]:
    """All that is declared otherwise in `after`, what lets more through first."""
    found = [*_services(before, after)]
    for kind in _KINDS:
        found += _of_kind(kind, before, after)
    order = ("widens", "neither", "narrows")
    return tuple(sorted(found, key=lambda d: (order.index(d.effect), d.what, d.file, d.line)))


def exposure_of(manifests: Iterable[Manifest]) -> dict[str, Exposed]:
    """Every declared service with what the manifests together make of it: public where any public way leads there."""
    said: dict[str, Exposed | None] = {}
    opened: set[str] = set()
    for manifest in manifests:
        opened |= {exposure.service for exposure in manifest.exposures}
        for service in manifest.services:
            said[service.service] = service.exposure or said.get(service.service)
    return {name: word or ("public" if name in opened else "internal") for name, word in said.items()}


def _of_kind(kind: _Kind, before: Sequence[Manifest], after: Sequence[Manifest]) -> Iterator[Difference]:
    old, new = (_by_key(kind, manifests) for manifests in (before, after))
    for key in {**old, **new}:
        gone, come = _without_equals(old.get(key, []), new.get(key, []))
        both = list(zip(gone, come, strict=False))
        for one, other in both:
            yield _difference(kind, "changed", one, other)
        for one in gone[len(both) :]:
            yield _difference(kind, "removed", one, None)
        for other in come[len(both) :]:
            yield _difference(kind, "added", None, other)


def _by_key(kind: _Kind, manifests: Sequence[Manifest]) -> dict[tuple[Any, ...], list[Any]]:
    found: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for manifest in manifests:
        for entry in getattr(manifest, kind.part):
            found[tuple(getattr(entry, name) for name in kind.key)].append(entry)
    return found


def _without_equals(old: list[Any], new: list[Any]) -> tuple[list[Any], list[Any]]:
    left = list(new)
    gone = []
    for entry in old:
        same = next((other for other in left if _content(other) == _content(entry)), None)
        if same is None:
            gone.append(entry)
        else:
            left.remove(same)
    return gone, left


def _content(entry: Any) -> dict[str, Any]:
    return {f.name: _unplaced(getattr(entry, f.name)) for f in fields(entry) if f.name not in _PLACE}


def _unplaced(value: Any) -> Any:
    return (
        [part.condition if isinstance(part, Clause) else part for part in value]
        if isinstance(value, tuple)
        else value
    )


def _policy(own: Mapping[str, Any], policy: Policy) -> str:
    """As `ledger (deny): method=PUT`; of a change what changed of it."""
    words = {
        "applies": f"to {policy.applies}",
        "clauses": "; ".join(str(clause.condition) for clause in policy.clauses) or "met by no call",
        "enforced": "judging" if policy.enforced else "judging nothing",
        "rank": f"rank {policy.rank}",
        "stage": f"stage {policy.stage}",
    }
    said = ", ".join(words[name] for name in words if name in (own or ("applies", "clauses")))
    return textwrap.shorten(f"{policy.name} ({policy.action}): {said}", 400, placeholder=" …")


def _difference(kind: _Kind, change: Change, old: Any, new: Any) -> Difference:
    entry = old if new is None else new
    caller, callee = (None if side is None else getattr(entry, side) for side in kind.sides)
    own: dict[str, Any] = {}
    if old is not None and new is not None:
        own = {name: value for name, value in _content(new).items() if value != _content(old)[name]}
    return Difference(
        change,
        kind.what,
        _effect(kind, old, new),
        getattr(entry, "scope", ""),
        getattr(entry, "environment", None),
        caller,
        callee,
        None if old is None else kind.unit(own, old),
        None if new is None else kind.unit(own, new),
        entry.file,
        entry.line,
    )


def _effect(kind: _Kind, old: Any, new: Any) -> Effect:
    if old is not None and new is not None:
        balance = kind.opens(new) - kind.opens(old) or kind.opens(new) * _wider(old, new)
    else:
        balance = kind.opens(new) if old is None else -kind.opens(old)
    return "neither" if balance == 0 else "widens" if balance > 0 else "narrows"


def _wider(old: Any, new: Any) -> int:
    """1 where `new` asks less of a call, -1 where it asks more, 0 where that cannot be said."""
    signs = set()
    for name in ("methods", "paths"):
        one, other = set(getattr(old, name, ())), set(getattr(new, name, ()))
        if one != other:
            freed, bound = one and (not other or one < other), other and (not one or other < one)
            signs.add(1 if freed else -1 if bound else 0)
    asked, asks = getattr(old, "protection", None), getattr(new, "protection", None)
    if asked != asks:
        signs.add(1 if asks is None else -1 if asked is None else 0)
    ended, ends = (getattr(entry, "until_unix_nano", 0) for entry in (old, new))
    if ended != ends:
        signs.add(1 if ends > ended else -1)
    return signs.pop() if len(signs) == 1 else 0


def _grant(own: Mapping[str, Any], grant: Any) -> str:
    """As `allow by LEDGER_URL, GET /v1/.*`: what it is, and of a change all that changed."""
    words = [grant.action]
    if grant.binding:
        words.append(f"by {grant.binding}")
    if grant.kind != "call":
        words.append(f"as {grant.kind}")
    if grant.methods:
        words.append("|".join(grant.methods))
    if grant.paths:
        words.append(", ".join(grant.paths))
    words += [f"{name}={getattr(grant, name)}" for name in ("protection",) if getattr(grant, name)]
    words += [f"{name}={getattr(grant, name)}" for name in ("road", "used_within_days") if name in own]
    return " ".join(words)


def _services(before: Sequence[Manifest], after: Sequence[Manifest]) -> Iterator[Difference]:
    old, new = exposure_of(before), exposure_of(after)
    places = {s.service: s for manifests in (before, after) for m in manifests for s in m.services}
    for name in {**old, **new}:
        one, other = old.get(name), new.get(name)
        if one == other:
            continue
        change: Change = "added" if one is None else "removed" if other is None else "changed"
        effect: Effect = "widens" if other == "public" else "narrows" if one == "public" else "neither"
        at = places[name]
        opened = [x for m in after for x in m.exposures if x.service == name] if other == "public" else []
        place = opened[0] if opened else at
        yield Difference(
            change, "service", effect, at.scope, None, None, name, one, other, place.file, place.line
        )
