"""`bindtrace demo --enforce`: the shop behind guards, six credentials that none of them takes, in both modes.

First the guards enforce, then the same requests come while they only observe: all are served, for the same reasons.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, Final, NamedTuple

from bindtrace.collector.demo import plan, town, traffic
from bindtrace.collector.demo.running import Running
from bindtrace.collector.demo.showing import SEEN_S, heading, show_all, wait_until_seen
from bindtrace.collector.demo.stage import Stage, Wish, send, set_stage, start_shop, tell_where
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.vocabulary import Mode
from bindtrace.queries import render
from bindtrace.queries.live_source import LiveSource
from bindtrace.queries.query import Query

AUTHORITY: Final = "bindtrace.collector.demo.shop.authority"
TRICKLE_S: Final = 2.0
MODES: Final[tuple[Mode, Mode]] = ("enforce", "observe")
SAID: Final[Mapping[Mode, str]] = {
    "enforce": "every guard refuses what it does not accept",
    "observe": "every guard judges, and lets pass",
}


class Act(NamedTuple):
    """The shop in one mode: when it began, and for each attack the answers and the hop that was judged."""

    mode: Mode
    since_unix_nano: int
    attacks: Mapping[str, Mapping[str, Any]]


def play(wish: Wish, db: Path, folder: Path) -> None:
    """Starts everything, plays both acts, shows what came of them, and stops everything."""
    stage = set_stage(folder)
    supervisor = stage.supervisor(db)
    with tempfile.TemporaryDirectory(prefix="bindtrace-demo-ca-") as private:
        shops = town.found(Path(private), stage)
        try:
            tell_where(stage)
            supervisor.start()
            with Running() as control, Running() as shop:
                _start_authority(control, shops, stage)
                acts = []
                for mode in MODES:
                    shop.stop()
                    acts.append(_act(wish, stage, shops, shop, mode))
                _show(wish, stage, acts)
                if not wish.once:
                    with contextlib.suppress(KeyboardInterrupt):
                        _stay(stage, control, shop)
                render.say("stopping every process")
        finally:
            supervisor.stop()
            stage.close()


def _start_authority(control: Running, shops: town.Town, stage: Stage) -> None:
    render.say(
        f"authority   {shops.address}  issues certificates and tokens, and tells the collector of each"
    )
    own = plan.telemetry_of("authority", stage.endpoints)
    control.start("authority", AUTHORITY, [str(shops.directory), "--listen", shops.address], own)
    control.wait_ready()
    town.leak(shops)


def _act(wish: Wish, stage: Stage, shops: town.Town, shop: Running, mode: Mode) -> Act:
    """Starts the shop in this mode, sends all requests, and waits until the collector has judged them."""
    render.say(f"mode {mode}: {SAID[mode]}")
    since = now_unix_nano()
    start_shop(shop, stage, scheme="https", also=lambda name: shops.environment(name, mode))
    shop.wait_ready()
    planned = traffic.guarded_visits(attacks=wish.faults)
    render.say(f"sending {len(planned)} requests to the shop at http://{stage.hosts['edge']}")
    answers = [answer.json() for answer in send(stage, planned)]
    said = {
        visit.fault: answer for visit, answer in zip(planned, answers, strict=True) if visit.fault is not None
    }
    hops = _judged(stage, planned, since, said)
    return Act(
        mode, since, {name: {**answer, "hop": hops.get(answer["trace_id"])} for name, answer in said.items()}
    )


def _judged(
    stage: Stage, planned: Sequence[traffic.Visit], since: int, said: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """The denied hop of each attack's trace, once all calls have been seen and every good one is proven."""
    source, query = LiveSource(stage.url), Query(since_unix_nano=since, settled=True)
    limit = time.monotonic() + SEEN_S
    if lacking := wait_until_seen(source, query, planned, stage.hosts):
        render.say(f"{lacking} calls have not been seen in full; what follows is what there is")
    while True:
        hops = source.rows("hops", query)
        waiting = [hop for hop in hops if hop["reason"] == "ok" and hop["grade"] != "proven"]
        if not waiting or time.monotonic() > limit:
            return {hop["trace_id"]: hop for hop in hops if hop["verdict"] == "denied"}
        time.sleep(0.1)


def rows_of(acts: Sequence[Act]) -> list[dict[str, Any]]:
    """One row an attack: what it was, who called whom, and what each mode made of it."""
    rows = []
    for name in acts[0].attacks:
        hop = acts[0].attacks[name]["hop"] or {}
        row = {
            "attack": name,
            "means": traffic.ATTACKS[name],
            "caller": hop.get("caller"),
            "callee": hop.get("callee"),
        }
        rows.append(row | {act.mode: _outcome(act.attacks[name]) for act in acts})
    return rows


def _outcome(answered: Mapping[str, Any]) -> dict[str, Any]:
    hop = answered["hop"] or {}
    return {
        "status": answered["statuses"][-1],
        "outcome": hop.get("outcome"),
        "reason": hop.get("reason"),
        "trace_id": answered["trace_id"],
    }


def _show(wish: Wish, stage: Stage, acts: Sequence[Act]) -> None:
    rows = rows_of(acts)
    if wish.form != "table":
        render.emit("demo-enforce", rows, wish.form)
        return
    query = Query(since_unix_nano=wish.since_unix_nano, settled=True)
    show_all(LiveSource(stage.url), query, stage.option(wish))
    if rows:
        heading("Attacks", "an intruder in the orders asks the inventory with six credentials, in both modes")
        render.emit("demo-enforce", rows, "table")


def _stay(stage: Stage, control: Running, shop: Running) -> None:
    """A trickle of good traffic until Ctrl-C. Raises `Refusal` when a process ends."""
    render.say(
        f"the shop stays up at http://{stage.hosts['edge']} with a trickle of traffic; Ctrl-C stops everything"
    )
    pause = threading.Event()
    for visit in cycle(traffic.GOOD):
        pause.wait(TRICKLE_S)
        control.check()
        shop.check()
        send(stage, [visit])
