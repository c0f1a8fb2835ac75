"""Readers of manifests, one module per platform. A new platform is one module and one entry of `PLATFORMS`.

A platform's module offers `NAME`; `NAMES`, the endings of file names that are its own; `READS`, what it reads in words;
`claims(path, text) -> bool`, whether a file with any other name is its own; and `read(path, text) -> Manifest`, which
never raises for content: what is wrong is in the manifest's problems.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.manifest import Manifest, Problem
from bindtrace.propagation.platforms import generic, vercel


class Platform(Protocol):
    """What `PLATFORMS` holds: modules of this shape."""

    @property
    def NAME(self) -> str: ...  # noqa: N802  # a module's constant

    @property
    def NAMES(self) -> tuple[str, ...]: ...  # noqa: N802  # a module's constant

    @property
    def READS(self) -> str: ...  # noqa: N802  # a module's constant

    def claims(self, path: Path, text: str) -> bool: ...

    def read(self, path: Path, text: str) -> Manifest: ...


PLATFORMS: Final[tuple[Platform, ...]] = (vercel, generic)
"""Asked in this order, by file name and then by content; the first that claims a file reads it."""

MAX_BYTES: Final = 16 * 1024 * 1024


def read_manifest(path: Path) -> Manifest:
    """What one file says, problems included. Raises Refusal where it cannot be read or no platform knows it."""
    text = _text_of(path)
    if (platform := _platform_of(path, text)) is None:
        known = ", ".join(platform.READS for platform in PLATFORMS)
        # Of programs (vercel.ts) only what they come to can be read.
        fix = f"name one of {known}; of a manifest that is a program, the JSON it comes to (.vercel/vercel.json)."
        raise Refusal(f"{path} is not a manifest that bindtrace knows", fix=fix)
    return platform.read(path, text)


def _platform_of(path: Path, text: str) -> Platform | None:
    by_name = (platform for platform in PLATFORMS if path.name.endswith(platform.NAMES))
    by_content = (platform for platform in PLATFORMS if platform.claims(path, text))
    return next(by_name, None) or next(by_content, None)


def read_manifests(paths: Iterable[Path]) -> tuple[Manifest, ...]:
    """All of them, scoped by the bindtrace.toml among them. Raises Refusal on the first fatal problem."""
    manifests = scoped(read_manifest(path) for path in paths)
    for problem in problems_of(manifests):
        if problem.fatal:
            raise Refusal(f"{problem.place}: {problem.message}", fix=problem.fix)
    return manifests


def problems_of(manifests: Iterable[Manifest]) -> tuple[Problem, ...]:
    """Every problem of these manifests, in the order of files and lines."""
    return tuple(
        problem for manifest in manifests for problem in sorted(manifest.problems, key=lambda p: p.line)
    )


def scoped(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Gives the scope that one file names to those that name none. Raises Refusal where files name two."""
    given = tuple(manifests)
    named = [manifest for manifest in given if manifest.scope]
    scopes = {manifest.scope: manifest.file for manifest in named}
    if len(scopes) > 1 and len(named) < len(given):
        raise Refusal(
            f"the scope is ambiguous: {' and '.join(f'{s!r} in {f}' for s, f in scopes.items())}",
            fix="give the manifests of one scope at a time.",
        )
    return tuple(m if m.scope or not scopes else _in_scope(m, next(iter(scopes))) for m in given)


def _in_scope(manifest: Manifest, scope: str) -> Manifest:
    parts = ("services", "grants", "exposures", "hosts", "defaults", "aliases")
    changed: dict[str, Any] = {
        part: tuple(replace(row, scope=scope) for row in getattr(manifest, part)) for part in parts
    }
    return replace(manifest, scope=scope, **changed)


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Refusal(f"{path} is over {MAX_BYTES:,} bytes", fix="name a manifest, not its data.")
        return path.read_bytes().decode("utf-8")
    except OSError as wrong:
        reason = wrong.strerror or type(wrong).__name__
        raise Refusal(f"{path} cannot be read: {reason}", fix="name a readable file.") from wrong
    except UnicodeDecodeError as wrong:
        raise Refusal(f"{path} is not UTF-8 text (byte {wrong.start})", fix="save it as UTF-8.") from wrong
