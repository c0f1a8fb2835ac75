"""One shop that a scene draws, and its faulty twin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from drawing import CLIENT, SERVER, S, span

from bindtrace.propagation.manifest import (
    Accepted,
    AddressRange,
    DeclaredService,
    Exposure,
    Grant,
    Host,
    Match,
    Probe,
)

VISITOR = "93.184.216.34"
MESH = "spiffe://cluster.local/ns/shop/sa"
FILE = "shop.json"


@dataclass(slots=True)
class Scene:
    """One shop. Names are made its own, so that forty shops fit into one database."""

    number: int
    bad: bool
    services: list[DeclaredService] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    exposures: list[Exposure] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    matches: list[Match] = field(default_factory=list)
    ranges: list[AddressRange] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    good: list[list[S]] = field(default_factory=list)
    faults: list[list[S]] = field(default_factory=list)
    senders: list[tuple[str, str]] = field(default_factory=list)
    always: bool = False
    """The fault is in what never happens: every trace is as the faulty one."""
    expected: tuple[str, str, str] | None = None
    """Rule, caller or callee, grade."""

    def __call__(self, name: str) -> str:
        return f"{name}{self.number}"

    @property
    def edge(self) -> str:
        return f"shop{self.number}.example"

    def inside(self, name: str) -> str:
        return f"{self(name)}.internal"

    def service(self, name: str, **more: Any) -> None:
        line = len(self.services) + 1
        self.services.append(replace(DeclaredService("shop", "", self(name), None, FILE, line), **more))
        self.hosts.append(Host(self.inside(name), self(name), "private"))

    def grant(self, caller: str, callee: str, **more: Any) -> None:
        line = 100 + len(self.grants)
        self.grants.append(
            replace(
                Grant("shop", "", None, self(caller), self(callee), f"{callee.upper()}_URL", FILE, line),
                **more,
            )
        )

    def open(self, name: str, pattern: str = "^/.*$", **more: Any) -> None:
        self.exposures.append(replace(Exposure("shop", "", self(name), pattern, pattern, FILE, 50), **more))

    def with_edge(self) -> None:
        self.hosts.append(Host(self.edge, None, "public"))
        self.matches.append(Match(self("edge"), "edge", "service.name", self("edge")))

    def span(self, service: str, kind: int, id: int, parent: int | None = None, **more: Any) -> S:
        return span(self(service), kind, id, parent, **more)

    def call(self, caller: str, callee: str, id: int = 1, parent: int | None = None, **more: Any) -> list[S]:
        """Client and server span; `at` says more of the server's. By the callee's internal host, unless told."""
        at = more.pop("at", {})
        more.setdefault("server_host", self.inside(callee))
        return [self.span(caller, CLIENT, id, parent, **more), self.span(callee, SERVER, id + 1, id, **at)]

    def by_edge(
        self, caller: str | None, callee: str, id: int = 1, parent: int | None = None, **more: Any
    ) -> list[S]:
        """A call, or a visit, that the edge carried."""
        path = more.pop("path", "/")
        at = more.pop("at", {})
        first = (
            [] if caller is None else [self.span(caller, CLIENT, id, parent, server_host=self.edge, **more)]
        )
        return [
            *first,
            self.span(
                "edge", SERVER, id + 1, parent if caller is None else id, server_host=self.edge, url_path=path
            ),
            self.span("edge", CLIENT, id + 2, id + 1),
            self.span(callee, SERVER, id + 3, id + 2, url_path=path, **at),
        ]

    def does(self, *spans: Sequence[S]) -> None:
        self.good.append([one for part in spans for one in part])

    def wrong(self, rule: str, subject: str, grade: str, *spans: Sequence[S], always: bool = False) -> None:
        if self.bad:
            self.expected = (rule, self(subject), grade)
            self.always = always
            if spans:
                self.faults.append([one for part in spans for one in part])


def pair(t: Scene, caller: str = "orders", callee: str = "inventory", *, granted: bool = True) -> None:
    t.service(caller)
    t.service(callee)
    if granted:
        t.grant(caller, callee)
    t.with_edge()


SCENES: list[Callable[[Scene], None]] = []
scene = SCENES.append


def through(t: Scene, *names: str, orphan: int | None = None) -> list[S]:
    spans = [t.span(names[0], SERVER, 1, orphan)]
    for place, (caller, callee) in enumerate(pairwise(names)):
        spans += t.call(caller, callee, 2 * place + 2, 2 * place + 1)
    return spans
