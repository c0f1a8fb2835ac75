"""The way a call took: what looks public and is inside, and the other way round."""

from __future__ import annotations

from drawing import CLIENT, SERVER, S

from bindtrace.propagation.manifest import (
    AddressRange,
    Probe,
)
from topologies.scene import FILE, VISITOR, Scene, pair, scene


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
def load_balancer_checks_health_from_outside(t: Scene) -> None:
    pair(t)
    t.probes.append(Probe("lb", ("35.191.12.0/24",), None, ("^/healthz$",), FILE, 9))
    t.does([t.span("inventory", SERVER, 1, client_address="35.191.12.9", url_path="/healthz")])
    t.wrong(
        "public-entry", "inventory", "inferred",
        [t.span("inventory", SERVER, 1, client_address="35.191.12.9", url_path="/admin")],
    )  # fmt: skip


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
