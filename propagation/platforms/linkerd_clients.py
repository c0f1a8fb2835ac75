"""Who Linkerd's policies let through: mesh identities, service accounts, networks, as conditions. No I/O.

An identity is `account.namespace.serviceaccount.identity.<control plane's namespace>.<trust domain>`; `*` stands
before a suffix (linkerd.io/2.19/reference/authorization-policy).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from bindtrace.propagation.conditions import Condition, either, every, negation, test
from bindtrace.propagation.matching import Matcher, is_network
from bindtrace.propagation.platforms.nodes import Node, Reading

_IDENTITY: Final = re.compile(
    r"(?:(?P<account>[^.*]+)\.|\*\.)(?P<namespace>[^.*]+)\.serviceaccount\.identity\.(?P<domain>[^*]+)"
)


def identity(text: str) -> Condition:
    """`*` any of the mesh, `*.x` a suffix; in parts where it has the usual form, as the caller's name shows some."""
    if text == "*":
        return test("caller_id", Matcher("present"))
    if parts := _IDENTITY.fullmatch(text):
        # Names show no trust domain: a caller that no certificate proved is taken to be of this mesh.
        own = either(
            test("caller_trust_domain", Matcher("exact", parts["domain"])),
            test("identity_source", Matcher("exact", "declared"), Matcher("exact", "claimed")),
        )
        return every(account(parts["account"] or "", parts["namespace"]), own)
    return test("caller_id", Matcher("suffix", text[1:]) if text.startswith("*") else Matcher("exact", text))


def account(name: str, namespace: str) -> Condition:
    """A service account; without a name any of the namespace, without a namespace that name in any."""
    asked = {"caller_namespace": namespace, "caller_service_account": name}
    return every(*(test(field, Matcher("exact", value)) for field, value in asked.items() if value))


def identity_ref(ref: Node, namespace: str) -> Condition:
    """A reference to a ServiceAccount, or to a Namespace: any account of it."""
    if ref["kind"].text == "Namespace":
        return account("", ref["name"].text or namespace)
    return account(ref["name"].text, ref["namespace"].text or namespace)


def mesh_tls(reading: Reading, node: Node, namespace: str) -> Condition:
    """`meshTLS` of a client: any of its identities and accounts, or TLS without one."""
    reading.only(node, ("identities", "serviceAccounts", "unauthenticatedTLS"))
    if node["unauthenticatedTLS"].value is True:
        return test("protection", Matcher("exact", "tls"), Matcher("exact", "mtls"))
    names = [identity(element.text) for element in reading.texts(node["identities"])]
    accounts = [
        account(element["name"].text, element["namespace"].text or namespace)
        for element in reading.listed(node["serviceAccounts"])
    ]
    return either(*names, *accounts)


def networks(reading: Reading, node: Node) -> Iterator[Condition]:
    """Any of the networks, each without its exceptions; nothing is asked where they are all addresses."""
    listed = reading.listed(node)
    cidrs = {network["cidr"].text for network in listed}
    for network in listed:
        for at in (network["cidr"], *network["except"].elements()):
            if not is_network(at.text):
                fix = "write it as 10.0.0.0/8"
                reading.wrong(at, "BAD_ADDRESS", f"{at.text!r} is no range of addresses", fix)
    if listed and not {"0.0.0.0/0", "::/0"} <= cidrs:
        yield either(*map(_network, listed))


def _network(node: Node) -> Condition:
    refused = [Matcher("cidr", element.text) for element in node["except"].elements()]
    inside = test("source_address", Matcher("cidr", node["cidr"].text))
    return every(inside, negation(test("source_address", *refused))) if refused else inside
