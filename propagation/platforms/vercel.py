"""Vercel's manifests: services, their bindings, and what rewrites and routes make public.

`vercel.json` and `vercel.toml` say what is intended, `deploy-manifest.json` and `.vercel/output/config.json` what was
built. Rules and codes follow vercel/vercel: packages/cli/src/util/validate-config.ts (schema: DEV_VALIDATE_CONFIG) and
packages/fs-detectors/src/services/resolve-v2.ts. A binding grants no public way, a rewrite no internal one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from bindtrace.propagation.manifest import (
    ANY,
    DeclaredService,
    Exposure,
    Grant,
    Manifest,
    Problem,
)
from bindtrace.propagation.platforms import paths, vercel_rules
from bindtrace.propagation.platforms.reading import Reading, read_document
from bindtrace.propagation.platforms.vercel_rules import SCHEMA, Model

NAME: Final = "vercel"
NAMES: Final = ("vercel.json", "vercel.toml", "deploy-manifest.json")
READS: Final = "vercel.json, vercel.toml, deploy-manifest.json"

_JSON = re.compile(
    r'"(services|experimentalServices(V2)?)"\s*:\s*\{|"rewrites"\s*:|"manifestVersion"\s*:'
    # .vercel/project.json, and the build output's config.json
    r'|"projectId"\s*:\s*"prj_'
    r'|\A\s*\{\s*"version"\s*:\s*3\b'
)
_TOML = re.compile(r"^\s*(\[\[(rewrites|routes)\]\]|\[\[?daemons\.)", re.MULTILINE)

_DEPLOYMENT = re.compile(r"\bdpl_[A-Za-z0-9]+")


def claims(path: Path, text: str) -> bool:
    """A file that speaks of services, rewrites or daemons as Vercel's do."""
    content = {".json": _JSON, ".toml": _TOML}.get(path.suffix)
    return content is not None and bool(content.search(text))


def read(path: Path, text: str) -> Manifest:
    """All that the file says, its problems included. Never raises for content."""
    return read_document(path, text, NAME, "toml" if path.suffix == ".toml" else "json", _Reading)


@dataclass(slots=True)
class _Reading(Reading):
    names: set[str] = field(default_factory=set)

    def extra(self) -> dict[str, Any]:
        # No manifest of Vercel's says which deployment it is of; a kept one is told by its name.
        found = _DEPLOYMENT.search(Path(self.file).name)
        return {"deployment": found[0] if found else None}

    def all(self) -> None:
        root = self.document.root
        if not isinstance(root, dict):
            self.wrong(root, SCHEMA, "the file must hold one JSON object", "put everything into { … }.")
            return
        if isinstance(project := root.get("projectId"), str):
            # What `vercel link` writes: the project that the files beside it are of.
            self.scope = project
        if root.get("version") == 3 and isinstance(root.get("services"), list):
            self.built(root["services"])
        else:
            self.declared(root)
        self.public(root.get("rewrites"), "source", paths.from_source)
        self.public(root.get("routes"), "src", paths.from_regex)
        self.related(root.get("relatedProjects"))

    def built(self, services: list[object]) -> None:
        """The build output's config.json lists services by name; their bindings are in the deploy manifest."""
        for service in services:
            if isinstance(service, dict) and isinstance(name := service.get("name"), str):
                self.declare(name, service)
                self.names.add(name)

    def declared(self, root: dict[str, Any]) -> None:
        deployed = "manifestVersion" in root
        known = (vercel_rules.DEPLOYED,) if deployed else vercel_rules.MODELS
        models = [model for model in known if root.get(model.key) is not None]
        for code, message, fix, fatal in () if deployed else vercel_rules.conflicts(root):
            self.wrong(root, code, message, fix, fatal=fatal)
        for model in models:
            self.model(model, root[model.key])
        self.names = {service.service for service in self.services}
        for model in models:
            self.bindings(model, self.items(root[model.key]))
        # Newer than the validator read: a daemon may bind services, and none may bind a daemon.
        daemons = vercel_rules.DAEMONS
        for name, config in self.items(root.get(daemons.key)):
            self.declare(name, config)
            self.bindings(daemons, iter([(name, config)]))

    def related(self, projects: object) -> None:
        """Other projects whose public hosts are handed to this one: reach by the public road, and no binding."""
        for nth, project in enumerate(projects) if isinstance(projects, list) else ():
            line = self.document.line_at(projects, nth)
            if isinstance(project, str) and project.startswith("prj_"):
                grant = Grant(NAME, "", None, ANY, ANY, "VERCEL_RELATED_PROJECTS", self.file, line)
                self.grants.append(replace(grant, road="public", callee_scope=project))
            else:
                message, fix = f"`relatedProjects` names {project!r}", 'name the project\'s id: "prj_…".'
                self.problems.append(Problem(self.file, line, SCHEMA, f"{message}.", fix, fatal=True))

    def wrong(self, at: object, code: str, message: str, fix: str, *, fatal: bool = True) -> None:
        """A problem at the line of an object."""
        self.problem(self.document.line_of(at), code, message, fix, fatal=fatal)

    def items(self, mapping: object) -> Iterator[tuple[str, dict[str, Any]]]:
        entries = mapping.items() if isinstance(mapping, dict) else ()
        return ((name, config) for name, config in entries if isinstance(config, dict))

    def declare(self, name: str, config: object) -> None:
        line = self.document.line_of(config)
        self.services.append(DeclaredService(NAME, "", name, None, self.file, line))

    def model(self, model: Model, mapping: object) -> None:
        if not isinstance(mapping, dict):
            fix = 'write it as { "name": { "root": "…" } }.'
            self.wrong(mapping, SCHEMA, f"`{model.key}` must be an object", fix)
            return
        if len(mapping) > vercel_rules.MAX_SERVICES:
            message = f"{len(mapping)} services are declared, a deployment has at most 100"
            self.wrong(mapping, "TOO_MANY_SERVICES", message, "split the project.")
        for name, config in mapping.items():
            at = config if isinstance(config, (dict, list)) else mapping
            for code, message, fix, fatal in vercel_rules.faults_of_service(model, name, config):
                self.wrong(at, code, message, fix, fatal=fatal)
            if isinstance(config, dict):
                self.declare(name, config)
                prefix = vercel_rules.mounted_at(config) if model.mounts else None
                if prefix is not None:
                    self.expose(name, prefix, paths.from_prefix, config)

    def bindings(self, model: Model, services: Iterator[tuple[str, dict[str, Any]]]) -> None:
        for caller, config in services:
            listed = config.get("bindings", [])
            if not isinstance(listed, list):
                self.wrong(config, SCHEMA, f'`bindings` of service "{caller}" must be an array', "use [ … ].")
                continue
            if len(listed) > vercel_rules.MAX_BINDINGS:
                message = f'service "{caller}" has {len(listed)} bindings, at most 100 are allowed'
                self.wrong(listed, SCHEMA, message, "remove those it does not use.")
            for binding in listed:
                self.binding(model, caller, binding, listed)

    def binding(self, model: Model, caller: str, binding: object, listed: list[object]) -> None:
        at = binding if isinstance(binding, (dict, list)) else listed
        faults = list(vercel_rules.faults_of_binding(model, caller, binding, self.names))
        for code, message, fix, fatal in faults:
            self.wrong(at, code, message, fix, fatal=fatal)
        if isinstance(binding, dict) and not any(fatal for *_, fatal in faults):
            line = self.document.line_of(binding)
            callee, variable = binding["service"], binding["env"]
            self.grants.append(Grant(NAME, "", None, caller, callee, variable, self.file, line))

    def public(self, entries: object, key: str, translate: Callable[[str], paths.PathPattern]) -> None:
        """Entries whose destination is a service; a string destination leads elsewhere."""
        for entry in entries if isinstance(entries, list) else ():
            destination = entry.get("destination") if isinstance(entry, dict) else None
            if not isinstance(destination, dict):
                continue
            source = entry.get(key, entry.get("source"))
            service = destination.get("service")
            if not isinstance(source, str) or not isinstance(service, str):
                fix = f'write {{ "{key}": "/path", "destination": {{ "service": "name" }} }}.'
                self.wrong(entry, SCHEMA, f"a `{key}` or a destination's `service` is missing", fix)
            elif service not in self.names:
                near = difflib.get_close_matches(service, self.names, n=1)
                fix = f'use "{near[0]}", or declare it.' if near else "declare it under `services`."
                message = f'the destination of "{source}" is the undeclared service "{service}"'
                self.wrong(entry, "UNKNOWN_SERVICE_DESTINATION", message, fix)
            else:
                self.expose(service, source, translate, entry)

    def expose(
        self, service: str, source: str, translate: Callable[[str], paths.PathPattern], at: object
    ) -> None:
        try:
            pattern = translate(source)
        except ValueError as wrong:
            self.wrong(at, SCHEMA, f'the path "{source}" is {wrong}', "repair the path.")
            return
        if pattern.widened:
            message = (
                f'the path "{source}" looks ahead or behind; it is read without that, so it matches more'
            )
            fix = "say the same by the order of the rewrites, if findings on these paths matter."
            self.wrong(at, "PATH_WIDENED", message, fix, fatal=False)
        line = self.document.line_of(at)
        self.exposures.append(Exposure(NAME, "", service, source, pattern.regex, self.file, line))
