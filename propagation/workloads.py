"""What is known of one call, for the policies of meshes: names, identity, labels, ports. No I/O.

Policies speak of namespaces, service accounts and labels; telemetry speaks of services. What joins them: the identity
that a certificate proved, the workloads of the manifests, and the names that Istio itself gives (`reviews.shop`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bindtrace.propagation.conditions import NOTHING, Nothing, either, hidden, test
from bindtrace.propagation.matching import Matcher
from bindtrace.propagation.vocabulary import Protection

NAME_LABELS: Final = ("service.istio.io/canonical-name", "app.kubernetes.io/name", "app")
"""Labels that name a workload, best first (istio.io: canonical service)."""

LABEL: Final = "callee_label:"
IDENTITY_FIELDS: Final = (
    "caller_id", "caller_trust_domain", "caller_namespace", "caller_service_account", "identity_source",
)  # fmt: skip
"""What only a certificate can prove: a plaintext call has none of them."""

OWN_DOMAIN: Final = "the mesh's trust domain"
IN_OWN_DOMAIN: Final = either(
    test("caller_trust_domain", Matcher("exact", "cluster.local")),
    # a caller of the same manifests is in the same mesh
    test("identity_source", Matcher("exact", "declared")),
    hidden("whether cluster.local stands for the caller's trust domain"),
)
"""What `cluster.local` in a principal means: that domain, or the mesh's own, of which it is the alias (istio/api)."""

_WORDS: Final = {
    "caller_id": "the caller's certificate",
    "caller_trust_domain": "the caller's trust domain",
    "caller_namespace": "the caller's namespace",
    "caller_service_account": "the caller's service account",
    "identity_source": "the caller's certificate",
    "callee_namespace": "the callee's namespace",
    "source_address": "the caller's address",
    "remote_address": "the address that the request began at",
    "protection": "how the call is protected",
    "port": "the callee's port",
    "port_name": "the name of the callee's port",
    "listener_port": "the port that is called",
}

_LINKERD: Final = ".serviceaccount.identity."


@dataclass(frozen=True, slots=True)
class Workload:
    """What a Kubernetes manifest says of a workload, by which selectors and service accounts become names."""

    name: str
    namespace: str
    labels: tuple[tuple[str, str], ...]
    service_account: str
    ports: tuple[tuple[str, int], ...]
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of one call; None where nothing shows it. Names as telemetry has them (`reviews.shop`)."""

    callee: str
    caller: str | None = None
    callee_namespace: str | None = None
    caller_namespace: str | None = None
    caller_id: str | None = None
    """An identity that a certificate proved: a SPIFFE ID, or Linkerd's name of a service account."""
    protection: Protection = "unknown"
    method: str | None = None
    path: str | None = None
    host: str | None = None
    port: str | None = None
    called_port: str | None = None
    """The port that the caller's address names, which a Kubernetes Service may have led to another."""
    source_address: str | None = None
    remote_address: str | None = None
    """Where the request began, past the proxies before this one."""
    labels: tuple[tuple[str, str], ...] = ()
    """Labels of the callee."""
    outside: bool = False
    """A platform without namespaces and labels runs the callee, unless a workload has its name."""


class Workloads:
    """Workloads by the names that telemetry may have for them."""

    def __init__(self, workloads: Iterable[Workload]) -> None:
        self._by_name: dict[str, list[Workload]] = {}
        for workload in workloads:
            for name in names_of(workload):
                self._by_name.setdefault(name, []).append(workload)

    def named(self, name: str | None, namespace: str | None) -> list[Workload]:
        """Those of that name; of any namespace where none is known."""
        return [
            workload
            for workload in self._by_name.get(name or "", ())
            if not namespace or not workload.namespace or workload.namespace == namespace
        ]

    def facts(self, call: Call, asked: frozenset[str]) -> dict[str, str | Nothing]:
        """Every field of the call that is known, as conditions ask for it."""
        shown: dict[str, str | Nothing | None] = {
            "callee": call.callee,
            "caller": call.caller,
            "protection": None if call.protection == "unknown" else call.protection,
            "method": call.method,
            "path": call.path,
            "host": call.host,
            "port": call.port,
            "source_address": call.source_address,
            "remote_address": call.remote_address,
            **self._identity(call),
            **self._callee(call, asked),
        }
        if call.protection == "plaintext":
            shown |= dict.fromkeys(IDENTITY_FIELDS, NOTHING)
        return {field: value for field, value in shown.items() if value is not None}

    def _identity(self, call: Call) -> dict[str, str | None]:
        """The caller's identity in parts: as proven, else as its workload's manifest has them."""
        if call.caller_id is not None:
            return {
                "caller_id": call.caller_id,
                "identity_source": "proven",
                **parts_of_identity(call.caller_id),
            }
        name, namespace = split_name(call.caller, call.caller_namespace)
        known = self.named(name, namespace)
        accounts = {(workload.namespace, workload.service_account) for workload in known}
        if len(accounts) != 1:
            source = "claimed" if call.caller is not None else None
            return {"caller_namespace": namespace, "identity_source": source}
        ((own, account),) = accounts
        return {
            "caller_namespace": own or namespace,
            "caller_service_account": account,
            "identity_source": "declared",
        }

    def _callee(self, call: Call, asked: frozenset[str]) -> dict[str, str | Nothing | None]:
        name, namespace = split_name(call.callee, call.callee_namespace)
        known = self.named(name, namespace)
        labels: dict[str, str | Nothing | None] = {}
        if known:
            labels = {
                field: _agreed(dict(workload.labels).get(field.removeprefix(LABEL)) for workload in known)
                for field in asked
                if field.startswith(LABEL)
            }
            namespace = namespace or (known[0].namespace if len({w.namespace for w in known}) == 1 else None)
        elif call.outside:
            labels = {field: NOTHING for field in asked if field.startswith(LABEL)}
            return {"callee_name": name, "callee_namespace": NOTHING, **labels, **_port(call, known)}
        else:
            labels = {LABEL + key: name for key in NAME_LABELS}
        own = {LABEL + key: value for key, value in call.labels}
        return {"callee_name": name, "callee_namespace": namespace, **labels, **own, **_port(call, known)}


def in_words(field: str) -> str:
    """A field of a call, or whatever else a ruling misses, for a person."""
    if field.startswith(LABEL):
        return f"the callee's label {field.removeprefix(LABEL)}"
    return _WORDS.get(field, f"the {field}" if field.isidentifier() else field)


def names_of(workload: Workload) -> tuple[str, ...]:
    """What telemetry may call a workload: its canonical name, and its own."""
    labels = dict(workload.labels)
    return tuple(dict.fromkeys([*(labels[key] for key in NAME_LABELS if key in labels), workload.name]))


def split_name(service: str | None, namespace: str | None) -> tuple[str | None, str | None]:
    """Name and namespace of a service; Istio's telemetry writes both as `reviews.shop`."""
    if service is None:
        return None, namespace
    if namespace:
        return service.removesuffix(f".{namespace}"), namespace
    name, dot, rest = service.partition(".")
    return (name, rest) if dot and "." not in rest else (service, None)


def parts_of_identity(identity: str) -> dict[str, str | None]:
    """Trust domain, namespace and service account of a SPIFFE ID as Istio makes them, or of Linkerd's names."""
    account, linkerd, domain = identity.partition(_LINKERD)
    if linkerd:
        account, _, namespace = account.partition(".")
        return _parts(domain, namespace, account)
    domain, _, path = identity.removeprefix("spiffe://").partition("/")
    segments = path.split("/")
    if len(segments) == 4 and (segments[0], segments[2]) == ("ns", "sa"):
        return _parts(domain, segments[1], segments[3])
    return _parts(domain, None, None)


def _parts(domain: str, namespace: str | None, account: str | None) -> dict[str, str | None]:
    return {"caller_trust_domain": domain, "caller_namespace": namespace, "caller_service_account": account}


def _agreed(values: Iterable[str | None]) -> str | Nothing | None:
    """What all workloads of one name have; None where they differ."""
    found = set(values)
    if len(found) != 1:
        return None
    (value,) = found
    return NOTHING if value is None else value


def _port(call: Call, known: list[Workload]) -> dict[str, str | Nothing | None]:
    """The callee's own port by number and by name; a call may be asked about by either."""
    ports = {port for workload in known for port in workload.ports}
    own = {str(number) for _, number in ports}
    asked = call.port or (call.called_port if call.called_port in own else None)
    shown: dict[str, str | Nothing | None] = {"listener_port": call.port or call.called_port}
    if asked is None:
        return shown
    if asked.isdecimal():
        names = {name for name, number in ports if str(number) == asked}
        return {**shown, "port": asked, "port_name": names.pop() if len(names) == 1 else None}
    numbers = {str(number) for name, number in ports if name == asked}
    return {**shown, "port": numbers.pop() if len(numbers) == 1 else None, "port_name": asked}
