"""What Istio's rules ask of a call: each field of a source, an operation and a `when`, as a condition. Data, no I/O.

Source: istio/api security/v1beta1/authorization_policy.proto; identity fields ask for mutual TLS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from bindtrace.propagation.conditions import ALWAYS, Condition, every, hidden, named, test
from bindtrace.propagation.matching import Matcher
from bindtrace.propagation.workloads import OWN_DOMAIN

_PRINCIPAL: Final = re.compile(r"(?P<domain>[^/]+)/ns/(?P<namespace>[^/*]+)/sa/(?P<account>[^/*]+|\*)")


def matcher(text: str, *, ignore_case: bool = False) -> Matcher:
    """Istio's four forms: `*` present, `x*` prefix, `*x` suffix, else exact."""
    if text == "*":
        return Matcher("present")
    if text.endswith("*"):
        return Matcher("prefix", text[:-1], ignore_case)
    return (
        Matcher("suffix", text[1:], ignore_case)
        if text.startswith("*")
        else Matcher("exact", text, ignore_case)
    )


def on(field: str, *, ignore_case: bool = False) -> Callable[[str, str], Condition]:
    """Asks for a field of the call by one of the four forms."""
    return lambda text, namespace: test(field, matcher(text, ignore_case=ignore_case))


def principal(text: str, namespace: str) -> Condition:
    """`<trust domain>/ns/<namespace>/sa/<account>`, in parts where it has that form."""
    parts = _PRINCIPAL.fullmatch(text)
    if parts:
        account = (
            ALWAYS
            if parts["account"] == "*"
            else test("caller_service_account", Matcher("exact", parts["account"]))
        )
        domain = ALWAYS if parts["domain"] == "*" else trust_domain(parts["domain"], namespace)
        return every(test("caller_namespace", Matcher("exact", parts["namespace"])), account, domain)
    whole = matcher(text)
    if whole.kind in ("exact", "prefix"):
        whole = Matcher(whole.kind, f"spiffe://{whole.text}")
    return test("caller_id", whole)


def trust_domain(text: str, namespace: str) -> Condition:
    """`cluster.local` is also the alias of the mesh's own domain, whatever that is called."""
    return named(OWN_DOMAIN) if text == "cluster.local" else test("caller_trust_domain", matcher(text))


def service_account(text: str, namespace: str) -> Condition:
    """`account` of the policy's own namespace, or `namespace/account`."""
    of, slash, account = text.rpartition("/")
    own = test("caller_namespace", Matcher("exact", of if slash else namespace))
    return every(own, test("caller_service_account", Matcher("exact", account)))


def address(field: str) -> Callable[[str, str], Condition]:
    return lambda text, namespace: test(field, Matcher("cidr", text))


def path(text: str, namespace: str) -> Condition:
    """The four forms, or a template: `{*}` one segment, `{**}` any number."""
    if "{*}" in text or "{**}" in text:
        return test("path", Matcher("template", text))
    return test("path", matcher(text))


def never_shown(what: str) -> Callable[[str, str], Condition]:
    return lambda text, namespace: hidden(what)


Asked = Mapping[str, Callable[[str, str], Condition]]

SOURCE: Final[Asked] = {
    "principals": principal,
    "serviceAccounts": service_account,
    "namespaces": on("caller_namespace"),
    "trustDomains": trust_domain,
    "ipBlocks": address("source_address"),
    "remoteIpBlocks": address("remote_address"),
    "requestPrincipals": never_shown("the end user's token"),
}
OPERATION: Final[Asked] = {
    "hosts": on("host", ignore_case=True),
    "ports": on("port"),
    "methods": on("method"),
    "paths": path,
}
WHEN: Final[Asked] = {
    "source.ip": address("source_address"),
    "remote.ip": address("remote_address"),
    "source.namespace": on("caller_namespace"),
    "source.principal": principal,
    "source.serviceAccount": service_account,
    "source.trustDomain": trust_domain,
    "destination.port": on("port"),
}
"""Any other key (headers, token claims, SNI, metadata) is nothing that a span shows for certain."""
IDENTITY: Final = ("principals", "serviceAccounts", "namespaces", "trustDomains")


def negated(name: str) -> str:
    """`principals` → `notPrincipals`."""
    return f"not{name[0].upper()}{name[1:]}"
