"""Envoy's RBAC rules and TLS contexts as conditions on a call. Data in, conditions out; no I/O.

Source: envoy/config/rbac/v3/rbac.proto, envoy/type/matcher/v3/string.proto. Every field is read in both of protobuf's
JSON spellings, `and_rules` and `andRules`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from bindtrace.propagation.conditions import ALWAYS, NEVER, Condition, either, every, hidden, negation, test
from bindtrace.propagation.matching import Matcher, MatchKind
from bindtrace.propagation.platforms.nodes import Node
from bindtrace.propagation.policies import Clause, PolicyAction

ACTIONS: Final[Mapping[str, PolicyAction]] = {
    "": "allow", "ALLOW": "allow", "0": "allow", "DENY": "deny", "1": "deny", "LOG": "audit", "2": "audit",
}  # fmt: skip

_CAMEL: Final = re.compile(r"_([a-z0-9])")
_PLAIN: Final[Mapping[str, MatchKind]] = {
    "exact": "exact", "prefix": "prefix", "suffix": "suffix", "contains": "contains",
}  # fmt: skip
_HEADER_FIELDS: Final = {":method": "method", ":authority": "host", "host": "host", ":path": "path"}


def pick(node: Node, *names: str) -> Node:
    """A field by its name in snake case, or as JSON spells it; of each on the way."""
    for name in names:
        camel = _CAMEL.sub(lambda found: found[1].upper(), name)
        node = node[name] if node[name] or not node[camel] else node[camel]
    return node


def fields(node: Node) -> Iterator[tuple[str, Node]]:
    """The fields of an object by their names in snake case."""
    for key, value in node.entries():
        yield re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", key), value


def clauses(rules: Node) -> tuple[Clause, ...]:
    """One clause a policy of `rules`: any of its permissions, by any of its principals, in the order of their names."""
    return tuple(
        Clause(every(_any_of(pick(policy, "permissions"), _PERMISSIONS),
                     _any_of(pick(policy, "principals"), _PRINCIPALS),
                     *_expression(policy)), policy.line)
        for _, policy in sorted(pick(rules, "policies").entries(), key=lambda entry: entry[0])
    )  # fmt: skip


def string(field: str, node: Node) -> Condition:
    """A StringMatcher on one field of the call."""
    ignore_case = pick(node, "ignore_case").value is True
    for name, value in fields(node):
        if name in _PLAIN:
            return test(field, Matcher(_PLAIN[name], value.text, ignore_case))
        if name == "safe_regex":
            return test(field, Matcher("regex", value["regex"].text))
    return hidden(f"a matcher of {field}")


def _any_of(listed: Node, known: Mapping[str, Callable[[Node], Condition]]) -> Condition:
    return either(*(_one(element, known) for element in listed.elements()))


def _one(element: Node, known: Mapping[str, Callable[[Node], Condition]]) -> Condition:
    """A permission or a principal is an object with one field; one that is not known here is not shown by spans."""
    found = next(fields(element), None)
    if found is None:
        return NEVER
    name, value = found
    return known[name](value) if name in known else hidden(f"`{name}`")


def _expression(policy: Node) -> list[Condition]:
    return (
        [hidden("a CEL condition")] if pick(policy, "condition") or pick(policy, "checked_condition") else []
    )


def _header(node: Node) -> Condition:
    """A HeaderMatcher; headers but for method, host and path are not on spans for certain."""
    name = node["name"].text.lower()
    field = _HEADER_FIELDS.get(name)
    asked = hidden(f"the header {name}") if field is None else _matched(field, node)
    if name == ":path" and pick(node, "exact_match").text + pick(node, "string_match", "exact").text:
        # Envoy compares the query too, which our path is without.
        asked = every(asked, hidden("the query"))
    return negation(asked) if pick(node, "invert_match").value is True else asked


def _matched(field: str, node: Node) -> Condition:
    for name, value in fields(node):
        plain = name.removesuffix("_match")
        if name == "string_match":
            return string(field, value)
        if plain in _PLAIN and plain != name:
            return test(field, Matcher(_PLAIN[plain], value.text))
        if name == "safe_regex_match":
            return test(field, Matcher("regex", value["regex"].text))
        if name == "present_match":
            return ALWAYS
    return ALWAYS


def _cidr(field: str) -> Callable[[Node], Condition]:
    def made(node: Node) -> Condition:
        prefix, length = pick(node, "address_prefix").text, pick(node, "prefix_len")
        bits = (length if not length["value"] else length["value"]).text
        # Left out is 0 in protobuf: every address of that family.
        return test(field, Matcher("cidr", f"{prefix}/{bits or 0}"))

    return made


def _authenticated(node: Node) -> Condition:
    name = pick(node, "principal_name")
    return string("caller_id", name) if name else test("caller_id", Matcher("present"))


def _port_range(node: Node) -> Condition:
    first, end = (node[name].text or "0" for name in ("start", "end"))
    if not (first.isdecimal() and end.isdecimal()):
        return NEVER
    return test("listener_port", Matcher("range", f"{first}-{end}"))


_PERMISSIONS: Final[dict[str, Callable[[Node], Condition]]] = {
    "any": lambda node: ALWAYS if node.value is True else NEVER,
    "and_rules": lambda node: every(*(_one(rule, _PERMISSIONS) for rule in node["rules"].elements())),
    "or_rules": lambda node: _any_of(node["rules"], _PERMISSIONS),
    "not_rule": lambda node: negation(_one(node, _PERMISSIONS)),
    "header": _header,
    "url_path": lambda node: string("path", node["path"]),
    "destination_port": lambda node: test("listener_port", Matcher("exact", node.text)),
    "destination_port_range": _port_range,
}
_PRINCIPALS: Final[dict[str, Callable[[Node], Condition]]] = {
    "any": lambda node: ALWAYS if node.value is True else NEVER,
    "and_ids": lambda node: every(*(_one(each, _PRINCIPALS) for each in node["ids"].elements())),
    "or_ids": lambda node: _any_of(node["ids"], _PRINCIPALS),
    "not_id": lambda node: negation(_one(node, _PRINCIPALS)),
    "authenticated": _authenticated,
    "source_ip": _cidr("source_address"),
    "direct_remote_ip": _cidr("source_address"),
    "remote_ip": _cidr("remote_address"),
    "header": _header,
    "url_path": lambda node: string("path", node["path"]),
}
