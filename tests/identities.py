"""A small trust domain for tests: its keys, a caller `orders` and a callee `inventory`, at a fixed time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from bindtrace.propagation.guard.judge import judge
from bindtrace.propagation.guard.memory import Memory
from bindtrace.propagation.guard.request import Judgement, Receiver, Request, Trust
from bindtrace.propagation.identity import certificates, keys, wit, wpt
from bindtrace.propagation.identity.bundle import Bundle, TokenKey
from bindtrace.propagation.identity.peer import Leaf, read_leaf
from bindtrace.propagation.identity.policy import Binding, DeniedNow, Policy
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


RECEIVER = Receiver(INVENTORY.of_service, INVENTORY.deployment)
BINDING = Binding("b1", ORDERS.of_service, INVENTORY.of_service, 3)
POLICY = Policy(
    sequence=1,
    bindings=MappingProxyType({"b1": BINDING}),
    deployments=MappingProxyType({ORDERS.of_service: frozenset({"d1"})}),
    denied=DeniedNow(),
)


@dataclass
class Scene:
    """Orders calls inventory: a token, its proof and its certificate, each of which a test can bend."""

    domain: Domain = field(default_factory=Domain)
    key: keys.PrivateKey = field(default_factory=keys.generate)
    receiver: Receiver = RECEIVER
    policy: Policy | None = None
    memory: Memory = field(default_factory=Memory)
    bundle: dict[str, Any] = field(default_factory=dict)

    @property
    def trust(self) -> Trust:
        return Trust({self.domain.name: self.domain.bundle(**self.bundle)}, self.policy, NOW_S)

    def proof(self, token: str, **changes: Any) -> str:
        issued = {"callee": INVENTORY.of_service, "method": "GET", "now_s": NOW_S, **changes}
        return wpt.issue(token, issued.pop("key", self.key), **issued)

    def request(self, token: str | None = None, proof: str | None = None, **changes: Any) -> Request:
        """A call proven by a proof token, unless `proof` is empty or `peer` stands for it."""
        token = self.domain.token(self.key) if token is None else token
        if proof is None:
            proof = "" if changes.get("peer") else self.proof(token)
        headers = [(b"host", b"inventory"), (b"workload-identity-token", token.encode("latin-1"))]
        headers += [(b"workload-proof-token", proof.encode("latin-1"))] if proof else []
        headers += changes.pop("also", [])
        return Request(tuple(headers), **{"method": "GET", "path": "/stock/7", **changes})

    def judge(self, request: Request | None = None, *, now_s: float = NOW_S, **changes: Any) -> Judgement:
        receiver = replace(self.receiver, **changes)
        return judge(request or self.request(), receiver, self.trust, self.memory, now_s=now_s)


def leaf_of(content: bytes) -> Leaf:
    """The certificate, as it is read."""
    leaf = read_leaf(content)
    assert isinstance(leaf, Leaf)
    return leaf
