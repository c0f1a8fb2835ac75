"""Puts manifests together: the scope that some leave open, and names that lead from one file into another. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.manifest import Alias, Exposure, Grant, Manifest

OWN: Final = "bindtrace"
"""The platform of `bindtrace.toml`, whose scope is that of the files beside it."""

_SCOPED: Final = ("services", "grants", "exposures", "hosts", "defaults", "aliases")

T = TypeVar("T", Grant, Exposure)


def linked(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """The same manifests, scoped, with each grant and exposure at the service that it leads to in the end.

    Raises Refusal where a file without a scope may be of two.
    """
    given = scoped(manifests)
    names: dict[str, list[Alias]] = {}
    for manifest in given:
        for alias in manifest.aliases:
            names.setdefault(alias.name, []).append(alias)
    if not names:
        return given
    return tuple(
        replace(
            manifest,
            grants=tuple(_led(manifest.grants, "callee", names)),
            exposures=tuple(_led(manifest.exposures, "service", names)),
        )
        for manifest in given
    )


def scoped(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Gives the scope that one file names to those that name none: that of the bindtrace.toml, else of the platform.

    Raises Refusal where two are named.
    """
    given = tuple(manifests)
    own = {m.scope: m.file for m in given if m.scope and m.platform == OWN}
    if len(own) > 1 and any(not m.scope for m in given):
        raise Refusal(
            f"the scope is ambiguous: {' and '.join(f'{scope!r} in {file}' for scope, file in own.items())}",
            fix="give the manifests of one scope at a time.",
        )
    return tuple(m if m.scope else _in_scope(m, _scope_beside(m, given, own)) for m in given)


def _scope_beside(manifest: Manifest, given: Sequence[Manifest], own: Mapping[str, str]) -> str:
    """Of several, none: then it speaks of any scope."""
    others = {m.scope for m in given if m.scope and manifest.platform in (m.platform, OWN)}
    candidates = own or others
    return next(iter(candidates)) if len(candidates) == 1 else ""


def _in_scope(manifest: Manifest, scope: str) -> Manifest:
    if not scope:
        return manifest
    changed: dict[str, Any] = {
        part: tuple(replace(row, scope=scope) for row in getattr(manifest, part)) for part in _SCOPED
    }
    return replace(manifest, scope=scope, **changed)


def _led(rows: Sequence[T], field: str, names: Mapping[str, Sequence[Alias]]) -> Iterator[T]:
    for row in rows:
        targets = dict.fromkeys(
            alias.service
            for alias in names.get(getattr(row, field), ())
            if alias.platform == row.platform
            and (not alias.scope or not row.scope or alias.scope == row.scope)
        )
        changes: list[dict[str, Any]] = [{field: target} for target in targets]
        yield from (replace(row, **change) for change in changes) if changes else (row,)
