"""What App Mesh's client policies and listeners ask of a call's protection, and of the caller's certificate. No I/O.

Source: AWS App Mesh user guide, tls and mutual-tls: off by default, and mutual only with a file or SDS certificate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from bindtrace.propagation.conditions import test
from bindtrace.propagation.manifest import Manifest, Problem
from bindtrace.propagation.matching import Matcher
from bindtrace.propagation.platforms.nodes import Node, Reading
from bindtrace.propagation.policies import Clause, Policy
from bindtrace.propagation.vocabulary import Protection

NAME: Final = "appmesh"


def child(node: Node, *keys: str) -> Node:
    """`node[a][b]…`, whatever the case of the keys: CloudFormation writes `VirtualServiceName` and `TLS`."""
    for key in keys:
        own = node.value if isinstance(node.value, dict) else {}
        node = node[next((k for k in own if k.lower() == key.lower()), key)]
    return node


def client_needs(policy: Node) -> Protection | None:
    """A client policy is enforced unless it says otherwise; with a certificate of the caller it is mutual."""
    tls = child(policy, "tls")
    if not tls or child(tls, "enforce").text == "false":
        return None
    return "mtls" if child(tls, "certificate") else "tls"


def listeners_need(listeners: Node) -> Protection | None:
    """What every listener asks for: only STRICT asks, and mutual it is with trust in the caller's certificate."""
    asked: list[Protection | None] = []
    for listener in listeners.elements():
        tls = child(listener, "tls")
        strict = child(tls, "mode").text == "STRICT"
        asked.append(None if not strict else "mtls" if child(tls, "validation", "trust") else "tls")
    if not asked or None in asked:
        return None
    return "mtls" if all(one == "mtls" for one in asked) else "tls"


def unvalidated(manifests: Sequence[Manifest]) -> Iterator[Problem]:
    """Warnings for backends without an enforced client policy whose nodes ask for TLS; of linked manifests.

    TLS is negotiated then, and nobody looks at the certificate; where the listener wants the caller's, calls fail.
    """
    needs = {
        (service.scope, service.service): service.protection
        for manifest in manifests
        for service in manifest.services
        if service.platform == NAME
    }
    for grant in (grant for manifest in manifests for grant in manifest.grants if grant.platform == NAME):
        needed = needs.get((grant.callee_scope or grant.scope, grant.callee))
        # A gateway's routes have names, and its own policy speaks for all of them.
        if needed and grant.protection is None and grant.binding is None:
            calls = f"{grant.caller} calls {grant.callee}"
            message = f"{calls} and validates no certificate: no client policy is enforced"
            fix = "add clientPolicy.tls with enforce and validation to the backend, or to backendDefaults."
            yield Problem(grant.file, grant.line, "UNVALIDATED_TLS", f"{message}.", fix, fatal=False)


def accepted_callers(reading: Reading, name: str, scope: str, listeners: Node) -> None:
    """A listener's subject names: whose certificate it takes. The one allow list of callers that App Mesh has."""
    applies = test("callee", Matcher("exact", name))
    for listener in listeners.elements():
        tls = child(listener, "tls")
        names = child(tls, "validation", "subjectAlternativeNames", "match", "exact")
        wanted = [one.text for one in reading.texts(names)] if names else []
        if wanted and child(tls, "mode").text == "STRICT":
            clause = Clause(test("caller_id", *(Matcher("exact", one) for one in wanted)), names.line)
            called = f"{name}'s subject alternative names"
            reading.policies.append(
                Policy(NAME, scope, called, "require", 1, applies, (clause,), reading.file, names.line)
            )
