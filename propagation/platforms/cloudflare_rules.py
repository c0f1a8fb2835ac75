"""What a wrangler configuration says of calls between Workers: its keys, and how routes match. No lines, no I/O.

Source: cloudflare/workers-sdk, packages/workers-utils/src/config/environment.ts and validation.ts.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from bindtrace.propagation.vocabulary import HopKind


class Edge(NamedTuple):
    """A list of a configuration whose entries lead from its Worker to another."""

    path: tuple[str, ...]
    callee: str
    """The key that names the other Worker, or the queue."""
    binding: str | None
    """The key of the binding's name; None: it has none, and is called as its list is."""
    keys: frozenset[str]
    own: bool = False
    """Without `callee` the entry means the Worker itself, and leads nowhere."""
    kind: HopKind = "call"
    traced: bool = True

    @property
    def name(self) -> str:
        return ".".join(self.path)


EDGES: Final = (
    Edge(
        ("services",),
        "service",
        "binding",
        frozenset(
            {"binding", "service", "entrypoint", "props", "environment", "remote", "cross_account_grant"}
        ),
    ),
    Edge(
        ("durable_objects", "bindings"),
        "script_name",
        "name",
        frozenset({"name", "class_name", "script_name", "environment"}),
        own=True,
    ),
    Edge(
        ("workflows",),
        "script_name",
        "binding",
        frozenset({"binding", "name", "class_name", "script_name", "remote", "limits", "schedules"}),
        own=True,
    ),
    Edge(
        ("queues", "producers"),
        "queue",
        "binding",
        frozenset({"binding", "queue", "delivery_delay", "remote"}),
        kind="message",
    ),
    # What a Worker's tail gets is no request of it, and no trace shows it.
    Edge(
        ("tail_consumers",),
        "service",
        None,
        frozenset({"service", "environment"}),
        kind="message",
        traced=False,
    ),
    Edge(
        ("streaming_tail_consumers",),
        "service",
        None,
        frozenset({"service"}),
        kind="message",
        traced=False,
    ),
)
"""None of these is inherited by a named environment."""

NOT_INHERITED: Final = (*dict.fromkeys(edge.path[0] for edge in EDGES), "dispatch_namespaces")

READ: Final = (
    "name", "account_id", "routes", "route", "workers_dev", "preview_urls", "env", "previews",
    "compatibility_flags", *NOT_INHERITED,
)  # fmt: skip
"""The keys that this reader knows the meaning of; a configuration has many more."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,254}")


class Fault(NamedTuple):
    code: str
    message: str
    fix: str
    fatal: bool


def is_worker_name(value: object) -> bool:
    """Letters, digits, `_` and `-`, as wrangler asks."""
    return isinstance(value, str) and bool(_NAME.fullmatch(value))


def faults_of_entry(edge: Edge, entry: object) -> Iterator[Fault]:
    """What is wrong with one entry of a list of bindings."""
    owner = f"an entry of `{edge.name}`"
    if not isinstance(entry, dict):
        yield Fault("INVALID_BINDING", f"{owner} is {entry!r}", f'write {{ "{edge.callee}": "…" }}.', True)
        return
    for key in sorted(entry.keys() - edge.keys):
        near = difflib.get_close_matches(key, edge.keys, n=1)
        fix = f"use `{near[0]}`." if near else f"remove it; known keys are {', '.join(sorted(edge.keys))}."
        yield Fault("UNKNOWN_KEY", f"{owner} has the unknown key `{key}`", fix, False)
    needed = (edge.binding, None if edge.own and edge.callee not in entry else edge.callee)
    for needed_key in needed:
        if needed_key and not is_worker_name(value := entry.get(needed_key)):
            what = "no" if needed_key not in entry else f"{value!r} as"
            yield Fault(
                "INVALID_BINDING", f"{owner} has {what} `{needed_key}`", f"name its {needed_key}.", True
            )
    if "environment" in entry:
        message = f"{owner} names an `environment`, which is deprecated"
        fix = f'name the Worker of that environment: "{edge.callee}": "NAME-ENVIRONMENT".'
        yield Fault("DEPRECATED_KEY", message, fix, False)


def misspelt(table: Mapping[str, Any]) -> Iterator[Fault]:
    """Keys that look like one that grants or exposes, and are none."""
    for key in table:
        near = [] if key in READ else difflib.get_close_matches(key, READ, n=1, cutoff=0.85)
        if near:
            message = f"`{key}` is no key of a wrangler configuration"
            yield Fault("UNKNOWN_KEY", message, f"use `{near[0]}`, if that is meant.", False)


class Route(NamedTuple):
    """`hosts` as in manifest.Host, None for any; `whole`: every path of them leads to the Worker."""

    hosts: tuple[str | None, ...]
    pattern: str
    whole: bool


def route_of(written: str, *, custom_domain: bool) -> Route | None:
    """A route's pattern; None where it is none.

    `*` stands for any text at the beginning of the host and at the end of the path
    (source: developers.cloudflare.com/workers/configuration/routing/routes, matching behavior).
    """
    text = re.sub(r"^(https?|\*)://", "", written.strip().lower() if custom_domain else written.strip())
    host, slash, path = text.partition("/")
    host = host.lower()
    bare = host.removeprefix("*").removeprefix(".")
    if host == "*" and not custom_domain:
        # Every host of the zone: those of its owner's customers.
        return Route((None,), _whole_path(path), path == "*")
    if not re.fullmatch(r"[\w-]+(\.[\w-]+)*(:[0-9]{1,5})?", bare) or (
        custom_domain and (slash or host != bare)
    ):
        return None
    # `*example.com` is the domain too, `*.example.com` only what is below it.
    itself = () if host.startswith("*.") else (bare,)
    below = () if host == bare else (f"*.{bare}",)
    if custom_domain:
        return Route((bare,), "^/.*$", True)
    return Route((*itself, *below), _whole_path(path), path == "*")


def _whole_path(path: str) -> str:
    return "^/" + ".*".join(re.escape(part) for part in path.split("*")) + "$"
