"""Plain Envoy: a static configuration, or what its admin page `/config_dump` prints, as policies of its service.

Read are each listener's RBAC filters in their order, the client certificates that its TLS contexts ask for, and the
filters that ask somebody else. The service is the one that its traces name, else the node's cluster, else its id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bindtrace.propagation.addresses import host_class
from bindtrace.propagation.conditions import ALWAYS, Condition, every, hidden, negation, test
from bindtrace.propagation.manifest import Exposure, Host, Manifest, Problem, revision_of
from bindtrace.propagation.matching import Matcher, can_follow
from bindtrace.propagation.platforms import envoy_rbac, parsing
from bindtrace.propagation.platforms.envoy_rbac import pick
from bindtrace.propagation.platforms.nodes import Node, Reading
from bindtrace.propagation.policies import Clause, Policy, PolicyAction

NAME: Final = "envoy"
NAMES: Final = ()
READS: Final = "an Envoy configuration or /config_dump"

_CONTENT = re.compile(r"[\"']?(static_resources|staticResources)[\"']?\s*:|envoy\.admin\.v3\.\w+ConfigDump")
_SUFFIXES: Final = (".yaml", ".yml", ".json")
_RBAC: Final = (
    "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
    "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC",
)
_MANAGER: Final = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
_ASKING: Final = {
    "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz": "external authorization",
    "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication": "token validation",
}
_NOT_PLAINTEXT: Final = negation(test("protection", Matcher("exact", "plaintext")))
_SAN_TYPES: Final = ("URI", "DNS", "3", "2")


def claims(path: Path, text: str) -> bool:
    """A YAML or JSON file with `static_resources`, or the dump of a running Envoy."""
    return path.suffix in _SUFFIXES and bool(_CONTENT.search(text))


def read(path: Path, text: str) -> Manifest:
    """All that the file says, its problems included. Never raises for content."""
    file, revision = str(path), revision_of(text.encode())
    reading = Reading(file)
    documents = parsing.parse_all(file, text)
    if isinstance(documents, Problem):
        return Manifest(file, NAME, "", revision, problems=(documents,))
    for document in documents:
        root = Node(document, document.root, document.line_of(document.root))
        bootstrap = _bootstrap(root)
        for listener in _listeners(root, bootstrap):
            _read_listener(reading, bootstrap, listener)
        reading.problems.extend(parsing.said_twice(file, document))
    if not reading.policies:
        message = "no listener asks who is calling: no RBAC filter, no client certificate, no authorization"
        reading.wrong(1, "NOTHING_ASKED", message, "add an RBAC filter before the router", fatal=False)
    return Manifest(
        file,
        NAME,
        "",
        revision,
        exposures=tuple(reading.exposures),
        hosts=tuple(reading.hosts),
        policies=tuple(reading.policies),
        problems=tuple(reading.problems),
    )


def _bootstrap(root: Node) -> Node:
    """The static configuration: the file itself, or the part of a dump that has it."""
    dumped = (part["bootstrap"] for part in root["configs"].elements() if part["bootstrap"])
    return next(dumped, root)


def _listeners(root: Node, bootstrap: Node) -> Iterator[Node]:
    yield from pick(bootstrap, "static_resources", "listeners").elements()
    for part in root["configs"].elements():
        for dynamic in pick(part, "dynamic_listeners").elements():
            if listener := pick(dynamic, "active_state", "listener"):
                yield listener


@dataclass(slots=True)
class _Chain:
    """One filter chain: whose it is, and how many filters that judge it has had."""

    reading: Reading
    service: str
    applies: Condition
    listener: str
    stage: int = 0

    def policy(
        self,
        action: PolicyAction,
        node: Node,
        name: str,
        clauses: tuple[Clause, ...],
        *,
        enforced: bool = True,
    ) -> None:
        self.stage += 1
        self.reading.policies.append(
            Policy(NAME, self.listener, name, action, self.stage, self.applies, clauses, self.reading.file,
                   node.line, enforced=enforced and action != "audit")
        )  # fmt: skip
        for clause in clauses:
            _warn_of_regexes(self.reading, clause)


def _read_listener(reading: Reading, bootstrap: Node, listener: Node) -> None:
    name = listener["name"].text or "listener"
    port = pick(listener, "address", "socket_address", "port_value").text
    many = len(pick(bootstrap, "static_resources", "listeners").value or ()) > 1
    chains = [*pick(listener, "filter_chains").elements()]
    default = pick(listener, "default_filter_chain")
    for chain in [*chains, default] if default else chains:
        service = _service(bootstrap, chain)
        if not service:
            message = f"nothing says whose proxy this is, so what its listener {name!r} asks is not judged by"
            fix = "set `service_name` of its OpenTelemetry tracer, or `node.cluster`"
            reading.wrong(listener, "NO_SERVICE", message, fix, fatal=False)
            continue
        applies = [test("callee", Matcher("exact", service))]
        if many and port:
            applies.append(test("listener_port", Matcher("exact", port)))
        if len(chains) > 1 and pick(chain, "filter_chain_match"):
            applies.append(hidden("which filter chain took it"))
        found = _Chain(reading, service, every(*applies), name)
        _read_transport(found, pick(chain, "transport_socket"))
        for filter_ in pick(chain, "filters").elements():
            _read_filter(found, filter_)


def _service(bootstrap: Node, chain: Node) -> str:
    for filter_ in pick(chain, "filters").elements():
        tracer = pick(filter_, "typed_config", "tracing", "provider", "typed_config")
        if name := pick(tracer, "service_name").text:
            return name
    node = bootstrap["node"]
    return node["cluster"].text or node["id"].text


def _read_transport(chain: _Chain, socket: Node) -> None:
    """TLS asks for protection; a required client certificate for an identity, of those names where it says which."""
    context = pick(socket, "typed_config")
    if not context["@type"].text.endswith(".DownstreamTlsContext"):
        return
    chain.policy("require", socket, "TLS", (Clause(_NOT_PLAINTEXT, socket.line),))
    asked = pick(context, "require_client_certificate")
    if (asked["value"] or asked).value is not True:
        return
    common = pick(context, "common_tls_context")
    validation = pick(common, "validation_context")
    combined = pick(common, "combined_validation_context", "default_validation_context")
    names = pick(validation, "match_typed_subject_alt_names") or pick(
        combined, "match_typed_subject_alt_names"
    )
    clauses = tuple(
        Clause(
            envoy_rbac.string("caller_id", name["matcher"])
            if pick(name, "san_type").text in _SAN_TYPES
            else hidden("a name of another type in the certificate"),
            name.line,
        )
        for name in names.elements()
    )
    if clauses:
        chain.policy("allow", names, "client certificate", clauses)


def _read_filter(chain: _Chain, filter_: Node) -> None:
    config = pick(filter_, "typed_config")
    kind, name = config["@type"].text, filter_["name"].text
    if kind == _MANAGER:
        if _overridden(config):
            message = "a route has RBAC rules of its own, which are not read: calls there are judged unknown"
            chain.reading.wrong(config, "ROUTE_RBAC", message, "put the rules into the filter", fatal=False)
            chain.applies = every(chain.applies, hidden("a route's own rules"))
        for host in pick(config, "route_config", "virtual_hosts").elements():
            for domain in host["domains"].elements():
                _open(chain, domain)
        for inner in pick(config, "http_filters").elements():
            _read_filter(chain, inner)
    elif kind in _RBAC:
        read_rbac(chain, config, name)
    elif kind in _ASKING:
        chain.policy("external", config, _ASKING[kind], (Clause(ALWAYS, config.line),))


def _open(chain: _Chain, domain: Node) -> None:
    """A public name that a listener answers to leads to its service; `*` says nothing, as every sidecar has it."""
    name = domain.text.lower()
    if name.endswith("*") or host_class(name.removeprefix("*.")) != "global":
        return
    file = chain.reading.file
    chain.reading.exposures.append(
        Exposure(NAME, "", chain.service, "/", "^.*$", file, domain.line, "listener", name)
    )
    chain.reading.hosts.append(Host(name, chain.service, "public", NAME, file=file, line=domain.line))


def read_rbac(chain: _Chain, config: Node, name: str) -> None:
    """One RBAC filter; without rules it asks nothing. Shadow rules are told and judge nothing."""
    for key, enforced in (("rules", True), ("shadow_rules", False)):
        rules = pick(config, key)
        if rules:
            action = envoy_rbac.ACTIONS.get(rules["action"].text, "audit")
            chain.policy(action, rules, name, envoy_rbac.clauses(rules), enforced=enforced)
    if pick(config, "matcher"):
        unread = Clause(hidden("an xDS matcher"), config.line)
        chain.policy("allow", config, name, (unread,))


def _overridden(manager: Node) -> bool:
    hosts = [*pick(manager, "route_config", "virtual_hosts").elements()]
    routes = [route for host in hosts for route in host["routes"].elements()]
    return any(
        "rbac" in key.lower() or "rbac" in value["@type"].text.lower()
        for place in (*hosts, *routes)
        for key, value in pick(place, "typed_per_filter_config").entries()
    )


def _warn_of_regexes(reading: Reading, clause: Clause) -> None:
    for regex in _regexes(clause.condition):
        if not can_follow(regex):
            message = f"the regular expression {regex!r} is not followed, so what it decides is unknown"
            fix = "write it by exact, prefix or suffix, or without repeated groups"
            reading.wrong(clause.line, "REGEX", message, fix, fatal=False)


def _regexes(condition: Condition) -> Iterator[str]:
    yield from (matcher.text for matcher in condition.matchers if matcher.kind == "regex")
    for part in condition.parts:
        yield from _regexes(part)
