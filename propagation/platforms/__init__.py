"""Readers of manifests, one module per platform. A new platform is one module and one entry of `PLATFORMS`.

A platform's module offers `NAME`; `NAMES`, the endings of file names that are its own; `READS`, what it reads in words;
`claims(path, text) -> bool`, whether a file with any other name is its own; and `read(path, text) -> Manifest`, which
never raises for content: what is wrong is in the manifest's problems.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Protocol

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.manifest import Manifest, Problem
from bindtrace.propagation.platforms import (
    appmesh,
    cloudflare,
    cloudflare_deployed,
    envoy,
    generic,
    kubernetes,
    vercel,
)
from bindtrace.propagation.platforms.linking import linked
from bindtrace.propagation.platforms.parsing import is_template


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


PLATFORMS: Final[tuple[Platform, ...]] = (
    cloudflare,
    cloudflare_deployed,
    vercel,
    kubernetes,
    appmesh,
    envoy,
    generic,
)
"""Asked in this order, by file name and then by content; the first that claims a file reads it."""

MAX_BYTES: Final = 16 * 1024 * 1024


STDIN: Final = Path("-")
_SUFFIXES: Final = (".yaml", ".yml", ".json", ".jsonc", ".toml")
_NOT_SEARCHED: Final = ("node_modules", "site-packages", "vendor")


def files_of(paths: Iterable[Path]) -> Iterator[Path]:
    """The files themselves, and of each folder those in and below it that a platform knows.

    Hidden folders, those of other people's packages, Helm's templates and links that lead out of the folder are left
    out. Raises Refusal for a folder that holds none.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = [file for file in _searched(path) if _is_manifest(file)]
        if not found:
            raise Refusal(
                f"{path} holds no manifest that bindtrace knows", fix="name the file, or its folder."
            )
        yield from found


def read_manifest(path: Path) -> Manifest:
    """What one file, or with `-` standard input, says, problems included.

    Raises Refusal where it cannot be read or no platform knows it.
    """
    text = _text_of(path)
    if path == STDIN:
        path = _as_file(text)
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
    """All of them, with those of folders, linked to each other. Raises Refusal on the first fatal problem."""
    manifests = linked(read_manifest(path) for path in files_of(paths))
    for problem in problems_of(manifests):
        if problem.fatal:
            raise Refusal(f"{problem.place}: {problem.message}", fix=problem.fix)
    return manifests


def problems_of(manifests: Iterable[Manifest]) -> tuple[Problem, ...]:
    """Every problem of these manifests, in the order of files and lines."""
    return tuple(
        problem for manifest in manifests for problem in sorted(manifest.problems, key=lambda p: p.line)
    )


def _searched(folder: Path) -> Iterator[Path]:
    inside = folder.resolve()
    for place, below, files in os.walk(folder):
        below[:] = sorted(name for name in below if name[0] != "." and name not in _NOT_SEARCHED)
        named = (Path(place, name) for name in sorted(files) if name.endswith(_SUFFIXES))
        # a link may lead to other people's files, a pipe or a device to no end
        yield from (file for file in named if file.is_file() and file.resolve().is_relative_to(inside))


def _is_manifest(file: Path) -> bool:
    try:
        text = _text_of(file)
        # A chart's template is no manifest before it is rendered.
        return not is_template(file, text) and _platform_of(file, text) is not None
    except Refusal:
        return False


def _as_file(text: str) -> Path:
    """A name for what came without one, by whose ending its form is known."""
    names = (Path(f"stdin{suffix}") for suffix in _SUFFIXES)
    return next((name for name in names if _platform_of(name, text) is not None), STDIN)


def _text_of(path: Path) -> str:
    try:
        if path == STDIN:
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise Refusal(f"{path} is over {MAX_BYTES:,} bytes", fix="name a manifest, not its data.")
        return content.decode("utf-8")
    except OSError as wrong:
        reason = wrong.strerror or type(wrong).__name__
        raise Refusal(f"{path} cannot be read: {reason}", fix="name a readable file.") from wrong
    except UnicodeDecodeError as wrong:
        raise Refusal(f"{path} is not UTF-8 text (byte {wrong.start})", fix="save it as UTF-8.") from wrong
