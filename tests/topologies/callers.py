"""Who called: other names, certificates, environments and users."""

from __future__ import annotations

from dataclasses import replace

from drawing import CLIENT, CONSUMER, INTERNAL, PRODUCER, SERVER, S

from bindtrace.propagation.manifest import (
    Match,
)
from topologies.scene import MESH, Scene, pair, scene


@scene
def callers_half_was_not_sampled(t: Scene) -> None:
    pair(t)
    t.service("billing")
    t.does([t.span("inventory", SERVER, 2, 99, client_address="10.0.0.5")])
    t.wrong("undeclared-call", "billing", "claimed", t.call("billing", "inventory"))


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


@scene
def messages_between_services(t: Scene) -> None:
    pair(t)
    t.service("billing")

    def sent(producer: str) -> list[S]:
        queue = {"messaging_system": "kafka", "messaging_destination": "stock"}
        return [t.span(producer, PRODUCER, 1, **queue), t.span("inventory", CONSUMER, 2, 1, **queue)]

    t.does(sent("orders"))
    t.wrong("undeclared-call", "billing", "claimed", sent("billing"))
