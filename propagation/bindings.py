"""Which URLs of this process are bindings: variables that hold a URL, and the callee behind. Reads no network.

`BINDTRACE_BINDINGS` says it exactly: a comma list of `VARIABLE=callee` or `VARIABLE`. Without it, every
variable that ends in `_URL` and holds an absolute http(s) URL is taken, as platforms inject them that way.
Credentials in such a URL are never kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from bindtrace.propagation import environment

BINDINGS_VARIABLE: Final = "BINDTRACE_BINDINGS"
_PORTS: Final = {"http": 80, "https": 443}
# The first four are of platforms and tools; the others are shipped to browsers, so they hold public addresses.
NEVER_BINDINGS: Final = (
    "BINDTRACE_",
    "OTEL_",
    "VERCEL_",
    "GITHUB_",
    "NEXT_PUBLIC_",
    "NUXT_PUBLIC_",
    "PUBLIC_",
    "REACT_APP_",
    "VITE_",
)


class _Address(NamedTuple):
    """Where a URL leads: scheme, host and port as compared, and its path without a final slash."""

    origin: tuple[str, str, int]
    path: str


class Resolved(NamedTuple):
    """A URL goes by this binding: the variable's name, and the callee where it is known."""

    binding: str
    callee: str | None


@dataclass(frozen=True, slots=True)
class BindingTable:
    """The binding variables of one process, longest path first."""

    rows: tuple[tuple[_Address, Resolved], ...]

    def resolve(self, url: str) -> Resolved | None:
        """The binding that `url` starts with, on a path segment's boundary; the longest wins."""
        wanted = _address(url)
        if wanted is None:
            return None
        for address, resolved in self.rows:
            if address.origin == wanted.origin and f"{wanted.path}/".startswith(f"{address.path}/"):
                return resolved
        return None


def table_of(variables: Mapping[str, str]) -> BindingTable:
    """The binding table that these environment variables make."""
    rows = [
        (address, Resolved(name, callee))
        for name, callee in _named(variables).items()
        if (address := _address(variables.get(name, ""))) is not None
    ]
    # Of two variables with one URL, the one that says its callee, else the first by name, is taken.
    rows.sort(key=lambda row: (-len(row[0].path), row[1].callee is None, row[1].binding))
    return BindingTable(tuple(rows))


@cache
def own_bindings() -> BindingTable:
    """This process's table, computed once; `refresh()` forgets it."""
    return table_of(environment.snapshot())


def refresh() -> None:
    """Reads the environment again at the next call of `own_bindings`."""
    own_bindings.cache_clear()


def resolve(url: str) -> Resolved | None:
    """(binding name, callee or None) of a URL by this process's own table; None where no binding leads there."""
    return own_bindings().resolve(url)


def _named(variables: Mapping[str, str]) -> dict[str, str | None]:
    """Binding variable -> callee."""
    listed = variables.get(BINDINGS_VARIABLE, "").strip()
    if listed:
        pairs = (entry.partition("=") for entry in listed.split(","))
        return {name.strip(): callee.strip() or None for name, _, callee in pairs if name.strip()}
    return {name: None for name in variables if name.endswith("_URL") and not name.startswith(NEVER_BINDINGS)}


def _address(url: str) -> _Address | None:
    """None for anything but an absolute http(s) URL."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return _Address((parts.scheme, parts.hostname, port or _PORTS[parts.scheme]), parts.path.rstrip("/"))
