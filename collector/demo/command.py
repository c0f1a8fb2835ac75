"""`bindtrace demo`: a small shop with six faults, a collector that finds them, and nothing beyond the loopback."""

from __future__ import annotations

import contextlib
import signal
import tempfile
import threading
from itertools import cycle
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from bindtrace.collector.demo import enforcing, traffic
from bindtrace.collector.demo.recording import write_recording
from bindtrace.collector.demo.running import Running
from bindtrace.collector.demo.showing import show_all, wait_until_seen
from bindtrace.collector.demo.stage import Stage, Wish, send, set_stage, start_shop, tell_where
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.options import NamedPath, format_option
from bindtrace.queries.live_source import LiveSource
from bindtrace.queries.lock import held_by, holder
from bindtrace.queries.query import Query
from bindtrace.queries.render import emit, say
from bindtrace.queries.source import db_option

TRICKLE_S = 2.0


@click.command()
@click.option("--once", is_flag=True, help="Print and exit, instead of staying up until Ctrl-C.")
@click.option(
    "--db",
    type=NamedPath(dir_okay=False),
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
    type=NamedPath(dir_okay=False, writable=True),
    help="At the end, write what was received here, as OTLP JSON lines, and the manifests to PATH.manifests.",
)
@click.option(
    "--enforce",
    is_flag=True,
    help="The shop with identities and guards: forged, replayed, expired and other credentials, refused and observed.",
)
@format_option(("table", "json"))
def demo(once: bool, db: Path | None, wanted: str, record: Path | None, enforce: bool, form: str) -> None:
    """Run a small shop with six faults, and see them found.

    Six services, a public edge in front of them and a collector, each a process of its own, on the loopback only.
    With --enforce also an authority, and instead of the faults an intruder whom the guards refuse, then only observe.
    """
    signal.signal(signal.SIGTERM, _terminated)
    if db is not None and (held := holder(db)):
        raise held_by(db, held)
    with tempfile.TemporaryDirectory(prefix="bindtrace-demo-") as folder:
        database = db or Path(folder) / "traces.duckdb"
        kept = record or db
        manifests = _folder_beside(kept) if kept else Path(folder)
        wish = Wish(once, wanted == "all", db, now_unix_nano(), form)
        (enforcing.play if enforce else _play)(wish, database, manifests)
        if record is not None:
            spans = write_recording(database, record, wish.since_unix_nano)
            say(f"{spans:,} spans are written to {record}, and the manifests to {manifests}")
        if db is not None:
            say(f"the database is kept: bindtrace findings {db_option(db)}")


def _play(wish: Wish, db: Path, folder: Path) -> None:
    """Starts everything, shows what comes of the traffic, and stops everything: the shop first, so that it flushes."""
    stage = set_stage(folder)
    supervisor = stage.supervisor(db)
    try:
        with Running() as shop:
            start_shop(shop, stage)
            tell_where(stage)
            stage.close()
            supervisor.start()
            shop.wait_ready()
            _show(wish, stage)
            if not wish.once:
                with contextlib.suppress(KeyboardInterrupt):
                    _stay(wish, stage, shop)
            say("stopping every process")
    finally:
        supervisor.stop()


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
    send(stage, planned)
    source, query = LiveSource(stage.url), Query(since_unix_nano=wish.since_unix_nano, settled=True)
    if lacking := wait_until_seen(source, query, planned, stage.hosts):
        say(f"{lacking} calls have not been seen in full; what follows is what there is")
    if wish.form != "table":
        emit("findings", source.rows("findings", query), wish.form)
        return
    show_all(source, query, stage.option(wish))
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
        send(stage, [visit])


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
