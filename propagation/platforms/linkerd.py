"""Linkerd: servers, routes and who may call them, as policies. A Server is closed to all who are not named.

Source: linkerd.io/2.19/reference/authorization-policy. Objects name each other across files, so servers, routes and
authentications are definitions: a name that no file defines makes what asks for it unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from bindtrace.propagation.conditions import (
    ALWAYS,
    NEVER,
    Condition,
    either,
    every,
    hidden,
    named,
    negation,
    test,
)
from bindtrace.propagation.matching import Matcher
from bindtrace.propagation.platforms import linkerd_clients as clients
from bindtrace.propagation.platforms.nodes import Node, Reading, texts_of
from bindtrace.propagation.policies import Clause, Definition, Policy

NAME: Final = "linkerd"
DEFAULT: Final = "config.linkerd.io/default-inbound-policy"
_NAMESPACE, _WORKLOAD, _SERVER = range(3)
"""Ranks: a Server counts before its workload's default, that before its namespace's."""

_AUTHENTICATED: Final = test("caller_id", Matcher("present"))
_IN_CLUSTER: Final = hidden("whether the caller's address is in the cluster's networks")
_DEFAULTS: Final[Mapping[str, tuple[Condition, ...]]] = {
    "all-unauthenticated": (ALWAYS,),
    "all-authenticated": (_AUTHENTICATED,),
    "cluster-authenticated": (every(_AUTHENTICATED, _IN_CLUSTER),),
    "cluster-unauthenticated": (_IN_CLUSTER,),
    "deny": (),
    "audit": (ALWAYS,),
}


def server(reading: Reading, thing: Node) -> None:
    """`Server`: a port of some pods. By itself it lets nobody through, or those of its `accessPolicy`."""
    spec = thing["spec"]
    reading.only(spec, ("podSelector", "externalWorkloadSelector", "port", "proxyProtocol", "accessPolicy"))
    if not spec["port"].text:
        reading.wrong(
            spec, "NO_PORT", f"Server {_name(thing)!r} names no port", "add `port`, by number or name"
        )
    if not _namespace(thing):
        message = f"Server {_name(thing)!r} names no namespace, so it is taken to be for all of them"
        reading.wrong(thing, "NO_NAMESPACE", message, "add metadata.namespace", fatal=False)
    selector = spec["podSelector"] or spec["externalWorkloadSelector"]
    applies = every(*_namespaced(thing), *_selected(reading, selector), _on_port(spec["port"].text))
    own = _key("Server", thing)
    _define(reading, thing, own, applies)
    _define(reading, thing, f"linkerd Servers of {_namespace(thing)}", named(own))
    for key, value in texts_of(thing.at("metadata", "labels")).items():
        _define(reading, thing, _labelled(_namespace(thing), key, value), named(own))
    access = spec["accessPolicy"]
    _policy(
        reading,
        thing,
        named(own),
        _default_clauses(reading, access if access else thing, access.text or "deny"),
    )


def server_authorization(reading: Reading, thing: Node) -> None:
    """`ServerAuthorization`: clients of one Server, or of those with some labels."""
    spec = thing["spec"]
    reading.only(spec, ("server", "client"))
    reading.only(spec["client"], ("meshTLS", "unauthenticated", "networks", "healthcheck"))
    target, namespace = spec["server"], _namespace(thing)
    if target["name"].text:
        applies = named(_key("Server", thing, target["name"].text))
    else:
        labels = texts_of(target.at("selector", "matchLabels"))
        applies = every(*(named(_labelled(namespace, key, value)) for key, value in labels.items()))
        if not labels or target.at("selector", "matchExpressions"):
            applies = every(named(f"linkerd Servers of {namespace}"), hidden("labels of the Server"))
    client = spec["client"]
    asked = [*clients.networks(reading, client["networks"])]
    if client["unauthenticated"].value is not True:
        asked.append(clients.mesh_tls(reading, client["meshTLS"], namespace))
    _policy(reading, thing, applies, (Clause(every(*asked), client.line),))


def authorization_policy(reading: Reading, thing: Node) -> None:
    """`AuthorizationPolicy`: who satisfies all the authentications may use the target."""
    spec = thing["spec"]
    reading.only(spec, ("targetRef", "requiredAuthenticationRefs"))
    target = spec["targetRef"]
    kind, name = target["kind"].text, target["name"].text
    if kind not in _TARGETS:
        known = ", ".join(_TARGETS)
        message = f"AuthorizationPolicy {_name(thing)!r} has the target kind {kind!r}"
        reading.wrong(target, "BAD_TARGET", message, f"name one of {known}")
        return
    refs = [
        _required(reading, thing, ref)
        for ref in reading.listed(spec["requiredAuthenticationRefs"], filled=False)
    ]
    line = spec["requiredAuthenticationRefs"].line
    _policy(reading, thing, named(_TARGETS[kind](thing, name)), (Clause(every(*refs), line),))


def mesh_tls_authentication(reading: Reading, thing: Node) -> None:
    """`MeshTLSAuthentication`: any of these identities."""
    spec, namespace = thing["spec"], _namespace(thing)
    reading.only(spec, ("identities", "identityRefs"))
    names = (clients.identity(element.text) for element in reading.texts(spec["identities"]))
    refs = (clients.identity_ref(ref, namespace) for ref in reading.listed(spec["identityRefs"]))
    _define(reading, thing, _key("MeshTLSAuthentication", thing), either(*names, *refs))


def network_authentication(reading: Reading, thing: Node) -> None:
    """`NetworkAuthentication`: any of these networks."""
    networks = thing.at("spec", "networks")
    if not networks:
        message = f"NetworkAuthentication {_name(thing)!r} names no networks"
        reading.wrong(thing, "NO_NETWORKS", message, "add `networks: [{cidr: …}]`")
    _define(reading, thing, _key("NetworkAuthentication", thing), every(*clients.networks(reading, networks)))


def http_route(reading: Reading, thing: Node) -> None:
    """`HTTPRoute` or `GRPCRoute` below Servers: the requests that one of its rules matches. Others say nothing here."""
    spec = thing["spec"]
    parents = [
        named(_key("Server", thing, parent["name"].text, parent["namespace"].text))
        for parent in spec["parentRefs"].elements()
        if parent["kind"].text == "Server"
    ]
    if parents:
        rules = [_route_rule(rule) for rule in spec["rules"].elements()]
        key = _key(thing["kind"].text, thing)
        _define(reading, thing, key, every(either(*parents), either(*rules) if rules else ALWAYS))


def namespace_default(reading: Reading, thing: Node) -> None:
    """`Namespace` with the annotation for what no Server selects."""
    mode = thing.at("metadata", "annotations", DEFAULT)
    if mode:
        where = test("callee_namespace", Matcher("exact", _name(thing)))
        _policy(reading, thing, where, _default_clauses(reading, mode, mode.text), _NAMESPACE)


def workload_default(reading: Reading, thing: Node, template: Node) -> None:
    """The same annotation on a workload's pods."""
    mode = template.at("metadata", "annotations", DEFAULT)
    if mode:
        labels = texts_of(template.at("metadata", "labels"))
        where = [
            test(f"callee_label:{key}", Matcher("exact", value)) for key, value in sorted(labels.items())
        ]
        applies = every(*_namespaced(thing), *where)
        _policy(reading, thing, applies, _default_clauses(reading, mode, mode.text), _WORKLOAD)


_TARGETS: Final[Mapping[str, Callable[[Node, str], str]]] = {
    "Server": lambda thing, name: _key("Server", thing, name),
    "HTTPRoute": lambda thing, name: _key("HTTPRoute", thing, name),
    "GRPCRoute": lambda thing, name: _key("GRPCRoute", thing, name),
    "Namespace": lambda thing, name: f"linkerd Servers of {name}",
}
KINDS: Final[Mapping[tuple[str, str], Callable[[Reading, Node], None]]] = {
    ("policy.linkerd.io", "Server"): server,
    ("policy.linkerd.io", "ServerAuthorization"): server_authorization,
    ("policy.linkerd.io", "AuthorizationPolicy"): authorization_policy,
    ("policy.linkerd.io", "MeshTLSAuthentication"): mesh_tls_authentication,
    ("policy.linkerd.io", "NetworkAuthentication"): network_authentication,
    ("policy.linkerd.io", "HTTPRoute"): http_route,
    ("gateway.networking.k8s.io", "HTTPRoute"): http_route,
    ("gateway.networking.k8s.io", "GRPCRoute"): http_route,
    ("", "Namespace"): namespace_default,
}


def _required(reading: Reading, thing: Node, ref: Node) -> Condition:
    kind, name = ref["kind"].text, ref["name"].text
    namespace = ref["namespace"].text or _namespace(thing)
    if kind == "ServiceAccount":
        return clients.account(name, namespace)
    if kind not in ("MeshTLSAuthentication", "NetworkAuthentication"):
        fix = "name a MeshTLSAuthentication, a NetworkAuthentication or a ServiceAccount"
        reading.wrong(ref, "BAD_AUTHENTICATION", f"an authentication of the kind {kind!r}", fix)
        return NEVER
    return named(_key(kind, thing, name, namespace))


def _default_clauses(reading: Reading, at: Node, mode: str) -> tuple[Clause, ...]:
    if mode not in _DEFAULTS:
        reading.wrong(at, "BAD_MODE", f"the policy {mode!r} is none", f"write one of {', '.join(_DEFAULTS)}")
        return ()
    return tuple(Clause(condition, at.line) for condition in _DEFAULTS[mode])


def _selected(reading: Reading, selector: Node) -> Iterator[Condition]:
    """A Kubernetes label selector on the callee."""
    for key, value in texts_of(selector["matchLabels"]).items():
        yield test(f"callee_label:{key}", Matcher("exact", value))
    for asked in reading.listed(selector["matchExpressions"]):
        field, operator = f"callee_label:{asked['key'].text}", asked["operator"].text
        values = [Matcher("exact", value.text) for value in asked["values"].elements()]
        found = test(field, *values) if operator in ("In", "NotIn") else test(field, Matcher("regex", ".*"))
        yield negation(found) if operator in ("NotIn", "DoesNotExist") else found


def _on_port(port: str) -> Condition:
    return test("port" if port.isdecimal() else "port_name", Matcher("exact", port))


def _route_rule(rule: Node) -> Condition:
    matches = [_route_match(match) for match in rule["matches"].elements()]
    return either(*matches) if matches else ALWAYS


def _route_match(match: Node) -> Condition:
    parts: list[Condition] = []
    path, method = match["path"], match["method"]
    if path:
        kind = path["type"].text or "PathPrefix"
        parts.append(_PATHS[kind](path["value"].text) if kind in _PATHS else hidden(f"a path by {kind}"))
    if method.text:
        parts.append(test("method", Matcher("exact", method.text)))
    elif method:
        # gRPC's request path is /service/method
        service, call = method["service"].text, method["method"].text
        exact = test("path", Matcher("exact", f"/{service}/{call}"))
        below = test("path", Matcher("prefix", f"/{service}/") if service else Matcher("suffix", f"/{call}"))
        parts.append(exact if service and call else below)
    parts += [hidden(f"`{name}` of a route") for name in ("headers", "queryParams") if match[name]]
    return every(*parts)


def _below(text: str) -> Condition:
    """`PathPrefix` counts whole segments."""
    stem = text.rstrip("/")
    return test("path", Matcher("exact", stem), Matcher("prefix", f"{stem}/")) if stem else ALWAYS


_PATHS: Final[Mapping[str, Callable[[str], Condition]]] = {
    "Exact": lambda text: test("path", Matcher("exact", text)),
    "PathPrefix": _below,
    "RegularExpression": lambda text: test("path", Matcher("regex", text)),
}


def _policy(
    reading: Reading, thing: Node, applies: Condition, clauses: tuple[Clause, ...], rank: int = _SERVER
) -> None:
    reading.policies.append(
        Policy(NAME, _namespace(thing), f"{thing['kind'].text} {_name(thing)}", "allow", 0, applies, clauses,
               reading.file, thing.line, rank)
    )  # fmt: skip


def _define(reading: Reading, thing: Node, name: str, condition: Condition) -> None:
    reading.definitions.append(Definition(name, condition, reading.file, thing.line))


def _namespaced(thing: Node) -> list[Condition]:
    namespace = _namespace(thing)
    return [test("callee_namespace", Matcher("exact", namespace))] if namespace else []


def _key(kind: str, thing: Node, name: str = "", namespace: str = "") -> str:
    return f"linkerd {kind} {namespace or _namespace(thing)}/{name or _name(thing)}"


def _labelled(namespace: str, key: str, value: str) -> str:
    return f"linkerd Servers of {namespace} with {key}={value}"


def _name(thing: Node) -> str:
    return thing.at("metadata", "name").text


def _namespace(thing: Node) -> str:
    return thing.at("metadata", "namespace").text
