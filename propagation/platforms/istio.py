"""Istio: AuthorizationPolicy and PeerAuthentication as policies, in Istio's order of evaluation.

CUSTOM before DENY before ALLOW; no ALLOW policy for a workload lets everything through, one without rules nothing
(istio/api: security/v1beta1). A policy of the root namespace is for the whole mesh.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from bindtrace.propagation.conditions import ALWAYS, Condition, either, every, hidden, negation, test
from bindtrace.propagation.matching import Matcher, is_network
from bindtrace.propagation.platforms import istio_sources as asks
from bindtrace.propagation.platforms.nodes import Node, Reading, texts_of
from bindtrace.propagation.policies import Clause, Policy, PolicyAction

NAME: Final = "istio"
ROOT_NAMESPACE: Final = "istio-system"

_ACTIONS: Final[Mapping[str, tuple[PolicyAction, int]]] = {
    "CUSTOM": ("external", 1),
    "DENY": ("deny", 2),
    "ALLOW": ("allow", 3),
    "AUDIT": ("audit", 4),
}
_SPEC_KEYS: Final = ("selector", "targetRef", "targetRefs", "rules", "action", "provider")
_RULE_KEYS: Final = ("from", "to", "when")
_MTLS_MODES: Final = ("STRICT", "PERMISSIVE", "DISABLE", "UNSET", "")
_NOT_PLAINTEXT: Final = negation(test("protection", Matcher("exact", "plaintext")))


def authorization_policy(reading: Reading, thing: Node) -> None:
    """`AuthorizationPolicy`: one policy with one clause a rule."""
    spec = thing["spec"]
    reading.only(spec, _SPEC_KEYS)
    action = spec["action"].text or "ALLOW"
    if action not in _ACTIONS:
        reading.wrong(
            spec["action"],
            "BAD_ACTION",
            f"the action {action!r} is none",
            "write ALLOW, DENY, AUDIT or CUSTOM",
        )
        return
    kind, stage = _ACTIONS[action]
    rules = reading.listed(spec["rules"], filled=False)
    clauses = tuple(Clause(_rule(reading, thing, rule), rule.line) for rule in rules)
    if spec["rules"].value == [] or (action == "CUSTOM" and not rules):
        # Istio takes `rules: []` like no rules at all, and a reader takes it for "no restrictions".
        message = f"{_called(thing)} has no rules, so it is met by no call"
        reading.wrong(
            spec["rules"], "NO_RULES", message, "leave `rules` out, or write `rules: [{}]`", fatal=False
        )
    if kind == "allow":
        _warn_of_negations(reading, thing, rules)
    dry = thing.at("metadata", "annotations", "istio.io/dry-run").text == "true"
    reading.policies.append(
        Policy(
            NAME, _namespace(thing), thing.at("metadata", "name").text, kind, stage, _applies(reading, thing),
            clauses, reading.file, thing.line, enforced=not dry and kind != "audit",
        )
    )  # fmt: skip


def peer_authentication(reading: Reading, thing: Node) -> None:
    """`PeerAuthentication`: the protection required, where the most specific one counts, and a port's above all."""
    spec = thing["spec"]
    reading.only(spec, ("selector", "mtls", "portLevelMtls"))
    applies = _applies(reading, thing)
    rank = 2 if spec["selector"] else 0 if _namespace(thing) == ROOT_NAMESPACE else 1
    modes = [(spec.at("mtls", "mode"), applies, rank)]
    for port, setting in reading.mapped(spec["portLevelMtls"]):
        modes.append((setting["mode"], every(applies, test("port", Matcher("exact", port))), 3))
    for mode, where, place in modes:
        if mode.text not in _MTLS_MODES:
            reading.wrong(
                mode, "BAD_MODE", f"the mode {mode.text!r} is none", "write STRICT, PERMISSIVE or DISABLE"
            )
        elif mode.text not in ("UNSET", ""):
            wanted = _NOT_PLAINTEXT if mode.text == "STRICT" else ALWAYS
            reading.policies.append(
                Policy(
                    NAME, _namespace(thing), thing.at("metadata", "name").text, "require", 0, where,
                    (Clause(wanted, mode.line),), reading.file, mode.line, place,
                )
            )  # fmt: skip


KINDS: Final[Mapping[tuple[str, str], Callable[[Reading, Node], None]]] = {
    ("security.istio.io", "AuthorizationPolicy"): authorization_policy,
    ("security.istio.io", "PeerAuthentication"): peer_authentication,
}


def _applies(reading: Reading, thing: Node) -> Condition:
    """The callees: of the policy's namespace, or of any for the root one, with those labels or targets."""
    spec, namespace = thing["spec"], _namespace(thing)
    reading.only(spec["selector"], ("matchLabels",))
    # What has no namespace may be a service outside of the mesh, of which the root's policies do not speak.
    where = Matcher("present") if namespace == ROOT_NAMESPACE else Matcher("exact", namespace)
    parts = [test("callee_namespace", where)] if namespace else []
    labels = texts_of(spec.at("selector", "matchLabels"))
    parts += [test(f"callee_label:{key}", Matcher("exact", value)) for key, value in labels.items()]
    targets = [*reading.listed(spec["targetRefs"]), *([spec["targetRef"]] if spec["targetRef"] else [])]
    if targets:
        parts.append(either(*map(_target, targets)))
    if not namespace:
        message = f"{_called(thing)} names no namespace, so it is taken to be for all of them"
        reading.wrong(thing, "NO_NAMESPACE", message, "add metadata.namespace", fatal=False)
    return every(*parts)


def _target(target: Node) -> Condition:
    kind, name = target["kind"].text, target["name"].text
    fields = {"Service": "callee_name", "Gateway": "callee_label:gateway.networking.k8s.io/gateway-name"}
    return test(fields[kind], Matcher("exact", name)) if kind in fields else hidden(f"{kind} {name}")


def _rule(reading: Reading, thing: Node, rule: Node) -> Condition:
    """Any source, any operation, and every `when`; what is left out asks for nothing."""
    reading.only(rule, _RULE_KEYS)
    sources = [_fields(reading, thing, each, "source", asks.SOURCE) for each in reading.listed(rule["from"])]
    operations = [
        _fields(reading, thing, each, "operation", asks.OPERATION) for each in reading.listed(rule["to"])
    ]
    parts = [either(*found) for found in (sources, operations) if found]
    return every(*parts, *(_when(reading, thing, when) for when in reading.listed(rule["when"])))


def _fields(reading: Reading, thing: Node, element: Node, name: str, known: asks.Asked) -> Condition:
    """Every field that is there must hold, by any of its values; of a negated one by none."""
    reading.only(element, (name,))
    node = element[name]
    if not node.value:
        # Taken for "anything" it would open what the author meant to narrow; Istio refuses it.
        message = f"{_called(thing)} has a rule with an empty `{name}`"
        reading.wrong(element, "EMPTY", message, f"say what the {name} is, or leave `{element.name}` out")
    reading.only(node, [*known, *map(asks.negated, known)])
    return every(*_asked(reading, thing, node, known))


def _asked(reading: Reading, thing: Node, node: Node, known: asks.Asked) -> Iterator[Condition]:
    for name, made in known.items():
        for key, refused in ((name, False), (asks.negated(name), True)):
            if node[key]:
                values = [
                    _value(reading, made(v.text, _namespace(thing)), v) for v in reading.texts(node[key])
                ]
                yield negation(either(*values)) if refused else either(*values)


def _value(reading: Reading, made: Condition, at: Node) -> Condition:
    if at.text.startswith("spiffe://"):
        fix = f"write {at.text.removeprefix('spiffe://')}"
        reading.wrong(
            at, "SPIFFE_PREFIX", f"Istio adds `spiffe://` itself, so {at.text!r} is met by nobody", fix
        )
    if any(asked.kind == "cidr" and not is_network(asked.text) for asked in made.matchers):
        fix = "write an address, or a range as 10.0.0.0/8"
        reading.wrong(at, "BAD_ADDRESS", f"{at.text!r} is no address and no range of them", fix)
    return made


def _when(reading: Reading, thing: Node, when: Node) -> Condition:
    reading.only(when, ("key", "values", "notValues"))
    key = when["key"].text
    made = asks.WHEN.get(key, asks.never_shown(key or "a condition without a key"))
    return every(*_asked(reading, thing, when, {"values": made}))


def _warn_of_negations(reading: Reading, thing: Node, rules: list[Node]) -> None:
    """Source: ISTIO-SECURITY-2021-004. A plaintext call has no identity, so it is never the one that is refused."""
    for rule in rules:
        for source in rule["from"].elements():
            fields = source["source"]
            if any(fields[name] for name in asks.IDENTITY):
                continue
            for name in map(asks.negated, asks.IDENTITY):
                if fields[name]:
                    message = (
                        f"{_called(thing)} allows by `{name}` alone, which a plaintext call always meets"
                    )
                    fix = "require STRICT mutual TLS for these callees, or name who may call"
                    reading.wrong(fields[name], "NEGATIVE_IDENTITY", message, fix, fatal=False)


def _namespace(thing: Node) -> str:
    return thing.at("metadata", "namespace").text


def _called(thing: Node) -> str:
    return f"{thing['kind'].text} {thing.at('metadata', 'name').text!r}"
