"""Puts manifests together: the scope that some leave open, and names that lead from one file into another. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.manifest import Alias, Grant, Host, Manifest, Problem, plain_name
from bindtrace.propagation.platforms import appmesh_tls
from bindtrace.propagation.platforms.mesh_grants import with_grants

OWN: Final = "bindtrace"
"""The platform of `bindtrace.toml`, whose scope is that of the files beside it."""

_SCOPED: Final = ("services", "grants", "exposures", "hosts", "defaults", "aliases")

CHECKS: Final[tuple[Callable[[Sequence[Manifest]], Iterator[Problem]], ...]] = (appmesh_tls.unvalidated,)
"""What a platform asks of all of its files together."""


def linked(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """The same manifests, scoped, with what they say at the services that it leads to in the end.

    A name that no file leads on from stays as it is. Raises Refusal where a file without a scope may be of two.
    """
    given = with_grants(scoped(manifests))
    names = _Names(alias for manifest in given for alias in manifest.aliases)
    if not names.any:
        return given
    led = tuple(_led(manifest, names) for manifest in given)
    found = [problem for check in CHECKS for problem in check(led)]
    return tuple(replace(m, problems=(*m.problems, *(p for p in found if p.file == m.file))) for m in led)


def scoped(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Gives a scope to the files that name none: that of their platform's others, else that of the bindtrace.toml.

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
    same = {m.scope for m in given if m.scope and m.platform == manifest.platform}
    others = {m.scope for m in given if m.scope and manifest.platform == OWN}
    candidates = same or set(own) or others
    return next(iter(candidates)) if len(candidates) == 1 else ""


def _in_scope(manifest: Manifest, scope: str) -> Manifest:
    if not scope:
        return manifest
    changed: dict[str, Any] = {
        part: tuple(row if row.scope else replace(row, scope=scope) for row in getattr(manifest, part))
        for part in _SCOPED
    }
    return replace(manifest, scope=scope, **changed)


class _Target(NamedTuple):
    service: str
    scope: str | None
    """None: that of who names it."""


class _Names:
    """Where the names of each platform lead, from one reference to the next."""

    def __init__(self, aliases: Iterable[Alias]) -> None:
        self._aliases: dict[tuple[str, str], list[Alias]] = {}
        for alias in aliases:
            self._aliases.setdefault((alias.platform, alias.name), []).append(alias)
        self.any = bool(self._aliases)

    def targets(self, platform: str, name: str, scope: str) -> list[_Target]:
        """The services in the end; of a name that leads nowhere, the name without its kind."""
        ends: dict[_Target, None] = {}
        waiting, seen = [name], {name}
        while waiting:
            here = waiting.pop(0)
            found = [
                alias
                for alias in self._aliases.get((platform, here), ())
                if not alias.scope or not scope or alias.scope == scope
            ]
            for alias in found:
                if plain_name(alias.service) == alias.service:
                    ends[_Target(alias.service, alias.service_scope)] = None
                elif alias.service not in seen:
                    seen.add(alias.service)
                    waiting.append(alias.service)
            if not found:
                ends[_Target(plain_name(here), None)] = None
        return list(ends) or [_Target(plain_name(name), None)]


def _led(manifest: Manifest, names: _Names) -> Manifest:
    return replace(
        manifest,
        grants=tuple(dict.fromkeys(led for grant in manifest.grants for led in _led_grant(grant, names))),
        exposures=tuple(
            replace(exposure, service=target.service)
            for exposure in manifest.exposures
            for target in names.targets(exposure.platform, exposure.service, exposure.scope)
        ),
        hosts=tuple(led for host in manifest.hosts if (led := _led_host(host, names)) is not None),
    )


def _led_grant(grant: Grant, names: _Names) -> Iterator[Grant]:
    callers = (
        [_Target(grant.caller, None)]
        if plain_name(grant.caller) == grant.caller
        # A caller that is nowhere among the files calls nobody that they could name.
        else [t for t in names.targets(grant.platform, grant.caller, grant.scope) if t.service]
    )
    for caller in callers:
        for target in names.targets(grant.platform, grant.callee, grant.callee_scope or grant.scope):
            elsewhere = target.scope if target.scope not in (None, grant.scope) else grant.callee_scope
            yield replace(grant, caller=caller.service, callee=target.service, callee_scope=elsewhere)


def _led_host(host: Host, names: _Names) -> Host | None:
    """A name that leads to several services names none of them."""
    if host.service is None or plain_name(host.service) == host.service:
        return host
    targets = names.targets(host.platform, host.service, host.scope)
    return replace(host, service=targets[0].service) if len(targets) == 1 else None
