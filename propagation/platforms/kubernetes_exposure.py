"""What a cluster opens to the outside: Ingress, Istio's VirtualService at a Gateway, the Gateway API's HTTPRoute.

A route leads to a Kubernetes Service, which is taken to have its workload's name. Internal routes (of the mesh, below a
Server or a Service) open nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from bindtrace.propagation.manifest import Exposure, Host
from bindtrace.propagation.platforms import paths
from bindtrace.propagation.platforms.nodes import Node, Reading

_INSIDE: Final = "mesh"


class _Route(NamedTuple):
    """One path that leads to a service; `at` is where it stands."""

    source: str
    pattern: str
    service: str
    at: Node


def virtual_service(reading: Reading, thing: Node) -> None:
    """`VirtualService` of a Gateway; one of the mesh alone opens nothing."""
    spec = thing["spec"]
    if {gateway.text for gateway in spec["gateways"].elements()} - {_INSIDE}:
        routes = [
            _Route(source, pattern, _service(thing, to.at("destination", "host")), at)
            for rule in spec["http"].elements()
            for source, pattern, at in _istio_matches(reading, rule)
            for to in rule["route"].elements()
        ]
        _open(reading, "istio", [host.text for host in spec["hosts"].elements()], routes)


def http_route(reading: Reading, thing: Node) -> None:
    """The Gateway API's `HTTPRoute` below a Gateway."""
    spec = thing["spec"]
    if any(parent["kind"].text in ("", "Gateway") for parent in spec["parentRefs"].elements()):
        routes = [
            _Route(source, pattern, _service(thing, to["name"], to["namespace"].text), at)
            for rule in spec["rules"].elements()
            for source, pattern, at in _matches(reading, rule)
            for to in rule["backendRefs"].elements()
        ]
        _open(reading, "kubernetes", [host.text for host in spec["hostnames"].elements()], routes)


def ingress(reading: Reading, thing: Node) -> None:
    """`Ingress`: paths of hosts, and what is behind all others."""
    spec = thing["spec"]
    for rule in spec["rules"].elements():
        routes = [
            _Route(path["path"].text or "/", _typed(reading, path, path["path"].text or "/", path["pathType"].text),
                   _service(thing, path.at("backend", "service", "name")), path)
            for path in rule.at("http", "paths").elements()
        ]  # fmt: skip
        _open(reading, "kubernetes", [rule["host"].text], routes)
    if default := spec.at("defaultBackend", "service", "name"):
        _open(reading, "kubernetes", [], [_Route("/", "^.*$", _service(thing, default), default)])


KINDS: Final[Mapping[tuple[str, str], Callable[[Reading, Node], None]]] = {
    ("networking.istio.io", "VirtualService"): virtual_service,
    ("gateway.networking.k8s.io", "HTTPRoute"): http_route,
    ("networking.k8s.io", "Ingress"): ingress,
}


def _open(reading: Reading, platform: str, hosts: list[str], routes: list[_Route]) -> None:
    """An exposure for every path and host, and the hosts as public ones."""
    led = [route for route in routes if route.service and route.pattern]
    named = [host.lower() for host in hosts if host not in ("", "*")]
    everywhere: list[str | None] = [None]
    for route in led:
        for host in named or everywhere:
            reading.exposures.append(
                Exposure(platform, "", route.service, route.source, route.pattern, reading.file, route.at.line,
                         "gateway", host)
            )  # fmt: skip
    services = {route.service for route in led}
    for name in named if led else ():
        # Of several services the host itself says none: it is the edge.
        to = next(iter(services)) if len(services) == 1 else None
        reading.hosts.append(Host(name, to, "public", platform, file=reading.file, line=led[0].at.line))


def _service(thing: Node, name: Node, namespace: str = "") -> str:
    """`name.namespace` of a Service, written short or as its whole host name."""
    host, _, rest = name.text.partition(".")
    own = rest.partition(".")[0] or namespace or thing.at("metadata", "namespace").text
    return f"{host}.{own}" if host and own else host


def _istio_matches(reading: Reading, rule: Node) -> Iterator[tuple[str, str, Node]]:
    matches = [*rule["match"].elements()]
    for match in matches:
        uri = match["uri"]
        kind, text = next(((key, value) for key, value in uri.entries()), ("prefix", None))
        source = text.text if text is not None else "/"
        yield source, _istio_pattern(reading, match, kind, source), match
    if not matches:
        yield "/", "^.*$", rule


def _istio_pattern(reading: Reading, at: Node, kind: str, text: str) -> str:
    """Istio's prefix is one of the text, not of whole segments."""
    return (
        f"^{re.escape(text)}.*$"
        if kind == "prefix"
        else _typed(reading, at, text, _KINDS_OF_PATH.get(kind, kind))
    )


def _matches(reading: Reading, rule: Node) -> Iterator[tuple[str, str, Node]]:
    matches = [*rule["matches"].elements()]
    for match in matches:
        source = match.at("path", "value").text or "/"
        yield source, _typed(reading, match, source, match.at("path", "type").text), match
    if not matches:
        yield "/", "^.*$", rule


_KINDS_OF_PATH: Final = {"exact": "Exact", "regex": "RegularExpression"}


def _typed(reading: Reading, at: Node, text: str, kind: str) -> str:
    """A path by its type; the empty text, with a problem, where it cannot be followed."""
    if kind == "Exact":
        return f"^{re.escape(text)}$"
    if kind != "RegularExpression":
        return paths.from_prefix(text).regex
    try:
        return paths.from_regex(text).regex
    except ValueError as wrong:
        fix = "write it by prefix or exactly, or in the common part of RE2"
        reading.wrong(at, "BAD_PATTERN", f"the path {text!r} is not followed: {wrong}", fix, fatal=False)
        return ""
