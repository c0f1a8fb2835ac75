"""Where one run of the demo plays: its ports, its manifests, its processes. Judges nothing."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from bindtrace.collector.demo import plan, traffic
from bindtrace.collector.demo.running import Running
from bindtrace.collector.ports import Address
from bindtrace.collector.supervisor import Settings, Supervisor
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.platforms import read_manifests
from bindtrace.queries.render import say
from bindtrace.queries.source import db_option

PROCESS = "bindtrace.collector.demo.shop.process"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked for. `kept` is the database's path where it shall stay, `form` that of the answer."""

    once: bool
    faults: bool
    kept: Path | None
    since_unix_nano: int
    form: str = "table"


@dataclass(frozen=True, slots=True)
class Stage:
    """Where this run's manifests are and where its processes listen; hosts and listeners by part."""

    manifests: tuple[Path, Path]
    endpoints: Mapping[str, str]
    hosts: Mapping[str, str]
    listeners: Mapping[str, socket.socket]

    @property
    def url(self) -> str:
        """Of the collector's API."""
        return f"http://{self.endpoints['api']}"

    def option(self, wish: Wish) -> str:
        """What names this run's data in a command to copy, once the demo has said all."""
        return db_option(wish.kept) if wish.once and wish.kept else f"--url {self.url}"

    def supervisor(self, db: Path) -> Supervisor:
        grpc, http, api = (Address.parse(self.endpoints[name]) for name in ("grpc", "http", "api"))
        return Supervisor(Settings(db.absolute(), grpc, http, api, self.manifests))

    def close(self) -> None:
        """The listeners here; processes that were started with them keep their own."""
        for listener in self.listeners.values():
            listener.close()


def set_stage(folder: Path) -> Stage:
    """Takes the ports and writes the manifests of this run."""
    endpoints = plan.free_endpoints()
    listeners = {part.name: plan.bound_socket(part.port) for part in plan.PARTS}
    hosts = {name: plan.host_of(listener) for name, listener in listeners.items()}
    return Stage(plan.write_manifests(folder, hosts), endpoints, hosts, listeners)


def start_shop(
    shop: Running,
    stage: Stage,
    *,
    scheme: str = "http",
    also: Callable[[str], Mapping[str, str]] = lambda _: {},
) -> None:
    """Starts every process of the shop at once, without waiting for any; `also` adds to a part's environment."""
    grants = [grant for manifest in read_manifests(stage.manifests) for grant in manifest.grants]
    for part in plan.PARTS:
        fd = stage.listeners[part.name].fileno()
        own = plan.environment_of(part, stage.hosts, grants, stage.endpoints, stage.manifests[0], scheme)
        shop.start(part.name, PROCESS, [part.name, "--socket-fd", str(fd)], {**own, **also(part.name)}, [fd])


def tell_where(stage: Stage) -> None:
    """Says what listens where."""
    say(f"collector   {', '.join(f'{name} {endpoint}' for name, endpoint in stage.endpoints.items())}")
    for part in plan.PARTS:
        say(f"{part.name:<11} {stage.hosts[part.name]}  {part.about}")


def send(stage: Stage, planned: list[traffic.Visit]) -> list[httpx.Response]:
    """The answers, in order. Raises `Refusal` when one does not come."""
    try:
        return traffic.send(stage.hosts["edge"], planned)
    except httpx.HTTPError as error:
        raise Refusal(
            f"the shop did not answer: {error or type(error).__name__}", fix="start `bindtrace demo` again"
        ) from error
