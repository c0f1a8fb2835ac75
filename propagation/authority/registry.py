"""What the authority knows of services: deployments and where they listen, who may call whom, what was taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bindtrace.propagation.authority.log import entry_of
from bindtrace.propagation.authority.rotation import Lives
from bindtrace.propagation.authority.store import Deployment, Store
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.identity import certificates
from bindtrace.propagation.identity.policy import Binding
from bindtrace.propagation.identity.spiffe import Workload


class Registry:
    """Of one authority: each change is one of the policy's sequence too, so that receivers hear of it."""

    def __init__(self, store: Store, trust_domain: str, lives: Lives) -> None:
        self.store, self.trust_domain, self.lives = store, trust_domain, lives

    def register(
        self, workload: Workload, now_s: int, addresses: Sequence[str] = (), dns_names: Sequence[str] = ()
    ) -> None:
        """Makes the service and the deployment known; a younger deployment leaves the older ones in grace."""
        if odd := [name for name in dns_names if not certificates.is_dns_name(name)]:
            raise Refusal(f"`{odd[0]}` is not a lower-case DNS name", fix="name a host, without wildcard.")
        with self.store.change():
            self.store.add_service(workload.of_service)
            deployment = Deployment(workload, "active", tuple(addresses), tuple(dns_names))
            for other in self.store.deployments(self.trust_domain):
                same = other.workload.of_service == workload.of_service and other.workload != workload
                if same and other.state == "active":
                    self.store.put_deployment(replace(other, state="grace"), now_s)
            self.store.put_deployment(deployment, now_s)
            self.store.next_sequence("policy_sequence")

    def bind(self, binding: Binding) -> None:
        """Declares a right to call; a change of it is a new epoch, so that tokens of the old one end."""
        with self.store.change():
            known = {known.id: known for known in self.store.bindings()}.get(binding.id)
            if known is not None and replace(known, epoch=0) != replace(binding, epoch=0):
                binding = replace(binding, epoch=known.epoch + 1)
            elif known is not None:
                return
            for service in (binding.caller, binding.callee):
                self.store.add_service(service)
            self.store.put_binding(binding)
            self.store.next_sequence("policy_sequence")

    def deny(self, kind: str, value: str, now_s: int) -> None:
        """Takes a deployment (by Workload id), a token, a certificate or a binding's epoch back. Raises Refusal."""
        epoch, until_s = 0, now_s + max(self.lives.leaf_s, self.lives.token_s) + self.lives.skew_s
        with self.store.change():
            if kind == "deployment":
                found = [
                    row for row in self.store.deployments(self.trust_domain) if str(row.workload) == value
                ]
                if not found:
                    raise Refusal(
                        f"`{value}` is not registered", fix="give the Workload id, as `issue` printed it."
                    )
                self.store.put_deployment(replace(found[0], state="ended"), now_s)
                value = found[0].workload.deployment
            if kind == "epoch":
                bound = {binding.id: binding for binding in self.store.bindings()}.get(value)
                if bound is None:
                    raise Refusal(f"`{value}` is not a binding", fix="see `bindtrace authority register`.")
                epoch = bound.epoch + 1
                self.store.put_binding(replace(bound, epoch=epoch))
            self.store.deny(kind, value, until_s, epoch)
            self.store.next_sequence("policy_sequence")
            self.store.log(entry_of("deny", now_s, what=kind, value=value))
