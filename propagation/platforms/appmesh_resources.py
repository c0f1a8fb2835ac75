"""What the resources of an App Mesh say, in each of their spellings. Values in, values out; no I/O.

The CRDs (`appmesh.k8s.aws/v1beta2`), CloudFormation and the API differ in the case of keys and in how they name each
other. Names are kept as typed references (`virtual-service shop/ledger`) until all files are read (linking.py).
Source: aws/aws-app-mesh-controller-for-k8s apis/appmesh/v1beta2; AWS App Mesh user guide (tls, mutual-tls, meshes).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from bindtrace.propagation.manifest import (
    Alias,
    DeclaredService,
    Default,
    Exposure,
    Grant,
    Host,
    Match,
    reference,
)
from bindtrace.propagation.platforms import paths
from bindtrace.propagation.platforms.appmesh_templates import is_open
from bindtrace.propagation.platforms.appmesh_tls import (
    NAME,
    accepted_callers,
    child,
    client_needs,
    listeners_need,
)
from bindtrace.propagation.platforms.nodes import Node, Reading

_ROUTES: Final = ("httpRoute", "http2Route", "grpcRoute", "tcpRoute")
_ARN = re.compile(r"arn:[a-z-]+:appmesh:[^:]*:[^:]*:mesh/[^/]+/[A-Za-z]+/(?P<name>.+)")
_WORDS: Final = {
    "virtualNode": "virtual-node",
    "virtualService": "virtual-service",
    "virtualRouter": "virtual-router",
    "virtualGateway": "virtual-gateway",
    "backendGroup": "backend-group",
}
"""The key that names a resource of each kind, and the kind in a reference."""


class Resource(NamedTuple):
    """One resource. `namespace` None: it is not Kubernetes', and names are those of the mesh."""

    name: str
    aws_name: str
    mesh: str
    namespace: str | None
    spec: Node
    whole: Node
    """With what stands beside `spec`."""
    line: int

    @property
    def scope(self) -> str:
        named = self.mesh if self.namespace is None else self.namespace
        return "" if is_open(named) else named

    def names(self, kind: str) -> Iterator[str]:
        """Every reference by which others may mean it."""
        if self.namespace is not None:
            yield reference(kind, f"{self.namespace}/{self.name}")
        yield reference(kind, self.aws_name)


def referred(reading: Reading, resource: Resource, node: Node, kind: str) -> str | None:
    """The reference that `node` makes to a resource of a kind (`virtualNode`); a problem where it makes none."""
    made, arn = child(node, f"{kind}Ref"), child(node, f"{kind}ARN")
    if name := child(made, "name").text:
        namespace = child(made, "namespace").text or resource.namespace or ""
        return reference(_WORDS[kind], f"{namespace}/{name}")
    if found := _ARN.fullmatch(arn.text):
        return reference(_WORDS[kind], found["name"])
    named = child(node, f"{kind}Name").text or child(node, kind).text
    if named and not arn:
        return reference(_WORDS[kind], named)
    at = arn or child(node, f"{kind}Name") or node
    what = repr(arn.text) if arn else "nothing that can be followed"
    fix = f"write the name or ARN that `aws appmesh list-{_WORDS[kind]}s` shows, or give what describe prints"
    reading.wrong(at, "UNKNOWN_REFERENCE", f"a {_WORDS[kind]} is named by {what}", fix)
    return None


def mesh(reading: Reading, resource: Resource) -> None:
    """`Mesh`: whether what no backend names may leave."""
    kind = child(resource.spec, "egressFilter", "type")
    action = {"ALLOW_ALL": "allow", "DROP_ALL": "deny", "": "deny"}.get(kind.text)
    if action is None:
        reading.wrong(
            kind,
            "BAD_EGRESS_FILTER",
            f"the egress filter {kind.text!r} is none",
            "write DROP_ALL or ALLOW_ALL",
        )
    else:
        scope = "" if resource.namespace is not None else resource.mesh
        line = kind.line if kind else resource.line
        reading.defaults.append(
            Default(NAME, scope, None, "deny" if action == "deny" else "allow", reading.file, line)
        )


def virtual_node(reading: Reading, resource: Resource) -> None:
    """`VirtualNode`: a service, its hosts, what it may call, and what its listeners ask of callers."""
    if is_open(resource.name):
        fix = "give its parameters defaults, or the node as `aws appmesh describe-virtual-node` prints it"
        reading.wrong(resource.line, "OPEN_NAME", f"the name of the node {resource.name} is left open", fix)
        return
    at = (reading.file, resource.line)
    needs = listeners_need(child(resource.spec, "listeners"))
    declared = DeclaredService(NAME, resource.scope, resource.name, None, *at, protection=needs)
    reading.services.append(declared)
    for name in resource.names("virtual-node"):
        reading.aliases.append(Alias(NAME, "", name, resource.name, *at, service_scope=resource.scope))
    telemetry = [resource.aws_name] if resource.aws_name != resource.name else []
    if resource.mesh and not is_open(resource.mesh):
        # What its Envoy calls itself, and X-Ray its segments.
        own = resource.aws_name
        telemetry += [f"mesh/{resource.mesh}/virtualNode/{own}", f"{resource.mesh}/{own}"]
    reading.matches.extend(Match(resource.name, "service", "service.name", name) for name in telemetry)
    reading.hosts.extend(
        Host(host.lower(), resource.name, "private", NAME, resource.scope, None, reading.file, line)
        for host, line in _hosts(resource)
        if not is_open(host)
    )
    _backends(reading, resource)
    accepted_callers(reading, resource.name, resource.scope, child(resource.spec, "listeners"))


def virtual_service(reading: Reading, resource: Resource) -> None:
    """`VirtualService`: a name that callers use, and where it leads."""
    provider = child(resource.spec, "provider")
    for kind in ("virtualNode", "virtualRouter"):
        if (given := child(provider, kind)) and (target := referred(reading, resource, given, kind)):
            at = (reading.file, resource.line)
            for name in resource.names("virtual-service"):
                reading.aliases.append(Alias(NAME, "", name, target, *at))
            host = resource.aws_name.lower()
            if not is_open(host):
                reading.hosts.append(Host(host, target, "private", NAME, resource.scope, None, *at))


def virtual_router(reading: Reading, resource: Resource) -> None:
    """`VirtualRouter`: the nodes that its routes lead to; the API has routes as resources of their own."""
    for route in reading.listed(child(resource.spec, "routes"), filled=False):
        for name in resource.names("virtual-router"):
            _routed(reading, resource, route, name)


def route(reading: Reading, resource: Resource) -> None:
    """`Route`, of CloudFormation and the API."""
    _routed(
        reading,
        resource,
        resource.spec,
        reference("virtual-router", child(resource.whole, "virtualRouterName").text),
    )


def backend_group(reading: Reading, resource: Resource) -> None:
    """`BackendGroup`: virtual services under one name."""
    for entry in reading.listed(child(resource.spec, "virtualServices"), filled=False):
        # Its entries are references themselves, without a key around them.
        name, namespace = child(entry, "name").text, child(entry, "namespace").text or resource.namespace
        target = reference("virtual-service", f"{namespace}/{name}") if name else None
        if target is None:
            reading.wrong(
                entry, "UNKNOWN_REFERENCE", "an entry of a backend group names nothing", "write `name: ...`"
            )
            continue
        for own in resource.names("backend-group"):
            reading.aliases.append(Alias(NAME, "", own, target, reading.file, entry.line))


def virtual_gateway(reading: Reading, resource: Resource) -> None:
    """`VirtualGateway`: where the outside enters."""
    at = (reading.file, resource.line)
    reading.services.append(DeclaredService(NAME, resource.scope, resource.name, "public", *at))
    names = [*resource.names("virtual-gateway"), reference("virtual-gateway", f"{resource.namespace}/")]
    for name in names:
        reading.aliases.append(Alias(NAME, "", name, resource.name, *at, service_scope=resource.scope))


def gateway_route(reading: Reading, resource: Resource) -> None:
    """`GatewayRoute`: what a gateway opens; in Kubernetes it is of the gateways of its namespace."""
    for kind in _ROUTES[:3]:
        spec = child(resource.spec, kind)
        if not spec or not (
            target := referred(
                reading, resource, child(spec, "action", "target", "virtualService"), "virtualService"
            )
        ):
            continue
        match = child(spec, "match")
        gateway = child(resource.whole, "virtualGatewayName").text or f"{resource.namespace}/"
        caller = reference("virtual-gateway", gateway)
        at = (reading.file, spec.line)
        reading.grants.append(Grant(NAME, resource.scope, None, caller, target, resource.name, *at))
        try:
            source, pattern = _path(match)
        except ValueError as wrong:
            reading.wrong(match, "BAD_PATH", f"the path of {resource.name} is {wrong}", "repair the path")
            continue
        exact, suffix = child(match, "hostname", "exact").text, child(match, "hostname", "suffix").text
        host = exact or (f"*{suffix}" if suffix else None)
        reading.exposures.append(
            Exposure(NAME, resource.scope, target, source, pattern, *at, kind="gateway", host=host)
        )


HANDLERS: Final[Mapping[str, Callable[[Reading, Resource], None]]] = {
    "Mesh": mesh,
    "VirtualNode": virtual_node,
    "VirtualService": virtual_service,
    "VirtualRouter": virtual_router,
    "Route": route,
    "BackendGroup": backend_group,
    "VirtualGateway": virtual_gateway,
    "GatewayRoute": gateway_route,
}


def _hosts(resource: Resource) -> Iterator[tuple[str, int]]:
    """By DNS or Cloud Map, and by the clusters that other proxies have for it (user guide: Envoy metrics)."""
    discovery = child(resource.spec, "serviceDiscovery")
    if dns := child(discovery, "dns", "hostname").text:
        yield dns, discovery.line
    cloud = child(discovery, "awsCloudMap")
    if (service := child(cloud, "serviceName").text) and (space := child(cloud, "namespaceName").text):
        yield f"{service}.{space}", discovery.line
    for listener in child(resource.spec, "listeners").elements():
        port, protocol = (
            child(listener, "portMapping", "port").text,
            child(listener, "portMapping", "protocol").text,
        )
        if port and protocol:
            # A CRD does not say its mesh, nor every template.
            mesh = "*" if is_open(resource.mesh) else resource.mesh or "*"
            yield f"cds_egress_{mesh}_{resource.aws_name}_{protocol}_{port}", listener.line


def _backends(reading: Reading, resource: Resource) -> None:
    default = child(resource.spec, "backendDefaults", "clientPolicy")
    for backend in reading.listed(child(resource.spec, "backends"), filled=False):
        service = child(backend, "virtualService")
        if target := referred(reading, resource, service, "virtualService"):
            policy = child(service, "clientPolicy") or default
            _grant(reading, resource, target, policy, backend.line)
    for group in reading.listed(child(resource.spec, "backendGroups"), filled=False):
        if name := child(group, "name").text:
            namespace = child(group, "namespace").text or resource.namespace
            _grant(reading, resource, reference("backend-group", f"{namespace}/{name}"), default, group.line)
        else:
            reading.wrong(
                group, "UNKNOWN_REFERENCE", "an entry of `backendGroups` names nothing", "write `name: ...`"
            )


def _grant(reading: Reading, resource: Resource, target: str, policy: Node, line: int) -> None:
    at = (NAME, resource.scope, None, resource.name, target, None, reading.file, line)
    reading.grants.append(Grant(*at, protection=client_needs(policy)))


def _routed(reading: Reading, resource: Resource, route: Node, name: str) -> None:
    for kind in _ROUTES:
        for target in reading.listed(child(route, kind, "action", "weightedTargets"), filled=False):
            if node := referred(reading, resource, target, "virtualNode"):
                reading.aliases.append(Alias(NAME, "", name, node, reading.file, target.line))


def _path(match: Node) -> tuple[str, str]:
    """As written, and as a regular expression over the whole path. Raises ValueError for what is none."""
    if service := child(match, "serviceName").text:
        return service, f"^/{re.escape(service)}/.*$"
    if exact := child(match, "path", "exact").text:
        return exact, f"^{re.escape(exact)}$"
    if regex := child(match, "path", "regex").text:
        return regex, paths.from_regex(regex).regex
    prefix = child(match, "prefix").text or "/"
    return f"{prefix}*", f"^{re.escape(prefix)}.*$"
