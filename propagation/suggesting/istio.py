"""Least privilege for Istio: one ALLOW policy per callee, a rule per caller, by the accounts that are known. Text out.

An ALLOW policy refuses whoever it does not name, so a callee gets one only where all its callers can be named. What is
not known (a namespace, an account) is left out with its reason and never guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from bindtrace.propagation.suggesting import Needed
from bindtrace.propagation.workloads import NAME_LABELS, Workload, Workloads

_PRINCIPAL: Final = re.compile(r"spiffe://([a-z0-9._-]+/ns/[a-z0-9-]+/sa/[a-z0-9.-]+)")
_DNS: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_WORDS: Final = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off", "null"})
_PLAIN: Final = re.compile(r"[\w.:/-]+")


class Policies(NamedTuple):
    """The YAML text; the calls that it allows, with the principal of each; and the calls that it could not take."""

    text: str
    allowed: tuple[tuple[Needed, str], ...]
    left_out: tuple[tuple[Needed, str], ...]


class _Target(NamedTuple):
    name: str
    namespace: str
    labels: tuple[tuple[str, str], ...]


def policies(needed: Sequence[Needed], workloads: Iterable[Workload], barred: Mapping[str, str]) -> Policies:
    """Policies for every callee of these calls, but for those that are `barred`, each with its reason."""
    known = Workloads(workloads)
    by_callee: dict[str, list[Needed]] = {}
    for call in needed:
        by_callee.setdefault(call.callee, []).append(call)
    documents: list[str] = []
    allowed: list[tuple[Needed, str]] = []
    left_out: list[tuple[Needed, str]] = []
    for callee, calls in sorted(by_callee.items()):
        target = _target(callee, known)
        principals = {call.caller: _principal(call, known) for call in calls}
        unnamed = sorted(caller for caller, principal in principals.items() if principal is None)
        why = (
            f"the namespace of {callee} is not known: give its Deployment with --manifest"
            if target is None
            else barred[callee]
            if callee in barred
            else f"the account of {', '.join(unnamed)} is not known, and a policy for {callee} would refuse it"
            if unnamed
            else ""
        )
        if why or target is None:
            left_out += [(call, why) for call in calls]
            continue
        named = [(call, principal) for call in calls if (principal := principals[call.caller]) is not None]
        documents.append(_document(target, named))
        allowed += named
    return Policies("---\n".join(documents), tuple(allowed), tuple(left_out))


def _target(callee: str, known: Workloads) -> _Target | None:
    """The workload that a policy selects; of its labels the one that names it, where there is one."""
    name, _, namespace = callee.partition(".")
    found = known.named(name, namespace or None)
    if len({(workload.name, workload.namespace) for workload in found}) == 1 and found[0].namespace:
        labels = dict(found[0].labels)
        naming = next(((key, labels[key]) for key in NAME_LABELS if key in labels), None)
        return _Target(name, found[0].namespace, (naming,) if naming else found[0].labels)
    if _DNS.fullmatch(name) and _DNS.fullmatch(namespace):
        return _Target(name, namespace, (("app", name),))
    return None


def _principal(call: Needed, known: Workloads) -> str | None:
    """The caller's account as a certificate proved it, else as its workload's manifest has it."""
    if call.identity and (proven := _PRINCIPAL.fullmatch(call.identity)):
        return proven[1]
    name, _, namespace = call.caller.partition(".")
    accounts = {
        (workload.namespace, workload.service_account)
        for workload in known.named(name, namespace or None)
        if workload.namespace and workload.service_account
    }
    return f"cluster.local/ns/{'/sa/'.join(accounts.pop())}" if len(accounts) == 1 else None


def _document(target: _Target, calls: Sequence[tuple[Needed, str]]) -> str:
    rules: dict[tuple[str, tuple[str, ...]], list[Needed]] = {}
    for call, principal in calls:
        rules.setdefault((principal, call.methods), []).append(call)
    lines = [
        "apiVersion: security.istio.io/v1",
        "kind: AuthorizationPolicy",
        "metadata:",
        f"  name: {_text(f'{target.name}-callers')}",
        f"  namespace: {_text(target.namespace)}",
        "spec:",
        "  selector:",
        "    matchLabels:",
        *(f"      {_text(key)}: {_text(value)}" for key, value in target.labels),
        "  action: ALLOW",
        "  rules:",
    ]
    for (principal, methods), seen in rules.items():
        lines += [f"  # {line}" for line in map(_comment, seen) if line]
        lines += ["  - from:", "    - source:", f"        principals: [{_text(principal)}]"]
        if methods:
            lines += ["    to:", "    - operation:", f"        methods: [{', '.join(map(_text, methods))}]"]
    return "\n".join(lines) + "\n"


def _comment(call: Needed) -> str:
    """Names that could end a comment are left out of it."""
    return f"{call.caller}: {call}" if _PLAIN.fullmatch(call.caller) else str(call)


def _text(value: str) -> str:
    """Plain where YAML cannot take it for anything else; else as JSON, which is YAML."""
    return (
        value
        if _DNS.fullmatch(value) and not value[0].isdigit() and value not in _WORDS
        else json.dumps(value)
    )
