"""`bindtrace demo`: a small shop with six faults, a collector that finds them, and nothing beyond the loopback."""

from __future__ import annotations

import contextlib
import signal
import socket
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click
import httpx

from bindtrace.collector.demo import plan, traffic
from bindtrace.collector.demo.recording import write_recording
from bindtrace.collector.demo.running import Running
from bindtrace.collector.demo.showing import show_all, wait_until_seen
from bindtrace.collector.ports import Address
from bindtrace.collector.supervisor import Settings, Supervisor
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.platforms import read_manifests
from bindtrace.queries.lock import held_by, holder
from bindtrace.queries.query import Query
from bindtrace.queries.render import say
from bindtrace.queries.source import LiveSource

PROCESS = "bindtrace.collector.demo.shop.process"
TRICKLE_S = 2.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked for. `kept` is the database's path where it shall stay."""

    once: bool
    faults: bool
    kept: Path | None
    since_unix_nano: int


@dataclass(frozen=True, slots=True)
class Stage:
    """Where this run's manifests are and where its processes listen; `hosts` by the name of each part."""

    manifests: tuple[Path, Path]
    endpoints: Mapping[str, str]
    hosts: Mapping[str, str]


@click.command()
@click.option("--once", is_flag=True, help="Print and exit, instead of staying up until Ctrl-C.")
@click.option(
    "--db",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep the database here and, without --record, the manifests in PATH.manifests. Default: all is removed.",
)
@click.option(
    "--traffic",
    "wanted",
    envvar="BINDTRACE_DEMO_TRAFFIC",
    type=click.Choice(["all", "good"]),
    default="all",
    show_default=True,
    help="Whether some of the requests lead services to do the wrong thing.",
)
@click.option(
    "--record",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="At the end, write what was received here, as OTLP JSON lines, and the manifests to PATH.manifests.",
)
def demo(once: bool, db: Path | None, wanted: str, record: Path | None) -> None:
    """Run a small shop with six faults, and see them found.

    Six services, a public edge in front of them and a collector, each a process of its own, on the loopback only.
    """
    signal.signal(signal.SIGTERM, _terminated)
    if db is not None and (held := holder(db)):
        raise held_by(db, held)
    with tempfile.TemporaryDirectory(prefix="bindtrace-demo-") as folder:
        database = db or Path(folder) / "traces.duckdb"
        kept = record or db
        manifests = _folder_beside(kept) if kept else Path(folder)
        wish = Wish(once, wanted == "all", db, now_unix_nano())
        _play(wish, database, manifests)
        if record is not None:
            spans = write_recording(database, record, wish.since_unix_nano)
            say(f"{spans:,} spans are written to {record}, and the manifests to {manifests}")
        if db is not None:
            say(f"the database is kept: bindtrace findings --db {db}")


def _play(wish: Wish, db: Path, folder: Path) -> None:
    """Starts everything, shows what comes of the traffic, and stops everything: the shop first, so that it flushes."""
    stage, listeners = _set(folder)
    grpc, http, api = (Address.parse(stage.endpoints[name]) for name in ("grpc", "http", "api"))
    supervisor = Supervisor(Settings(db.absolute(), grpc, http, api, stage.manifests))
    try:
        with Running() as shop:
            _start_shop(shop, stage, listeners)
            supervisor.start()
            shop.wait_ready()
            _show(wish, stage)
            if not wish.once:
                with contextlib.suppress(KeyboardInterrupt):
                    _stay(wish, stage, shop)
            say("stopping every process")
    finally:
        supervisor.stop()


def _set(folder: Path) -> tuple[Stage, Mapping[str, socket.socket]]:
    """Takes the ports and writes the manifests of this run."""
    endpoints = plan.free_endpoints()
    listeners = {part.name: plan.bound_socket(part.port) for part in plan.PARTS}
    hosts = {name: plan.host_of(listener) for name, listener in listeners.items()}
    return Stage(plan.write_manifests(folder, hosts), endpoints, hosts), listeners


def _start_shop(shop: Running, stage: Stage, listeners: Mapping[str, socket.socket]) -> None:
    """Starts every process of the shop at once, without waiting for any."""
    grants = [grant for manifest in read_manifests(stage.manifests) for grant in manifest.grants]
    say(f"collector   {', '.join(f'{name} {endpoint}' for name, endpoint in stage.endpoints.items())}")
    for part in plan.PARTS:
        fd = listeners[part.name].fileno()
        own = plan.environment_of(part, stage.hosts, grants, stage.endpoints, stage.manifests[0])
        shop.start(part.name, PROCESS, [part.name, "--socket-fd", str(fd)], own, [fd])
        listeners[part.name].close()
        say(f"{part.name:<11} {stage.hosts[part.name]}  {part.about}")


def _folder_beside(path: Path) -> Path:
    """`PATH.manifests`, made before anything is started."""
    folder = path.absolute().with_name(f"{path.name}.manifests")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise Refusal(
            f"cannot write {folder}: {error.strerror}", fix="name a path in a folder that is there"
        ) from error
    return folder


def _show(wish: Wish, stage: Stage) -> None:
    """Sends the requests, waits until the collector has seen what they set off, and prints it."""
    planned = traffic.visits(faults=wish.faults)
    say(f"sending {len(planned)} requests to the shop at http://{stage.hosts['edge']}")
    _send(stage, planned)
    url = f"http://{stage.endpoints['api']}"
    source, query = LiveSource(url), Query(since_unix_nano=wish.since_unix_nano, settled=True)
    if lacking := wait_until_seen(source, query, planned, stage.hosts):
        say(f"{lacking} calls have not been seen in full; what follows is what there is")
    show_all(source, query, f"--db {wish.kept}" if wish.once and wish.kept else f"--url {url}")
    if wish.once and not wish.kept:
        say(
            "this collector stops now: `bindtrace demo` without --once stays up, --db PATH keeps the database"
        )


def _stay(wish: Wish, stage: Stage, shop: Running) -> None:
    """A trickle of traffic until Ctrl-C. Raises `Refusal` when a process ends."""
    say(
        f"the shop stays up at http://{stage.hosts['edge']} with a trickle of traffic; Ctrl-C stops everything"
    )
    pause = threading.Event()
    for visit in cycle((*traffic.GOOD, *(traffic.FAULTS if wish.faults else ()))):
        pause.wait(TRICKLE_S)
        shop.check()
        _send(stage, [visit])


def _send(stage: Stage, planned: list[traffic.Visit]) -> None:
    try:
        traffic.send(stage.hosts["edge"], planned)
    except httpx.HTTPError as error:
        raise Refusal(
            f"the shop did not answer: {error or type(error).__name__}", fix="start `bindtrace demo` again"
        ) from error


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
