"""Forty shops that look odd and do no wrong, each with a twin that does: the traps of findings.md, section 4.

A scene draws what its services do in one trace, and in its twin (`bad`) also the fault, with the rule that finds it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import duckdb
from drawing import CLIENT, CONSUMER, INTERNAL, NOON, PRODUCER, SECOND, SERVER, S, draw, span

from bindtrace.propagation.manifest import (
    Accepted,
    AddressRange,
    DeclaredService,
    Exposure,
    Grant,
    Host,
    Manifest,
    Match,
    Probe,
)
from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.policy import install_policy
from bindtrace.queries.query import Query

TRACES = 500
DAYS = 20
BEGIN = NOON - DAYS * 86400 * SECOND
STEP = DAYS * 86400 * SECOND // TRACES
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


@scene
def by_the_binding(t: Scene) -> None:
    pair(t)
    t.does(t.call("orders", "inventory"))
    t.wrong("public-route", "inventory", "claimed", t.by_edge("orders", "inventory"))


@scene
def split_horizon(t: Scene) -> None:
    pair(t)
    t.does(t.call("orders", "inventory", server_host=t.edge, network_peer_address="10.0.0.7"))
    t.wrong(
        "public-route", "inventory", "claimed",
        t.call("orders", "inventory", server_host=t.edge, network_peer_address=VISITOR),
    )  # fmt: skip


@scene
def private_address_of_a_load_balancer(t: Scene) -> None:
    pair(t)
    t.ranges.append(AddressRange("198.51.100.3/32", "egress", t("orders"), FILE, 9))
    t.does(
        t.call(
            "orders",
            "inventory",
            server_host=None,
            network_peer_address="10.0.0.9",
            at={"client_address": VISITOR},
        )
    )
    t.wrong(
        "public-route", "inventory", "claimed",
        t.call("orders", "inventory", server_host=None, network_peer_address="10.0.0.9",
               at={"client_address": "198.51.100.3"}),
    )  # fmt: skip


def sidecars(t: Scene, caller: str, callee: str) -> list[S]:
    return [
        t.span(caller, CLIENT, 1, server_host=t.inside(callee), url_scheme="http"),
        t.span(caller, CLIENT, 2, 1, component="proxy", network_peer_address="10.0.0.8"),
        t.span(callee, SERVER, 3, 2, component="proxy"),
        t.span(callee, CLIENT, 4, 3, component="proxy", network_peer_address="127.0.0.1"),
        t.span(callee, SERVER, 5, 4, url_scheme="http"),
    ]


@scene
def sidecars_on_both_sides(t: Scene) -> None:
    pair(t)
    t.service("billing")
    t.does(sidecars(t, "orders", "inventory"))
    t.wrong("undeclared-call", "billing", "claimed", sidecars(t, "billing", "inventory"))


@scene
def egress_proxy_makes_the_peer_loopback(t: Scene) -> None:
    pair(t)
    t.does(t.call("orders", "inventory", network_peer_address="127.0.0.1"))
    t.wrong(
        "public-route", "inventory", "claimed",
        t.call("orders", "inventory", server_host=t.edge, network_peer_address="127.0.0.1"),
    )  # fmt: skip


@scene
def global_ipv6_addresses_inside(t: Scene) -> None:
    pair(t)
    t.ranges.append(AddressRange("2600:1f18:6::/48", "internal", None, FILE, 9))
    t.does(
        t.call(
            "orders", "inventory", server_host="[2600:1f18:6::7]:8080", network_peer_address="2600:1f18:6::7"
        )
    )
    t.wrong(
        "public-route", "inventory", "claimed",
        t.call("orders", "inventory", server_host=t.edge, network_peer_address="2600:1f18:7::7"),
    )  # fmt: skip


@scene
def browser_calls_the_public_api(t: Scene) -> None:
    pair(t)
    t.open("orders", "^/api/.*$")
    web = {"resource": {"telemetry.sdk.language": "webjs"}, "server_host": t.edge}
    t.does(t.call("web", "orders", url_path="/api/7", **web))
    t.wrong("public-entry", "inventory", "claimed", t.call("web", "inventory", url_path="/stock", **web))


@scene
def redirect_is_judged_by_where_it_led(t: Scene) -> None:
    pair(t)
    first = t.span("orders", CLIENT, 1, 9, server_host=t.inside("inventory"), http_status=308, ms=2)
    root = t.span("orders", SERVER, 9)
    again = {"resend_count": 1, "at_ms": 3.0}
    t.does([root, first], t.call("orders", "inventory", 3, 9, **again))
    t.wrong(
        "public-route", "inventory", "claimed", [root, first], t.by_edge("orders", "inventory", 3, 9, **again)
    )


@scene
def webhook_that_comes_back_by_a_third_party(t: Scene) -> None:
    pair(t)
    t.open("orders", "^/hooks/.*$")
    t.does(
        [t.span("orders", CLIENT, 1, server_host="api.stripe.com")],
        t.by_edge(None, "orders", 10, path="/hooks/pay"),
    )
    t.wrong("public-entry", "inventory", "claimed", t.by_edge(None, "inventory", 10, path="/hooks/pay"))


@scene
def second_address_tried_after_the_first(t: Scene) -> None:
    pair(t)
    root = t.span("orders", SERVER, 9, ms=50)
    first = t.span("orders", CLIENT, 1, 9, server_host=t.inside("inventory"), error=True, ms=2)
    t.does([root, first], t.call("orders", "inventory", 3, 9, resend_count=1, at_ms=3.0))
    t.wrong(
        "public-route", "inventory", "claimed", [root, first],
        t.by_edge("orders", "inventory", 3, 9, resend_count=1, at_ms=3.0),
    )  # fmt: skip


@scene
def callers_half_was_not_sampled(t: Scene) -> None:
    pair(t)
    t.service("billing")
    t.does([t.span("inventory", SERVER, 2, 99, client_address="10.0.0.5")])
    t.wrong("undeclared-call", "billing", "claimed", t.call("billing", "inventory"))


@scene
def load_balancer_checks_health_from_outside(t: Scene) -> None:
    pair(t)
    t.probes.append(Probe("lb", ("35.191.12.0/24",), None, ("^/healthz$",), FILE, 9))
    t.does([t.span("inventory", SERVER, 1, client_address="35.191.12.9", url_path="/healthz")])
    t.wrong(
        "public-entry", "inventory", "inferred",
        [t.span("inventory", SERVER, 1, client_address="35.191.12.9", url_path="/admin")],
    )  # fmt: skip


@scene
def job_begins_its_own_chain(t: Scene) -> None:
    pair(t)
    t.service("billing")
    t.does([t.span("orders", INTERNAL, 9)], t.call("orders", "inventory", 1, 9))
    t.wrong(
        "undeclared-call",
        "billing",
        "claimed",
        [t.span("billing", INTERNAL, 9)],
        t.call("billing", "inventory", 1, 9),
    )


@scene
def telemetry_has_another_name(t: Scene) -> None:
    pair(t)
    t.matches.append(Match(t("orders"), "service", "service.name", t("orders-api")))
    t.does(t.call("orders-api", "inventory", at={"claimed_caller": t("orders-api")}))
    t.wrong(
        "caller-mismatch", "orders", "contradicted",
        t.call("orders-api", "inventory", at={"claimed_caller": t("inventory")}),
    )  # fmt: skip


@scene
def gateway_calls_in_the_name_of_another(t: Scene) -> None:
    pair(t, "gateway")
    t.services[0] = replace(t.services[0], delegates_for=(t("orders"),))
    t.service("orders")
    t.service("billing")
    t.does(t.call("gateway", "inventory", at={"claimed_caller": t("orders")}))
    t.wrong(
        "caller-mismatch", "gateway", "contradicted",
        t.call("gateway", "inventory", at={"claimed_caller": t("billing")}),
    )  # fmt: skip


@scene
def old_instrumentation_names_a_host_as_peer(t: Scene) -> None:
    pair(t)
    t.service("ledger")
    t.does(t.call("orders", "inventory", peer_service="10.0.0.5"))
    t.wrong("undeclared-call", "ledger", "claimed", [t.span("orders", CLIENT, 1, peer_service=t("ledger"))])


@scene
def certificate_names_the_caller(t: Scene) -> None:
    pair(t)
    t.does(t.call("orders", "inventory", at={"peer_id": f"{MESH}/{t('orders')}"}))
    t.wrong(
        "caller-mismatch", "orders", "contradicted",
        t.call("orders", "inventory", at={"peer_id": f"{MESH}/{t('inventory')}"}),
    )  # fmt: skip


@scene
def token_names_the_caller(t: Scene) -> None:
    pair(t)
    t.service("billing")

    def token(name: str) -> dict[str, str]:
        workload = f"spiffe://shop/project/p/env/prod/service/{t(name)}/deployment/d"
        return {"verified_caller": workload, "authz_reason": "ok", "authz_decision": "allow"}

    t.does(t.call("orders", "inventory", at=token("orders")))
    t.wrong("caller-mismatch", "orders", "contradicted", t.call("orders", "inventory", at=token("billing")))


@scene
def all_pods_have_one_service_account(t: Scene) -> None:
    pair(t)
    t.service("billing")
    t.does(t.call("orders", "inventory", at={"peer_id": f"{MESH}/default"}))
    t.wrong(
        "undeclared-call", "billing", "verified",
        t.call("billing", "inventory", at={"peer_id": f"{MESH}/{t('billing')}"}),
    )  # fmt: skip


def environments(t: Scene, caller: str, callee: str, **at: str) -> list[S]:
    client, server = t.call("orders", "inventory", at=at)
    return [
        replace(client, resource={"deployment.environment.name": caller}),
        replace(server, resource={"deployment.environment.name": callee}),
    ]


@scene
def environment_that_is_shared(t: Scene) -> None:
    pair(t)
    t.services[1] = replace(t.services[1], environments=("preview",))
    t.does(environments(t, "preview", "production"))
    t.wrong("environment-crossing", "orders", "claimed", environments(t, "staging", "production"))


@scene
def environment_spelled_in_two_ways(t: Scene) -> None:
    pair(t)
    t.does(environments(t, "prod", "production"))
    t.wrong(
        "environment-crossing", "orders", "verified",
        environments(t, "preview", "production", peer_id=f"{MESH}/{t('orders')}"),
    )  # fmt: skip


@scene
def app_at_its_users_begins_traces(t: Scene) -> None:
    pair(t)
    t.service("app", outside=True)
    t.open("orders")
    t.does([t.span("app", CLIENT, 20, server_host=t.edge, url_path="/")], t.by_edge(None, "orders", 1, 20))
    t.wrong(
        "trace-spoof", "orders", "claimed", t.by_edge(None, "orders", at={"claimed_caller": t("inventory")})
    )


@scene
def partner_sends_a_traceparent(t: Scene) -> None:
    pair(t)
    t.open("orders")
    t.does(t.by_edge(None, "orders", 1, 99))
    later = [replace(one, at_ms=600_000.0) for one in t.by_edge(None, "orders", 11, 99)]
    t.wrong("trace-spoof", "orders", "claimed", t.call("orders", "inventory"), later)


def visitor(t: Scene, **at: str) -> list[S]:
    return [*t.by_edge(None, "orders", at=at), *t.call("orders", "inventory", 10, 4)]


@scene
def sensitive_service_for_a_user_who_is_known(t: Scene) -> None:
    pair(t)
    t.open("orders")
    t.services[1] = replace(t.services[1], sensitive=True)
    t.does(visitor(t, attributes='{"enduser.id":"7"}'))
    t.wrong("confused-deputy", "inventory", "claimed", visitor(t))


@scene
def sensitive_service_for_a_job(t: Scene) -> None:
    pair(t)
    t.service("billing")
    t.services[1] = replace(t.services[1], sensitive=True)
    t.does(t.call("orders", "inventory"))
    t.wrong("undeclared-call", "billing", "claimed", t.call("billing", "inventory"))


def through(t: Scene, *names: str, orphan: int | None = None) -> list[S]:
    spans = [t.span(names[0], SERVER, 1, orphan)]
    for place, (caller, callee) in enumerate(pairwise(names)):
        spans += t.call(caller, callee, 2 * place + 2, 2 * place + 1)
    return spans


def checkout(t: Scene) -> None:
    for name in ("shop", "orders"):
        t.service(name)
    t.service("ledger", only_through=(t("orders"),))
    t.with_edge()
    for one, other in (("shop", "orders"), ("orders", "ledger"), ("shop", "ledger")):
        t.grant(one, other)


@scene
def ledger_only_through_checkout(t: Scene) -> None:
    checkout(t)
    t.open("shop")
    t.does(t.by_edge(None, "shop"), t.call("shop", "orders", 5, 4), t.call("orders", "ledger", 7, 6))
    t.wrong("entry-rule", "shop", "claimed", t.by_edge(None, "shop"), t.call("shop", "ledger", 5, 4))


@scene
def chain_whose_beginning_is_missing(t: Scene) -> None:
    checkout(t)
    t.does(through(t, "shop", "ledger", orphan=99), through(t, "orders", "ledger"))
    t.does(through(t, "shop", "orders"))
    t.wrong("entry-rule", "shop", "claimed", t.call("shop", "ledger"))


@scene
def chain_that_is_long(t: Scene) -> None:
    pair(t)
    t.grant("inventory", "orders")
    names = ["orders", "inventory"] * 12
    t.does(through(t, *names[:14]))
    t.wrong("chain-depth", "orders", "claimed", through(t, *names))


@scene
def database_on_an_internal_host(t: Scene) -> None:
    pair(t)
    t.does(
        t.call("orders", "inventory"),
        [t.span("inventory", CLIENT, 3, 2, server_host="10.7.7.7", db_system="redis")],
    )
    t.wrong(
        "unknown-callee",
        "inventory",
        "claimed",
        [t.span("inventory", CLIENT, 3, server_host="10.7.7.7:8080")],
    )


@scene
def messages_between_services(t: Scene) -> None:
    pair(t)
    t.service("billing")

    def sent(producer: str) -> list[S]:
        queue = {"messaging_system": "kafka", "messaging_destination": "stock"}
        return [t.span(producer, PRODUCER, 1, **queue), t.span("inventory", CONSUMER, 2, 1, **queue)]

    t.does(sent("orders"))
    t.wrong("undeclared-call", "billing", "claimed", sent("billing"))


@scene
def grant_that_is_used_now_and_then(t: Scene) -> None:
    pair(t)
    t.service("billing")
    t.grant("orders", "billing")
    plain = [
        replace(one, columns={**one.columns, "trace_state": "ot=th:0"})
        for one in t.call("orders", "inventory")
    ]
    for _ in range(9):
        t.does(plain)
    t.does(t.call("orders", "billing"))
    t.wrong("unused-grant", "billing", "verified", plain, always=True)


@scene
def grant_that_is_seasonal(t: Scene) -> None:
    pair(t)
    t.service("billing")
    t.grant("orders", "billing", used_within_days=None if t.bad else 365)
    plain = [
        replace(one, columns={**one.columns, "trace_state": "ot=th:0"})
        for one in t.call("orders", "inventory")
    ]
    t.does(plain)
    t.wrong("unused-grant", "billing", "verified", plain, always=True)


@scene
def open_service_that_visitors_use(t: Scene) -> None:
    pair(t)
    t.open("inventory")
    plain = [
        replace(one, columns={**one.columns, "trace_state": "ot=th:0"})
        for one in t.call("orders", "inventory")
    ]
    t.does(plain)
    t.does(t.by_edge(None, "inventory"))
    t.wrong("exposed-and-bound", "inventory", "verified", plain, always=True)


@scene
def exporter_sends_again_what_it_had_sent(t: Scene) -> None:
    pair(t)
    client, server = t.call("orders", "inventory")
    t.does([client, server, server])
    t.wrong(
        "span-conflict", "inventory", "claimed", [client, server, replace(server, columns={"name": "another"})]
    )  # fmt: skip


@scene
def client_and_server_share_an_id(t: Scene) -> None:
    pair(t)
    t.service("billing")
    t.does([t.span("orders", CLIENT, 1), t.span("inventory", SERVER, 1)])
    t.wrong(
        "undeclared-call",
        "billing",
        "claimed",
        [t.span("billing", CLIENT, 1), t.span("inventory", SERVER, 1)],
    )


@scene
def header_and_context_arrive_together(t: Scene) -> None:
    pair(t)
    t.does(t.call("orders", "inventory", at={"claimed_caller": t("orders")}))
    t.wrong(
        "broken-propagation",
        "inventory",
        "claimed",
        [t.span("inventory", SERVER, 2, claimed_caller=t("orders"))],
    )


@scene
def sender_with_a_quirk(t: Scene) -> None:
    pair(t)
    t.does(t.call("orders", "inventory"))
    t.senders.append(("redacted", "aws in x") if t.bad else ("quirks", "base64 ids"))
    t.wrong("secret-in-telemetry", "orders", "verified", t.call("orders", "inventory"), always=True)


@scene
def exception_that_still_holds(t: Scene) -> None:
    pair(t)
    until = datetime(2025 if t.bad else 2200, 1, 1, tzinfo=UTC)
    nano = int(until.timestamp()) * SECOND
    t.accepted.append(Accepted("public-route", t("orders"), t("inventory"), "moves", nano, FILE, 9))
    t.does(t.call("orders", "inventory"))
    t.wrong("expired-exception", "orders", "verified", t.call("orders", "inventory"), always=True)


@scene
def another_project_by_its_public_name(t: Scene) -> None:
    pair(t, granted=False)
    t.grant("orders", "inventory", road="binding" if t.bad else "public")
    t.does([] if t.bad else t.by_edge("orders", "inventory"), t.call("orders", "inventory", 11))
    t.wrong("public-route", "inventory", "claimed", t.by_edge("orders", "inventory"))


@scene
def public_service_without_a_binding(t: Scene) -> None:
    t.service("orders")
    t.service("inventory", exposure="public")
    t.with_edge()
    t.grant("orders", "inventory", binding="URL" if t.bad else None)
    t.does(t.call("orders", "inventory", server_host=t.inside("inventory") if t.bad else t.edge))
    t.wrong("public-route", "inventory", "claimed", t.call("orders", "inventory", server_host=t.edge))


@scene
def services_that_call_each_other(t: Scene) -> None:
    pair(t)
    t.grant("inventory", "orders")
    t.does(through(t, "orders", "inventory", "orders"))
    t.wrong(
        "re-entry",
        "orders",
        "claimed",
        through(t, "orders", "inventory"),
        t.by_edge("inventory", "orders", 11, 3),
    )


@scene
def grant_for_some_requests(t: Scene) -> None:
    pair(t, granted=False)
    t.grant("orders", "inventory", methods=("GET",), paths=("^/stock/.*$",))
    t.does(t.call("orders", "inventory", http_method="GET", url_path="/stock/7"))
    t.wrong(
        "undeclared-call",
        "inventory",
        "claimed",
        t.call("orders", "inventory", http_method="POST", url_path="/stock/7"),
    )


def play(con: duckdb.DuckDBPyConnection, *, bad: bool, keep_one_in: int = 1) -> list[Scene]:
    """Draws every scene, one fault in five traces, of which one in so many is kept, and analyses."""
    scenes = [Scene(number, bad) for number in range(1, len(SCENES) + 1)]
    for build, one in zip(SCENES, scenes, strict=True):
        build(one)
    install_policy(con, [_manifest(scenes)], BEGIN)
    _templates(con, scenes)
    threshold = None if keep_one_in == 1 else f"ot=th:{int((1 - 1 / keep_one_in) * 2**56):014x}"
    con.execute(
        _REPLAY, {"begin": BEGIN, "step": STEP, "traces": TRACES, "keep": keep_one_in, "threshold": threshold}
    )
    con.execute("delete from spans where load_id = 1")
    for one in scenes:
        for what, reason in one.senders:
            con.execute(
                "insert into senders values (?, '', '', 'http', ?, ?, 3, ?)",
                [one("orders"), what, reason, NOON],
            )
    analyse(con)
    return scenes


_REPLAY = """
insert into spans by name
select s.* replace (
    md5(p.scene || ':' || i)::uuid as trace_id,
    s.start_time_unix_nano - $noon_of + $begin + i * $step as start_time_unix_nano,
    s.end_time_unix_nano - $noon_of + $begin + i * $step as end_time_unix_nano,
    coalesce($threshold, s.trace_state) as trace_state,
    2 as load_id
)
from range($traces) as r (i)
join plays as p on p.turn = i % p.turns
join spans as s on s.trace_id = p.template
where hash(i) % $keep = 0
""".replace("$noon_of", str(NOON))


def _templates(con: duckdb.DuckDBPyConnection, scenes: Sequence[Scene]) -> None:
    """One trace a template; `plays` says which of them is played at which turn."""
    con.execute("create temp table plays (scene integer, turn integer, turns integer, template uuid)")
    spans, plays = list[S](), list[tuple[int, int, int, uuid.UUID]]()
    for one in scenes:
        turns = one.faults if one.always else [*one.good * (4 if one.faults else 1), *one.faults]
        for turn, template in enumerate(turns):
            trace = one.number * 1000 + turn
            spans += [replace(each, trace=trace) for each in template]
            plays.append((one.number, turn, len(turns), uuid.UUID(int=trace)))
    draw(con, *spans)
    con.executemany("insert into plays values (?, ?, ?, ?)", plays)


def _manifest(scenes: Sequence[Scene]) -> Manifest:
    def all_of(part: str) -> tuple[Any, ...]:
        return tuple(row for one in scenes for row in getattr(one, part))

    parts = ("services", "grants", "exposures", "hosts", "matches", "ranges", "probes", "accepted")
    return Manifest(FILE, "shop", "", "1", **{part: all_of(part) for part in parts})


def findings(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    return run_report(con, "findings", Query())


def missed(scenes: Sequence[Scene], found: Sequence[dict[str, Any]]) -> list[str]:
    """The faults that were not found, or not graded as they should be; one sentence each."""
    names = dict(zip((one.number for one in scenes), (build.__name__ for build in SCENES), strict=True))
    wrong = []
    for one in scenes:
        assert one.expected is not None, names[one.number]
        rule, subject, grade = one.expected
        grades = {
            row["grade"] for row in found if row["rule"] == rule and subject in (row["caller"], row["callee"])
        }
        if grade not in grades:
            wrong.append(
                f"{names[one.number]}: {rule} of {subject} is {sorted(grades) or 'not found'}, not {grade}"
            )
    return wrong
