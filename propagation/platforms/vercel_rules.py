"""What Vercel's validator asks of services and bindings, with its codes. Values in, faults out; no lines, no I/O."""

from __future__ import annotations

import difflib
import json
import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

SCHEMA: Final = "DEV_VALIDATE_CONFIG"
"""The code of everything that Vercel's JSON schema refuses (build-utils, get-pretty-error.ts)."""

MAX_SERVICES: Final = 100
MAX_BINDINGS: Final = 100


class Fault(NamedTuple):
    """`fatal`: Vercel would not deploy this, or we would judge by less than the file means to say."""

    code: str
    message: str
    fix: str
    fatal: bool = True


class Model(NamedTuple):
    """One of the keys under which services were declared over time."""

    key: str
    code: str
    name: re.Pattern[str]
    keys: frozenset[str]
    root: bool
    mounts: bool


_NAME = re.compile(r"[a-z]([a-z_-]*[a-z])?")
_OLD_NAME = re.compile(r"[a-zA-Z]([a-zA-Z0-9_-]*[a-zA-Z0-9])?")
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
_MAX_NAME: Final = 64

_SERVICE_KEYS: Final = frozenset(
    {
        "root",
        "framework",
        "runtime",
        "entrypoint",
        "command",
        "installCommand",
        "buildCommand",
        "devCommand",
        "ignoreCommand",
        "outputDirectory",
        "bindings",
        "functions",
        "headers",
        "redirects",
        "rewrites",
        "routes",
        "cleanUrls",
        "trailingSlash",
    }
)
_BINDING_KEYS: Final = frozenset({"type", "service", "format", "env"})

MODELS: Final = (
    Model("services", "SERVICES", _NAME, _SERVICE_KEYS, True, False),
    Model("experimentalServicesV2", "EXPERIMENTAL_SERVICES_V2", _NAME, _SERVICE_KEYS, True, False),
    Model("experimentalServices", "EXPERIMENTAL_SERVICES", _OLD_NAME, frozenset(), False, True),
)
DEPLOYED: Final = Model("services", "SERVICES", _NAME, frozenset({"builds", "bindings"}), False, False)
"""As the deploy manifest has them (packages/build-utils/src/deploy-manifest.ts)."""
DAEMONS: Final = Model("daemons", "DAEMONS", _NAME, frozenset(), False, False)

_BUILD_SETTINGS: Final = (
    "functions",
    "installCommand",
    "buildCommand",
    "devCommand",
    "ignoreCommand",
    "outputDirectory",
    "framework",
)
_EXCLUSIONS: Final = (
    ("services", "experimentalServicesV2", "SERVICES_AND_EXPERIMENTAL_SERVICES_V2"),
    ("services", "experimentalServices", "SERVICES_AND_EXPERIMENTAL_SERVICES"),
    (
        "experimentalServicesV2",
        "experimentalServices",
        "EXPERIMENTAL_SERVICES_V2_AND_EXPERIMENTAL_SERVICES",
    ),
    ("services", "builds", "SERVICES_AND_BUILDS"),
    ("experimentalServicesV2", "builds", "EXPERIMENTAL_SERVICES_V2_AND_BUILDS"),
    ("experimentalServices", "builds", "EXPERIMENTAL_SERVICES_AND_BUILDS"),
    ("experimentalServices", "functions", "EXPERIMENTAL_SERVICES_AND_FUNCTIONS"),
    *(("services", key, "SERVICES_AND_TOP_LEVEL_BUILD_SETTINGS") for key in _BUILD_SETTINGS),
    *(
        ("experimentalServicesV2", key, "EXPERIMENTAL_SERVICES_V2_AND_TOP_LEVEL_BUILD_SETTINGS")
        for key in _BUILD_SETTINGS
    ),
)
_OLD_MODELS: Final = {
    "experimentalServicesV2": Fault(
        "DEPRECATED_KEY",
        "`experimentalServicesV2` is the deprecated name of `services`",
        "rename the key to `services`.",
        fatal=False,
    ),
    "experimentalServices": Fault(
        "OLDER_MODEL",
        "`experimentalServices` is an older model without bindings: its services call each other by public"
        " addresses, and nothing is granted",
        "move to `services` and declare a binding for each call.",
        fatal=False,
    ),
}


def conflicts(root: Mapping[str, Any]) -> Iterator[Fault]:
    """Top-level keys that exclude each other, and deprecated ones."""
    present = {key for key, value in root.items() if value is not None}
    for one, other, code in _EXCLUSIONS:
        if one in present and other in present:
            message = f"`{other}` cannot be used together with `{one}`"
            yield Fault(code, message, f"remove one, or move `{other}` under the service that it is for.")
    yield from (fault for key, fault in _OLD_MODELS.items() if key in present)


def faults_of_service(model: Model, name: str, config: object) -> Iterator[Fault]:
    """All but the bindings of one entry of `services`."""
    if not _is_name(model, name):
        yield Fault("INVALID_SERVICE_NAME", _name_message(model, name), f'rename the service "{name}".')
    if not isinstance(config, dict):
        yield Fault("INVALID_SERVICE_CONFIG", f'service "{name}" must be an object', 'write { "root": "…" }.')
        return
    for key in sorted(config.keys() - model.keys) if model.keys else ():
        # Not fatal: the validator grows keys, and none of these changes who may call whom.
        yield _unknown_key(f'service "{name}"', key, model.keys, fatal=False)
    yield from _faults_of_root(name, config.get("root")) if model.root else ()


def faults_of_binding(
    model: Model, caller: str, binding: object, services: Collection[str]
) -> Iterator[Fault]:
    """One element of `bindings`. The first fault of a field is enough."""
    owner = f'a binding of service "{caller}"'
    if not isinstance(binding, dict):
        fix = 'write { "type": "service", "service": "…", "format": "url", "env": "…" }.'
        yield Fault(SCHEMA, f"{owner} must be an object", fix)
        return
    for key in sorted(binding.keys() - _BINDING_KEYS):
        yield _unknown_key(owner, key, _BINDING_KEYS, fatal=True)
    if binding.get("type", "service") != "service":
        yield Fault(SCHEMA, f"{owner} has {_told(binding, 'type')}", 'the only type is "service".')
    if binding.get("format") != "url":
        yield Fault(SCHEMA, f"{owner} has {_told(binding, 'format')}", 'the only format is "url".')
    variable = binding.get("env")
    if not isinstance(variable, str) or not _ENV.fullmatch(variable):
        fix = "name one environment variable: letters, digits and _, not starting with a digit."
        yield Fault(SCHEMA, f"{owner} has {_told(binding, 'env')}", fix)
    callee = binding.get("service")
    if not isinstance(callee, str) or not callee:
        yield Fault(SCHEMA, f"{owner} names no service", "name the service that it leads to.")
    elif not _is_name(model, callee):
        message = f'service "{caller}" declares a binding to "{callee}": {_name_message(model, callee)}'
        yield Fault("INVALID_SERVICE_BINDING_NAME", message, "name a declared service.")
    elif callee not in services:
        near = difflib.get_close_matches(callee, services, n=1)
        code = "UNKNOWN_SERVICE_BINDING" if model is DAEMONS else f"{model.code}_BINDING_UNKNOWN_SERVICE"
        message = f'service "{caller}" declares a binding to unknown service "{callee}"'
        hint = f'did you mean "{near[0]}"? else ' if near else ""
        yield Fault(code, message, f'{hint}add "{callee}" to `services`, or remove the binding.')


def mounted_at(config: Mapping[str, Any]) -> str | None:
    """The public path of a service of the older model: `routePrefix`, or `mount` as text or with a `path`."""
    mount = config.get("mount")
    path = config.get("routePrefix", mount.get("path") if isinstance(mount, dict) else mount)
    return "/" + path.strip("/") if isinstance(path, str) else None


def _faults_of_root(name: str, root: object) -> Iterator[Fault]:
    if not isinstance(root, str) or not root:
        yield Fault("MISSING_ROOT", f'service "{name}" must specify a "root"', 'add "root": "folder/".')
        return
    normal = posixpath.normpath(root)
    if normal.startswith(("/", "../")) or normal == "..":
        fix = "name a folder inside the project, relative to its root."
        yield Fault("INVALID_ROOT", f'service "{name}" has invalid "root" "{root}"', fix)


def _is_name(model: Model, name: str) -> bool:
    return len(name) <= _MAX_NAME and bool(model.name.fullmatch(name))


def _name_message(model: Model, name: str) -> str:
    letters = "letters and digits" if model.name is _OLD_NAME else "lower-case letters (no digits)"
    return f'"{name}" is not a service name: 1-{_MAX_NAME} {letters}, with - and _ inside'


def _told(config: Mapping[str, Any], key: str) -> str:
    """What is said of a key: null is said, and is not the same as nothing. A date of TOML has no JSON."""
    return f"{key} {json.dumps(config[key], default=str)}" if key in config else f"no `{key}`"


def _unknown_key(owner: str, key: str, known: Collection[str], *, fatal: bool) -> Fault:
    near = difflib.get_close_matches(key, known, n=1)
    fix = f"use `{near[0]}`." if near else f"remove it; known keys are {', '.join(sorted(known))}."
    return Fault(SCHEMA, f"{owner} has the unknown key `{key}`", fix, fatal)
