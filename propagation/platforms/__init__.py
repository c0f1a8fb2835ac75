"""Readers of manifests, one module per platform. A new platform is one module and one entry of `PLATFORMS`.

A platform's module offers `NAME`; `NAMES`, the endings of file names that are its own; `READS`, what it reads in words;
`claims(path, text) -> bool`, whether a file with any other name is its own; and `read(path, text) -> Manifest`, which
never raises for content: what is wrong is in the manifest's problems.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.manifest import Manifest, Problem
from bindtrace.propagation.platforms import cloudflare, generic, vercel
from bindtrace.propagation.platforms.linking import linked


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


PLATFORMS: Final[tuple[Platform, ...]] = (cloudflare, vercel, generic)
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
    """All of them, linked to each other. Raises Refusal on the first fatal problem."""
    manifests = linked(read_manifest(path) for path in paths)
    for problem in problems_of(manifests):
        if problem.fatal:
            raise Refusal(f"{problem.place}: {problem.message}", fix=problem.fix)
    return manifests


def problems_of(manifests: Iterable[Manifest]) -> tuple[Problem, ...]:
    """Every problem of these manifests, in the order of files and lines."""
    return tuple(
        problem for manifest in manifests for problem in sorted(manifest.problems, key=lambda p: p.line)
    )


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
