"""A small trust domain for tests: its keys, a caller `orders` and a callee `inventory`, at a fixed time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from bindtrace.propagation.identity import certificates, keys, wit
from bindtrace.propagation.identity.bundle import Bundle, TokenKey
from bindtrace.propagation.identity.spiffe import Service, Workload

NOW_S = 1_800_000_000
DOMAIN = "shop.example"
ORDERS = Workload(DOMAIN, "p1", "production", "s-orders", "d1")
INVENTORY = Workload(DOMAIN, "p1", "production", "s-inventory", "d7")
GRANTED = wit.Granted("b1", INVENTORY.of_service, None, "production", 3)


@dataclass
class Domain:
    """`now_s` is when everything is issued."""

    name: str = DOMAIN
    now_s: int = NOW_S
    token_key: keys.PrivateKey = field(default_factory=keys.generate)
    ca_key: keys.PrivateKey = field(default_factory=keys.generate)

    def __post_init__(self) -> None:
        self.ca = certificates.authority(self.name, 1, self.ca_key, now_s=self.now_s)

    def bundle(self, **changes: Any) -> Bundle:
        token_key = keys.public_of(self.token_key)
        bundle = Bundle(
            self.name,
            1,
            60,
            MappingProxyType({token_key.thumbprint: TokenKey(token_key, self.now_s + 86_400)}),
            (self.ca,),
        )
        return replace(bundle, **changes)

    def token(
        self, key: keys.PrivateKey, subject: Workload = ORDERS, granted: wit.Granted = GRANTED, **also: Any
    ) -> str:
        issued = {"now_s": self.now_s, **also}
        return wit.issue(subject, keys.public_of(key), granted, self.token_key, **issued)[0]

    def leaf(self, key: keys.PrivateKey, workload: Workload = ORDERS, **also: Any) -> bytes:
        issued = {"now_s": self.now_s, **also}
        return certificates.der(
            certificates.leaf(workload, keys.public_of(key), self.ca, self.ca_key, **issued)
        )


def service(name: str, *, environment: str = "production") -> Service:
    return Service(DOMAIN, "p1", environment, name)
