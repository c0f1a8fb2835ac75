"""Traces and chains: where they begin, what they pass, what is broken in them."""

from __future__ import annotations

from dataclasses import replace

from drawing import CLIENT, SERVER

from topologies.scene import Scene, pair, scene, through


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
