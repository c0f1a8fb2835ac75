"""Cloudflare's manifest (`wrangler.toml`, `.json`, `.jsonc`): Workers, their bindings, and what is open to the outside.

Each named environment is a Worker of its own, `NAME-ENVIRONMENT`, which inherits routes and switches but no binding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from bindtrace.propagation.manifest import (
    ANY,
    Alias,
    DeclaredService,
    Exposure,
    ExposureKind,
    Grant,
    Host,
    Manifest,
)
from bindtrace.propagation.platforms import cloudflare_rules
from bindtrace.propagation.platforms.cloudflare_rules import Edge
from bindtrace.propagation.platforms.reading import Reading, read_document

NAME: Final = "cloudflare"
NAMES: Final = ("wrangler.toml", "wrangler.json", "wrangler.jsonc")
READS: Final = "wrangler.toml, wrangler.json, wrangler.jsonc"

_CONTENT = re.compile(r'^\s*compatibility_date\s*=|"compatibility_date"\s*:', re.MULTILINE)
_PUBLIC_FETCH: Final = "global_fetch_strictly_public"


def claims(path: Path, text: str) -> bool:
    """A TOML or JSON file with a compatibility date, which every Worker has."""
    return path.suffix in (".toml", ".json", ".jsonc") and bool(_CONTENT.search(text))


def read(path: Path, text: str) -> Manifest:
    """All that the file says, its problems included. Never raises for content."""
    return read_document(path, text, NAME, "toml" if path.suffix == ".toml" else "jsonc", _Reading)


class _Worker(NamedTuple):
    """A Worker, and the tables that speak of it: its own first, then that which it inherits from."""

    name: str
    environment: str | None
    own: dict[str, Any]
    inherited: dict[str, Any]
    named: bool
    """Its environment is part of its name, so that no grant need say it."""

    def source(self, key: str) -> dict[str, Any]:
        """The table that decides an inherited key."""
        return self.own if self.own.get(key) is not None else self.inherited


@dataclass(slots=True)
class _Reading(Reading):
    def all(self) -> None:
        root = self.document.root
        if not isinstance(root, dict):
            self.problem(1, "INVALID_CONFIG", "the file must hold one object", "put everything into { … }.")
            return
        if not cloudflare_rules.is_worker_name(name := root.get("name")):
            what = "it has no `name`" if name is None else f"its `name` is {name!r}"
            fix = 'add the name that it is deployed by: name = "…"; letters, digits, - and _.'
            self.problem(self.document.line_at(root, "name"), "INVALID_NAME", what, fix)
            return
        self.scope = root["account_id"] if isinstance(root.get("account_id"), str) else ""
        for worker in self.workers(str(name), root):
            self.worker(worker)

    def workers(self, name: str, root: dict[str, Any]) -> Iterator[_Worker]:
        yield _Worker(name, None, root, root, True)
        environments = root.get("env")
        for environment, table in environments.items() if isinstance(environments, dict) else ():
            line = self.document.line_at(environments, environment)
            if not isinstance(table, dict):
                fix = f"write [env.{environment}] and its keys."
                self.problem(line, "INVALID_ENVIRONMENT", f"`env.{environment}` is {table!r}", fix)
                continue
            # Deprecated service environments share one Worker.
            named = root.get("legacy_env", True) is not False
            full = table.get("name", f"{name}-{environment}" if named else name)
            if cloudflare_rules.is_worker_name(full):
                yield _Worker(full, environment, table, root, named)
            else:
                message = f"`env.{environment}.name` is {full!r}"
                self.problem(line, "INVALID_NAME", message, "name a Worker: letters, digits, - and _.")
        previews = root.get("previews")
        if isinstance(previews, dict):
            yield _Worker(name, "preview", previews, {}, False)

    def worker(self, worker: _Worker) -> None:
        for code, message, fix, fatal in cloudflare_rules.misspelt(worker.own):
            key = message.split("`")[1]
            self.problem(self.document.line_at(worker.own, key), code, message, fix, fatal=fatal)
        line = self.document.line_of(worker.own)
        if worker.environment != "preview" or worker.inherited:
            at = self.document.line_at(worker.own, "name") if worker.environment is None else line
            self.services.append(
                DeclaredService(NAME, self.scope, worker.name, None, self.file, at, worker.environment)
            )
            self.exposed(worker)
        if worker.environment is not None and worker.inherited:
            self.not_inherited(worker, line)
        for edge in cloudflare_rules.EDGES:
            self.edges(worker, edge)
        self.consumers(worker)
        self.namespaces(worker)

    def not_inherited(self, worker: _Worker, line: int) -> None:
        missing = [
            f"`{key}`"
            for key in cloudflare_rules.NOT_INHERITED
            if worker.inherited.get(key) and key not in worker.own
        ]
        if missing:
            message = f"{worker.name} has no {', '.join(missing)}: environments do not inherit them"
            fix = f"repeat under env.{worker.environment} what it is to have, or leave it empty there: `[]`."
            self.problem(line, "NOT_INHERITED", message, fix, fatal=False)

    def listed(self, table: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[int, Any]]:
        """Line and entry of a list, at a path of keys."""
        below: Any = table
        for key in path:
            below = below.get(key) if isinstance(below, dict) else None
        if below is not None and not isinstance(below, list):
            line = self.document.line_at(table, path[0])
            self.problem(line, "INVALID_BINDING", f"`{'.'.join(path)}` is not a list", "write [ { … } ].")
        for nth, entry in enumerate(below if isinstance(below, list) else ()):
            yield self.document.line_at(below, nth), entry

    def edges(self, worker: _Worker, edge: Edge) -> None:
        for line, entry in self.listed(worker.own, edge.path):
            faults = list(cloudflare_rules.faults_of_entry(edge, entry))
            for code, message, fix, fatal in faults:
                self.problem(line, code, message, fix, fatal=fatal)
            if any(fault.fatal for fault in faults) or (edge.own and edge.callee not in entry):
                continue
            entrypoint = entry.get("entrypoint")
            self.grants.append(
                Grant(
                    NAME,
                    self.scope,
                    # The entry's own `environment` says "production" in most files, where it means the Worker.
                    None if worker.named else worker.environment,
                    worker.name,
                    entry[edge.callee],
                    entry[edge.binding] if edge.binding else edge.name,
                    self.file,
                    line,
                    kind=edge.kind,
                    entrypoint=entrypoint if isinstance(entrypoint, str) else None,
                    traced=edge.traced,
                )
            )

    def consumers(self, worker: _Worker) -> None:
        for line, entry in self.listed(worker.own, ("queues", "consumers")):
            if isinstance(entry, dict) and isinstance(queue := entry.get("queue"), str):
                self.aliases.append(Alias(NAME, self.scope, queue, worker.name, self.file, line))
            else:
                message = "an entry of `queues.consumers` names no queue"
                self.problem(line, "INVALID_BINDING", message, 'write { "queue": "…" }.')

    def namespaces(self, worker: _Worker) -> None:
        """A namespace holds Workers of others' making; whichever of them is called."""
        for line, entry in self.listed(worker.own, ("dispatch_namespaces",)):
            if isinstance(entry, dict) and isinstance(namespace := entry.get("namespace"), str):
                binding = entry.get("binding")
                named = binding if isinstance(binding, str) else None
                at = (NAME, self.scope, None, worker.name, ANY, named, self.file, line)
                self.grants.append(Grant(*at, callee_scope=namespace))
            else:
                message = "an entry of `dispatch_namespaces` names no namespace"
                self.problem(line, "INVALID_BINDING", message, 'write { "binding": "…", "namespace": "…" }.')

    def exposed(self, worker: _Worker) -> None:
        routes = list(self.routes(worker))
        for line, route in routes:
            self.route(worker, line, route)
        source = worker.source("workers_dev")
        # Of what is not said, a Worker without routes has its workers.dev address (deploy: getSubdomainValues).
        if source.get("workers_dev", not routes) is True:
            line = self.document.line_at(source, "workers_dev" if "workers_dev" in source else "name")
            host = f"{worker.name}.*.workers.dev".lower()
            self.expose(worker, line, host, "default-domain")
            self.hosts.append(self.host(worker, host, worker.name, line))
        source = worker.source("preview_urls")
        if source.get("preview_urls") is True:
            line = self.document.line_at(source, "preview_urls")
            self.expose(worker, line, f"*-{worker.name}.*.workers.dev".lower(), "preview")
        flags = worker.source("compatibility_flags").get("compatibility_flags")
        if routes and not (isinstance(flags, list) and _PUBLIC_FETCH in flags):
            message = f"without `{_PUBLIC_FETCH}`, fetch() of {worker.name} to a host of its own zone goes past Workers"
            fix = f'add "{_PUBLIC_FETCH}" to compatibility_flags; then such a call enters as any other does.'
            self.problem(routes[0][0], "FETCH_PAST_WORKERS", message, fix, fatal=False)

    def routes(self, worker: _Worker) -> Iterator[tuple[int, Any]]:
        source = worker.source("routes")
        if source.get("routes") is not None:
            yield from self.listed(source, ("routes",))
        elif (one := (source := worker.source("route")).get("route")) is not None:
            yield self.document.line_at(source, "route"), one

    def route(self, worker: _Worker, line: int, written: Any) -> None:
        pattern = written.get("pattern") if isinstance(written, dict) else written
        custom = isinstance(written, dict) and written.get("custom_domain") is True
        route = cloudflare_rules.route_of(pattern, custom_domain=custom) if isinstance(pattern, str) else None
        if route is None:
            fix = 'write "example.com/*", or { "pattern": "shop.example.com", "custom_domain": true }.'
            self.problem(line, "INVALID_ROUTE", f"the route {pattern!r} is no host with a path", fix)
            return
        for host in route.hosts:
            kind: ExposureKind = "domain" if custom else "route"
            self.expose(worker, line, host, kind, str(pattern), route.pattern)
            # A part of a host leads here, the rest elsewhere: the host alone names nobody. And of several
            # environments that inherit one host, it is that of none but the first.
            if host is None:
                continue
            if worker.environment is None or worker.source("routes") is worker.own or "route" in worker.own:
                self.hosts.append(self.host(worker, host, worker.name if route.whole else None, line))

    def expose(
        self,
        worker: _Worker,
        line: int,
        host: str | None,
        kind: ExposureKind,
        source: str | None = None,
        pattern: str = "^/.*$",
    ) -> None:
        at = (NAME, self.scope, worker.name, source or host or "*", pattern, self.file, line)
        self.exposures.append(Exposure(*at, kind=kind, host=host, environment=worker.environment))

    def host(self, worker: _Worker, host: str, service: str | None, line: int) -> Host:
        return Host(host, service, "public", NAME, self.scope, worker.environment, self.file, line)
